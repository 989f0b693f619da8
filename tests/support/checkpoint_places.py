"""The places that keep states of agents, each opened for one test."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from descartes_core.checkpoints import (
    AgentInterrupt,
    AgentStateSnapshot,
    Checkpointer,
    TodoItem,
    open_checkpointer,
)
from descartes_core.checkpoints.memory import MemoryCheckpointer

STATE = AgentStateSnapshot(
    todos=[TodoItem("read"), TodoItem("write é😀", "in_progress")],
    files={"b.lisp": "(car)\0\ud800", "a.lisp": ""},
    scratchpad={"z": {"deep": [1, 2.0, None, 1e22, 2**70]}, "a": True},
    pending_interrupts=[AgentInterrupt("shell", {"command": "rm"}, "c1", "asks")],
)


@dataclass(frozen=True)
class Place:
    """Where states are kept; `at` opens what its URL names."""

    url: str
    at: Callable[[str], Awaitable[Checkpointer]] = open_checkpointer

    async def open(self) -> Checkpointer:
        return await self.at(self.url)


async def in_memory(folder: Path, request: pytest.FixtureRequest) -> Place:
    kept = MemoryCheckpointer()

    async def same(url: str) -> Checkpointer:
        return kept

    return Place("memory:", same)


async def in_sqlite(folder: Path, request: pytest.FixtureRequest) -> Place:
    return Place(f"sqlite://{quote(str(folder / 'a state.db'))}")


async def in_postgres(folder: Path, request: pytest.FixtureRequest) -> Place:
    url, schema = request.getfixturevalue("postgres"), f"t{uuid.uuid4().hex}"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(f"CREATE SCHEMA {schema}")  # type: ignore[arg-type]
    return Place(f"{url}&options=-csearch_path%3D{schema}")


async def in_redis(folder: Path, request: pytest.FixtureRequest) -> Place:
    url, namespace = request.getfixturevalue("redis"), uuid.uuid4().hex
    return Place(f"{url}?namespace={namespace}")


KEPT = [in_memory, in_sqlite, in_postgres, in_redis]
