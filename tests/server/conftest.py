"""Real hubs and command lines for one test, ended with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from descartes_core.model import Principal
from descartes_core.processes.identity import is_alive
from descartes_server import __version__
from descartes_server.hub import messages, record
from descartes_server.hub.client import HubClient
from descartes_server.hub.process import SocketOpener
from descartes_server.operations import workspace as workspaces
from descartes_server.operations.workspace import Workspace
from support.leftovers import end_leftovers

DEADLINE_S = 60


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    status: int
    out: str
    err: str


Descartes = Callable[..., Awaitable[Outcome]]


@pytest.fixture(autouse=True)
def hubs_end_with_the_test(isolated_environment: Path) -> Iterator[None]:
    """End every hub that the test left running, and what it has started."""
    yield
    for found in record.read_all():
        if not Path(found.workspace).is_relative_to(isolated_environment):
            continue  # somebody's, who works on this machine
        with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(found.pid, signal.SIGKILL)
        while is_alive(found.identity):
            os.sched_yield()
    if any((isolated_environment / "run").glob("*/*.json")):  # the record of a hub or of an image
        end_leftovers(isolated_environment / "home")


@pytest.fixture
def here(workspace: Path) -> Workspace:
    """Return the empty workspace as the server sees it."""
    return workspaces.find(workspace)


@pytest.fixture
def descartes(workspace: Path) -> Descartes:
    """Return a function that runs the program in the workspace, with its output in pipes."""

    async def run(*words: str, cwd: Path = workspace, stdin: str = "", **environment: str) -> Outcome:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "descartes_server", *words),
            cwd=cwd,
            env=os.environ | environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), DEADLINE_S)
        assert process.returncode is not None
        return Outcome(process.returncode, out.decode(), err.decode())

    return run


Attach = Callable[..., HubClient]


@pytest.fixture
async def client(here: Workspace) -> AsyncIterator[Attach]:
    """Return a function that makes a client of the workspace's hub; all are closed with the test."""
    made: list[HubClient] = []

    def make(name: str = "Emacs", *, user: str = "ann", **said: Any) -> HubClient:
        hello = messages.ClientHello(
            **{
                "version": __version__,
                "protocol": messages.PROTOCOL,
                "client_id": uuid.uuid4().hex,
                "client_name": name,
                "principal": Principal(kind="human", id=user, name=user.title(), via=name),
                "notifications": True,
            }
            | said
        )
        made.append(HubClient(SocketOpener(here), lambda: hello))
        return made[-1]

    yield make
    for each in made:
        await each.close()
