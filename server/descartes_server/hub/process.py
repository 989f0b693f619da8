"""Reaching the hub of a workspace over its socket, and starting one when there is none."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from descartes_core import errors
from descartes_core.processes.identity import is_alive
from descartes_server.hub import record
from descartes_server.hub.wire import Lost, Receive, StreamWire
from descartes_server.operations import principals
from descartes_server.operations.principals import RUN_VARIABLE, TOKEN_VARIABLE
from descartes_server.operations.workspace import Workspace

PATIENCE_S = 10.0
"""How long a call waits for a hub that is being started or replaced."""
STEP_S = 0.02
LONGEST_PASSWORD = 4096
"""Bytes; more than any vault takes, less than any pipe holds."""
AGAIN_S = 0.5
"""A hub that held the lock and cannot be reached for this long may be gone: try to start one again."""


class SocketOpener:
    """Opens wires to the hub of WORKSPACE."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def open(self, receive: Receive, lost: Lost, *, start: bool) -> StreamWire | None:
        """Return a wire to the hub, started when there is none and START is true; else None.

        Errors: `WorkspaceInUse` naming the owner when a hub is held but cannot be reached; `HubLost` when
        none could be started.
        """
        wire = await self._connect(receive, lost)
        if wire is not None or not start:
            return wire
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            answer = await start_hub(self._workspace)
            held = msgspec.convert(answer["held"], record.Owner) if "held" in answer else None
            wire = await self._connect_within(AGAIN_S, receive, lost)
            if wire is not None:
                return wire
            out_of_reach = held is not None and (held.embedded or held.is_elsewhere)
            if out_of_reach or asyncio.get_running_loop().time() > deadline:
                raise held.in_use() if held else _unreachable(self._workspace)

    async def _connect_within(self, seconds: float, receive: Receive, lost: Lost) -> StreamWire | None:
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            wire = await self._connect(receive, lost)
            if wire is not None or asyncio.get_running_loop().time() > deadline:
                return wire
            await asyncio.sleep(STEP_S)

    async def _connect(self, receive: Receive, lost: Lost) -> StreamWire | None:
        loop = asyncio.get_running_loop()
        path = str(self._workspace.socket)
        try:
            _, wire = await loop.create_unix_connection(lambda: StreamWire(receive, lost), path)
        except OSError:
            return None
        return wire


async def start_hub(workspace: Workspace) -> dict[str, Any]:
    """Start a detached hub for WORKSPACE; returns `{ready: true}` once it listens, or `{held: owner}`.

    Errors: the one that kept it from starting; `HubLost` when it died without a word.
    """
    environment = {
        name: value
        for name, value in principals.environment().items()
        if name not in (RUN_VARIABLE, TOKEN_VARIABLE)
    }
    with _password_pipe() as descriptor:
        process = await asyncio.create_subprocess_exec(
            # -P: a folder named descartes_server in the current folder must not be taken for this program.
            *(sys.executable, "-P", "-m", "descartes_server", "daemon", "--detached"),
            *("--workspace", str(workspace.root), "--password-from", str(descriptor)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=[descriptor],
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    said = asyncio.ensure_future(process.communicate())
    try:
        line, _ = await asyncio.shield(said)
    except asyncio.CancelledError:
        # What was begun is ended properly; a hub that is up by then ends by itself.
        await said
        raise
    if not line:
        raise _unreachable(workspace)
    answer: dict[str, Any] = msgspec.json.decode(line)
    if "error" in answer:
        raise errors.from_json(answer["error"])
    return answer


@contextmanager
def _password_pipe() -> Iterator[int]:
    """Give what the password of the vault is read from, if this process has it and is no child of a run.

    Not the environment: that of a process can be read for as long as it lives.
    """
    reading, writing = os.pipe()
    try:
        password = None if RUN_VARIABLE in os.environ else os.environ.get(principals.PASSWORD_VARIABLE)
        os.write(writing, os.fsencode(password or "")[:LONGEST_PASSWORD])
        os.close(writing)
        yield reading
    finally:
        os.close(reading)


async def wait_gone(found: record.HubRecord, seconds: float) -> bool:
    """Return whether the process of the record FOUND is gone, waiting up to SECONDS for it."""
    deadline = asyncio.get_running_loop().time() + seconds
    while is_alive(found.identity):
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(STEP_S)
    return True


async def end_hub(found: record.HubRecord) -> None:
    """End the process of the record FOUND with a signal, for a hub that answers nothing."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        if is_alive(found.identity):
            os.kill(found.pid, kind)
        if await wait_gone(found, seconds=2.0):
            return


def _unreachable(workspace: Workspace) -> errors.HubLost:
    return errors.HubLost(
        f"expected a hub to start for {str(workspace.root)!r}, and none did; "
        f"{str(workspace.log / 'hub.log')!r} says why, or run `descartes daemon` there"
    )
