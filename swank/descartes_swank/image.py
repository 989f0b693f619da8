"""Start, find and stop the Lisp image of one workspace.

An image belongs to nobody: it outlives whoever started it, and is found again by its record, a file
that the image writes itself. Its life inside is `lisp/boot.lisp`. Talking to it is not done here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from descartes_swank import process
from descartes_swank.discovery import ImageSettings, LispProgram, SwankSource, find_lisp, find_swank
from descartes_swank.errors import InvalidParams, LispLost, LispNotFound, TimedOut
from descartes_swank.saved_core import build_command, discard, saved_core

RECORD = "lisp.json"
_START_SECONDS = 120
_STOP_SECONDS = 3.0
_LONGEST_SOCKET_PATH = 100
# The image is a grandchild: it is nobody's zombie, whoever dies first. What runs in the background of a
# shell has no standard input unless it is given one, hence the detour through descriptor 3.
DETACH = 'log=$1; shift; exec 3<&0; "$@" <&3 3<&- >>"$log" 2>&1 & echo $!'


@dataclass(frozen=True)
class ImageRecord:
    """How an image is reached, and which process it is."""

    pid: int
    start_time: str
    boot_id: str
    host: str
    port: int
    secret: str
    service_socket: str
    implementation: str
    version: str
    swank_version: str | None
    started_at: int
    """Unix seconds, UTC."""
    init_problem: str | None = None
    """Why the user's initialization file could not be loaded."""


class _EndedEarly(Exception):
    """The process ended without a word, before any code of ours or the user's: its core may be damaged."""


async def start_image(settings: ImageSettings, runtime: Path, cache: Path, log: Path) -> ImageRecord:
    """Start an image, return its record, which also lies in the folder RUNTIME; its output goes to LOG.

    It starts from a core in CACHE, which is built first when there is none or it is damaged, and from
    source when no core can be saved.

    Errors: `LispNotFound`; `LispLost` when it ended before it was ready; `TimedOut`.
    Concurrency: cancelling ends the new process. An image that runs already is left alone; the record
    then names the new one.
    """
    program, swank = await asyncio.to_thread(lambda: (find_lisp(settings), find_swank(settings)))
    _create_log(log)
    # The image has a folder of its own, where relative names would mean something else.
    cache, log = cache.absolute(), log.absolute()  # noqa: ASYNC240  (touches no disk)
    launch = _Launch(settings, swank, runtime.absolute(), log)  # noqa: ASYNC240
    if program.plain:
        for _ in range(2):
            try:
                core = await saved_core(program, swank, cache, log)
                seen = core.stat()
            except OSError:
                break
            try:
                return await launch.run(program.with_core(core))
            except _EndedEarly:
                await discard(core, seen)
    return await _start_from_source(program, swank, launch)


def read_record(runtime: Path) -> ImageRecord | None:
    """Return the record in the folder RUNTIME; None when there is none or its process is gone."""
    try:
        record = msgspec.json.decode((runtime / RECORD).read_bytes(), type=ImageRecord)
    except (OSError, msgspec.MsgspecError):
        return None
    return record if is_running(record) else None


def is_running(record: ImageRecord) -> bool:
    """Tell whether the very process that RECORD means still runs."""
    return process.is_running(record.pid, record.start_time, record.boot_id)


async def detached(starting: Coroutine[Any, Any, int]) -> int:
    """Return the number of the process that STARTING starts.

    Concurrency: cancelled, that process is killed as soon as its number is known, for it may run already.
    """
    task = asyncio.ensure_future(starting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_kill_started)
        raise


def _kill_started(task: asyncio.Task[int]) -> None:
    if not task.cancelled() and task.exception() is None:
        _kill(task.result())


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


async def stop_image(record: ImageRecord) -> None:
    """End the image of RECORD: asked first, killed after some seconds. Another process is never touched."""
    identity = (record.pid, record.start_time, record.boot_id)
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not process.send_signal(*identity, number):
            return
        if await _ended(record):
            return


async def _ended(record: ImageRecord) -> bool:
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            # The process is no child of ours, so nothing tells when it ends.
            while is_running(record):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    except TimeoutError:
        return False
    return True


def _create_log(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))


async def _start_from_source(program: LispProgram, swank: SwankSource, launch: _Launch) -> ImageRecord:
    fasls = Path(tempfile.mkdtemp(prefix="descartes-"))
    try:
        return await launch.run(build_command(program, swank, fasls, None))
    except _EndedEarly:
        raise _ended_before_ready(launch.log) from None
    finally:
        await asyncio.to_thread(shutil.rmtree, fasls, ignore_errors=True)


def _ended_before_ready(log: Path) -> LispLost:
    return LispLost(f"The Lisp ended before it was ready; the reason is at the end of {log}", log=str(log))


@dataclass(frozen=True)
class _Launch:
    settings: ImageSettings
    swank: SwankSource
    runtime: Path
    log: Path

    async def run(self, command: Sequence[str]) -> ImageRecord:
        """Start COMMAND detached and return its record when it is ready."""
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb", buffering=0) as report:
            pid = await detached(self._detach(command, writer))
            try:
                async with asyncio.timeout(_START_SECONDS):
                    said = await _last_words(report)
            except BaseException as problem:
                _kill(pid)
                if isinstance(problem, TimeoutError):
                    raise TimedOut(
                        f"The Lisp was not ready after {_START_SECONDS} s; see {self.log}", log=str(self.log)
                    ) from None
                raise
        return self._result(said)

    def _result(self, said: list[str]) -> ImageRecord:
        if not said:
            raise _EndedEarly
        if said[-1].startswith("failed "):
            raise LispLost(f"The Lisp could not open its doors: {said[-1].removeprefix('failed ')}")
        record = read_record(self.runtime) if said[-1] == "ready" else None
        if record is None:
            raise _ended_before_ready(self.log)
        return record

    async def _detach(self, command: Sequence[str], report: int) -> int:
        folder = self.settings.workspace or Path.home()
        try:
            letter = self._letter(report)
            shell = await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", DETACH, "sh", str(self.log), *command),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
                pass_fds=(report,),
                cwd=folder,
                env=dict(self.settings.variables()),
            )
        except OSError as problem:
            raise LispNotFound(f"The Lisp could not be started in {folder}: {problem.strerror}") from problem
        finally:
            os.close(report)  # the image has its own
        pid, _ = await shell.communicate(letter)
        return int(pid)

    def _letter(self, report: int) -> bytes:
        """Return what the image is told on its standard input, where nobody else can read the secret."""
        socket = self.runtime / f"lisp-{secrets.token_hex(4)}.sock"
        if len(os.fsencode(socket)) > _LONGEST_SOCKET_PATH:
            raise InvalidParams(
                f"The path of the runtime folder {str(self.runtime)!r} is too long for a socket; "
                "set DESCARTES_RUNTIME_DIR to a shorter one"
            )
        workspace = self.settings.workspace
        letter = {
            "secret": secrets.token_hex(32),
            "record": str(self.runtime / RECORD),
            "serviceSocket": str(socket),
            "reportFd": report,
            "bootId": process.boot_id(),
            "workspace": str(workspace) if workspace else None,
            "idleSeconds": max(1, round(self.settings.idle_minutes * 60)),
            "loadInit": self.settings.load_init,
            "swankVersion": self.swank.version,
        }
        return json.dumps(letter).encode() + b"\n"


async def _last_words(report: Any) -> list[str]:
    """Return the lines that the image writes into the pipe REPORT before it closes it or ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), report)
    try:
        return (await reader.read()).decode(errors="replace").splitlines()
    finally:
        transport.close()
