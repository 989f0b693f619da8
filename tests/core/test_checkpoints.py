"""States of agents: the same tests for every place in which they are kept."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from descartes_core.checkpoints import (
    AgentStateSnapshot,
    Checkpointer,
)
from descartes_core.checkpoints.sqlite import SqliteCheckpointer
from descartes_core.errors import InvalidParams
from support.checkpoint_places import KEPT, STATE, Place, in_postgres, in_sqlite


@pytest.fixture(params=KEPT, ids=lambda make: make.__name__)
async def place(request: pytest.FixtureRequest, workspace: Path) -> Place:
    found: Place = await request.param(workspace, request)
    return found


@pytest.fixture
async def kept(place: Place) -> AsyncIterator[Checkpointer]:
    async with await place.open() as checkpointer:
        yield checkpointer


@pytest.mark.ledger("A-05")
async def test_what_is_saved_is_loaded(kept: Checkpointer) -> None:
    assert (await kept.load_state("t"), list(await kept.list_threads()), list(await kept.history("t"))) == (
        None,
        [],
        [],
    )
    assert await kept.save_state("t", STATE) == 1
    loaded = await kept.load_state("t")
    assert loaded == STATE and loaded.digest == STATE.digest
    assert loaded.scratchpad["z"]["deep"] == (1, 2.0, None, 1e22, 2**70)
    assert await kept.save_state("t", AgentStateSnapshot()) == 2
    assert (await kept.load_state("t"), await kept.load_state("t", 1)) == (AgentStateSnapshot(), STATE)
    for version in (0, -1, 3, 10**9):
        assert await kept.load_state("t", version) is None


async def test_threads_have_a_history_each_and_end(kept: Checkpointer) -> None:
    odd = "é😀 * [x] ? \\ ' \" % _ : / " + "x" * 400
    for thread in ("b", "a", odd):
        await kept.save_state(thread, AgentStateSnapshot(files={"of": thread}))
    await kept.save_state("a", STATE)
    assert list(await kept.list_threads()) == sorted(["a", "b", odd])
    history = await kept.history("a")
    assert [each.version for each in history] == [2, 1]
    assert [each.digest for each in history] == [STATE.digest, AgentStateSnapshot(files={"of": "a"}).digest]
    assert history[0].saved_at >= history[1].saved_at > "2020-01-01T" and history[0].saved_at.endswith("Z")
    assert (await kept.delete_thread("a"), await kept.delete_thread("a")) == (True, False)
    assert (await kept.load_state("a"), await kept.load_state("a", 1)) == (None, None)
    assert (list(await kept.history("a")), list(await kept.list_threads())) == ([], sorted(["b", odd]))
    assert (await kept.load_state(odd)) == AgentStateSnapshot(files={"of": odd})
    assert await kept.save_state("a", STATE) == 1


@pytest.mark.parametrize("thread", ["", "a\0b", "x" * 501, "\ud800", None, 3])
async def test_ids_that_no_thread_can_have(kept: Checkpointer, thread: Any) -> None:
    for call in (kept.load_state, kept.delete_thread, kept.history):
        with pytest.raises(InvalidParams, match="id of a thread"):
            await call(thread)
    with pytest.raises(InvalidParams):
        await kept.save_state(thread, STATE)
    assert list(await kept.list_threads()) == []


async def test_two_who_save_at_once_get_a_version_each(place: Place, kept: Checkpointer) -> None:
    async with await place.open() as other:

        async def save(checkpointer: Checkpointer, name: str) -> list[int]:
            return [
                await checkpointer.save_state("t", AgentStateSnapshot(files={"by": f"{name}{n}"}))
                for n in range(10)
            ]

        saved = await asyncio.gather(
            *(save(each, name) for name, each in (("a", kept), ("b", other), ("c", kept)))
        )
        assert sorted(version for versions in saved for version in versions) == list(range(1, 31))
        for versions, name in zip(saved, "abc", strict=True):
            for n, version in enumerate(versions):
                state = await other.load_state("t", version)
                assert state is not None and state.files["by"] == f"{name}{n}"


@pytest.mark.ledger("A-06")
def test_in_memory_nothing_is_on_disk(workspace: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from descartes_core.checkpoints import AgentStateSnapshot as S, open_checkpointer\n"
        "opened = []\n"
        "sys.addaudithook(lambda name, args: opened.append(args) if name == 'open' and"
        " isinstance(args[1], str) and set(args[1]) & set('wax+') else None)\n"
        "async def main():\n"
        "    kept = await open_checkpointer('memory:')\n"
        "    assert await kept.save_state('t', S(files={'a': 'b'})) == 1\n"
        "    assert (await kept.load_state('t')).files['a'] == 'b'\n"
        "asyncio.run(main())\n"
        "assert opened == [], opened\n"
        "assert not {'psycopg', 'redis'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=workspace, check=True)
    assert list(workspace.iterdir()) == []


MACHINE = """
import asyncio, sys
from descartes_core.checkpoints import AgentStateSnapshot, open_checkpointer

async def main(url, name):
    async with await open_checkpointer(url) as kept:
        print("ready", flush=True)
        sys.stdin.readline()
        for n in range(20):
            await kept.save_state("shared", AgentStateSnapshot(files={"by": f"{name} {n}"}))
        print("done", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.ledger("A-07")
@pytest.mark.parametrize("make", [in_sqlite, in_postgres], ids=lambda make: make.__name__)
async def test_machines_share_what_is_kept(
    make: Any, workspace: Path, request: pytest.FixtureRequest
) -> None:
    place = await make(workspace, request)
    machines = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", MACHINE, place.url, name,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    for machine in machines:
        assert machine.stdout is not None and await machine.stdout.readline() == b"ready\n"
    for machine in machines:
        assert machine.stdin is not None
        machine.stdin.write(b"go\n")
    for machine in machines:
        assert machine.stdout is not None and await machine.stdout.readline() == b"done\n"
        assert await machine.wait() == 0
    async with await place.open() as kept:
        history = await kept.history("shared")
        assert [each.version for each in history] == list(range(40, 0, -1))
        saved = [await kept.load_state("shared", version) for version in range(1, 41)]
    by = [state.files["by"] for state in saved if state is not None]
    for name in ("one", "two"):
        assert [each for each in by if each.startswith(name)] == [f"{name} {n}" for n in range(20)]


async def test_what_is_kept_answers_queries(workspace: Path, request: pytest.FixtureRequest) -> None:
    path = workspace / "s.db"
    async with await SqliteCheckpointer.at(path) as kept:
        await kept.save_state("t", STATE)
    assert path.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(path)) as file:
        sql = "SELECT thread_id, version, state ->> '$.todos[1].status' FROM checkpoint"
        assert file.execute(sql).fetchall() == [("t", 1, "in_progress")]
    place = await in_postgres(workspace, request)
    async with await place.open() as kept:
        await kept.save_state("query me", AgentStateSnapshot(todos=STATE.todos))
    async with await psycopg.AsyncConnection.connect(place.url) as connection:
        cursor = await connection.execute(
            "SELECT thread_id, state -> 'todos' -> 1 ->> 'status' FROM descartes_checkpoint"
        )
        assert await cursor.fetchall() == [("query me", "in_progress")]
