"""A process with a keeper, seen from the hub: started, taken up again, signalled, waited for.

It survives the death of this process. Nothing is ever signalled whose identity does not match.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from descartes_core.errors import InvalidParams, TimedOut
from descartes_core.model import Shape
from descartes_core.processes import keeper
from descartes_core.processes.identity import ProcessIdentity, is_alive

KEEPER_SECONDS = 0.01
"""How often a record is looked for that a keeper is about to write."""

KILLED = 128
"""Codes above this name the signal that ended the process, as shells count."""


class Command(Shape, frozen=True):
    """What a keeper is told to start; STDOUT and STDERR are files that are appended to."""

    command: list[str]
    cwd: str
    environment: dict[str, str]
    stdout: str
    stderr: str
    takes_input: bool = True
    converses: bool = False
    """STDOUT is a FIFO that is open for reading here: what is said there is for the hub, unmasked."""
    secrets: list[tuple[str, str]] = []
    """Names and values that must not reach STDOUT and STDERR; what is printed is masked."""

    def __repr__(self) -> str:
        return f"Command({self.command})"


class Exit(Shape, frozen=True):
    """How a process ended: CODE as a shell shows it, None when its keeper was killed and nobody saw it."""

    code: int | None

    def __str__(self) -> str:
        if self.code is None:
            return "its keeper was killed, so that its exit code is unknown"
        if self.code > KILLED and self.code - KILLED in set(signal.Signals):
            return f"killed by {signal.Signals(self.code - KILLED).name}"
        return f"exit code {self.code}"


class KeptProcess:
    """One process, its keeper, and the folder in which they leave their records."""

    def __init__(self, folder: Path, identity: ProcessIdentity, alive: int) -> None:
        self.identity = identity
        self._folder = folder
        self._alive = alive
        self._keeper: subprocess.Popen[bytes] | None = None
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._input: int | None = None
        self._writing = asyncio.Lock()
        if _is_closed(alive):
            self._ended.set_result(None)
        else:
            asyncio.get_running_loop().add_reader(alive, self._keeper_ended)

    @classmethod
    async def start(cls, folder: Path, command: Command) -> KeptProcess:
        """Start COMMAND under a keeper whose records lie in FOLDER, which is made.

        Errors: `InvalidParams` when the program cannot be started.
        Concurrency: when this is cancelled, what was started is killed.
        """
        starting = asyncio.ensure_future(asyncio.to_thread(_start_keeper, folder, command))
        try:
            process, answer, alive = await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.wait({starting})
            _undo_start(starting)
            raise
        if "error" in answer:
            os.close(alive)
            await asyncio.to_thread(process.wait)
            raise InvalidParams(f"The command cannot be started: {answer['error']}", command=command.command)
        kept = cls(folder, ProcessIdentity(**answer), alive)
        kept._keeper = process
        return kept

    @classmethod
    async def take_up(cls, folder: Path) -> KeptProcess | None:
        """Return the process whose records lie in FOLDER, still running or not.

        None when it was never started, and then it never will be: its keeper may be on the way still.
        """
        try:
            alive = _open_alive(folder)
        except FileNotFoundError:
            return None
        record = None if keeper.claim(folder) else await _record(folder, alive)
        if record is None:
            os.close(alive)
            return None
        return cls(folder, record, alive)

    async def wait(self) -> Exit:
        """Return how the process ended, when it has; cancelling this leaves the process alone."""
        await asyncio.shield(self._ended)
        if self._keeper is not None:
            await asyncio.to_thread(self._keeper.wait)
        return await asyncio.to_thread(self._read_exit)

    def signal(self, number: signal.Signals) -> bool:
        """Send NUMBER to the whole process group; False, and nothing is sent, when the process is gone."""
        if not is_alive(self.identity):
            return False
        try:
            os.killpg(self.identity.pid, number)
        except ProcessLookupError:
            return False
        return True

    async def end(self, grace_seconds: float) -> Exit:
        """End the process group, politely first, by force after GRACE_SECONDS; return how it ended."""
        if grace_seconds > 0 and self.signal(signal.SIGTERM):
            self.signal(signal.SIGCONT)
            try:
                return await asyncio.wait_for(self.wait(), grace_seconds)
            except TimeoutError:
                pass
        self.signal(signal.SIGKILL)
        return await self.wait()

    async def write(self, text: str, timeout_seconds: float = 10) -> None:
        """Write TEXT to the standard input of the process.

        Errors: `TimedOut` when the process does not read it, with `written`, the bytes it did take.
        """
        async with self._writing:
            if self._input is None:
                self._input = os.open(self._folder / keeper.STDIN, os.O_WRONLY | os.O_NONBLOCK)
            rest = memoryview(text.encode())
            size = len(rest)
            try:
                async with asyncio.timeout(timeout_seconds):
                    while rest:
                        rest = rest[await _write_some(self._input, rest) :]
            except TimeoutError:
                written = size - len(rest)
                raise TimedOut(
                    f"The process took {written} of {size} bytes of input in {timeout_seconds:g} s",
                    written=written,
                ) from None

    def close(self) -> None:
        """Let go of the process without touching it."""
        if self._alive < 0:
            return
        asyncio.get_running_loop().remove_reader(self._alive)
        for descriptor in (self._alive, self._input):
            if descriptor is not None:
                os.close(descriptor)
        self._alive, self._input = -1, None
        if self._keeper is not None:
            # It goes on without us; this is what subprocess calls a process nobody waits for.
            self._keeper.returncode = self._keeper.returncode or 0
        self._ended.cancel()

    def _keeper_ended(self) -> None:
        asyncio.get_running_loop().remove_reader(self._alive)
        _finish(self._ended)

    def _read_exit(self) -> Exit:
        try:
            record = json.loads((self._folder / keeper.EXIT).read_bytes())
        except FileNotFoundError:
            # The keeper was killed. Nobody would ever see the end of its process: it ends now.
            self.signal(signal.SIGKILL)
            return Exit(code=None)
        return Exit(code=record["code"])


async def _record(folder: Path, alive: int) -> ProcessIdentity | None:
    """Return what the keeper wrote, waiting while it lives and has not; None when it died before."""
    while True:
        over = _is_closed(alive)
        with suppress(FileNotFoundError):
            return ProcessIdentity(**json.loads((folder / keeper.RECORD).read_bytes()))
        if over:
            return None
        await asyncio.sleep(KEEPER_SECONDS)


def _open_alive(folder: Path) -> int:
    return os.open(folder / keeper.ALIVE, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


Started = tuple[subprocess.Popen[bytes], dict[str, Any], int]


def _undo_start(starting: asyncio.Future[Started]) -> None:
    if starting.cancelled() or starting.exception() is not None:
        return
    process, answer, alive = starting.result()
    os.close(alive)
    if "error" not in answer and is_alive(ProcessIdentity(**answer)):
        os.killpg(answer["pid"], signal.SIGKILL)
    # The keeper ends with its child; nobody waits for it here.
    process.returncode = 0


def _start_keeper(folder: Path, command: Command) -> Started:
    folder.mkdir(mode=0o700, parents=True)
    os.mkfifo(folder / keeper.STDIN, 0o600)
    os.mkfifo(folder / keeper.ALIVE, 0o600)
    alive = _open_alive(folder)
    with (folder / "keeper.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", keeper.__name__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    return process, _tell(process, command), alive


def _tell(process: subprocess.Popen[bytes], command: Command) -> dict[str, Any]:
    assert process.stdin is not None and process.stdout is not None
    with process.stdin, process.stdout:
        process.stdin.write(msgspec.json.encode(command) + b"\n")
        process.stdin.flush()
        answer = process.stdout.readline()
    found: dict[str, Any] = json.loads(answer) if answer else {"error": "its keeper ended at once"}
    return found


def _is_closed(alive: int) -> bool:
    # A poll says nothing about a writer that was gone before we opened; reading does.
    try:
        return os.read(alive, 1) == b""
    except BlockingIOError:
        return False


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _write_some(descriptor: int, rest: memoryview) -> int:
    loop = asyncio.get_running_loop()
    try:
        return os.write(descriptor, rest)
    except BlockingIOError:
        writable: asyncio.Future[None] = loop.create_future()
        loop.add_writer(descriptor, _finish, writable)
        try:
            await writable
        finally:
            loop.remove_writer(descriptor)
        return 0
