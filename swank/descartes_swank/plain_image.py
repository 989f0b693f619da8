"""Start an image of another implementation than SBCL: a Swank with a secret, and nothing of ours in it."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path, PurePath

import msgspec

from . import process, sexp
from .discovery import ImageSettings, find_swank
from .errors import LispLost, LispNotFound, TimedOut
from .forms import Form, Symbol
from .image import DETACH, RECORD, ImageRecord, detached

_START_SECONDS = 180
"""Another Lisp compiles Swank through C the first time."""
_LOADS = {"ecl": ("--norc", "--shell")}
"""What an implementation is told before the file it is to load."""


def is_plain(command: Sequence[str] | None) -> bool:
    """Tell whether COMMAND starts an implementation that is used by Swank's own calls alone."""
    return bool(command) and _implementation(command or ()) in _LOADS


async def start_plain_image(settings: ImageSettings, runtime: Path, log: Path) -> ImageRecord:
    """Start the Lisp that SETTINGS name, its output in LOG; return its record, which also lies in RUNTIME.

    Errors: `LispNotFound`; `LispLost` when it ended before it was ready; `TimedOut`.
    Concurrency: cancelling ends the new process.
    """
    command = settings.command
    assert command
    program = shutil.which(command[0], path=settings.variables().get("PATH"))
    if program is None:
        raise LispNotFound(
            f"`lisp.command` names {command[0]!r}, which is no program on the PATH; install or correct it"
        )
    report, secret = runtime / "lisp.report", secrets.token_hex(32)
    report.unlink(missing_ok=True)
    boot = await asyncio.to_thread(_write_boot, settings, runtime, report, secret)
    start = [program, *command[1:], *_LOADS[_implementation(command)], str(boot)]
    try:
        pid = await detached(_detach(start, settings, log))
        said = await _ready(report, pid, log)
    finally:
        boot.unlink(missing_ok=True)
    if said is None or not said.startswith("ready "):
        reason = said.removeprefix("failed ") if said else f"the reason is at the end of {log}"
        raise LispLost(f"The Lisp ended before it was ready; {reason}")
    return _recorded(runtime, pid, int(said.split()[1]), secret, _implementation(command))


async def _ready(report: Path, pid: int, log: Path) -> str | None:
    """Return what the image PID says of itself in REPORT; one that does not in time is ended."""
    try:
        async with asyncio.timeout(_START_SECONDS):
            return await _reported(report, pid)
    except BaseException as problem:
        _end(pid)
        if isinstance(problem, TimeoutError):
            raise TimedOut(f"The Lisp was not ready after {_START_SECONDS} s; see {log}") from None
        raise


def _implementation(command: Sequence[str]) -> str:
    return PurePath(command[0]).name.partition("-")[0] if command else ""


def _write_boot(settings: ImageSettings, runtime: Path, report: Path, secret: str) -> Path:
    letter: list[Form] = [Symbol(":loader"), str(find_swank(settings).loader), Symbol(":secret"), secret]
    letter += [Symbol(":report"), str(report), Symbol(":idle"), max(1, round(settings.idle_minutes * 60))]
    letter += [Symbol(":folder"), f"{settings.workspace or Path.home()}/"]
    boot = runtime / f"lisp-{secrets.token_hex(4)}.lisp"
    program = (Path(__file__).parent / "lisp" / "plain.lisp").read_text(encoding="utf-8")
    with os.fdopen(os.open(boot, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(f"(cl:defparameter cl-user::*letter* '{sexp.write(letter)})\n{program}")
    return boot


async def _detach(command: Sequence[str], settings: ImageSettings, log: Path) -> int:
    log.parent.mkdir(parents=True, exist_ok=True)
    shell = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", DETACH, "sh", str(log), *command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
        cwd=settings.workspace or Path.home(),
        env=dict(settings.variables()),
    )
    said, _ = await shell.communicate()
    return int(said)


async def _reported(report: Path, pid: int) -> str | None:
    """Return what the image says of itself; None when it ended without a word."""
    while process.start_time(pid) is not None:
        if (said := await asyncio.to_thread(_text, report)) is not None:
            return said
        await asyncio.sleep(0.05)
    return await asyncio.to_thread(_text, report)


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _end(pid: int) -> None:
    started = process.start_time(pid)
    if started is not None:
        process.send_signal(pid, started, process.boot_id(), signal.SIGKILL)


def _recorded(runtime: Path, pid: int, port: int, secret: str, implementation: str) -> ImageRecord:
    record = ImageRecord(
        pid=pid,
        start_time=process.start_time(pid) or "",
        boot_id=process.boot_id(),
        host="127.0.0.1",
        port=port,
        secret=secret,
        service_socket="",
        implementation=implementation.upper(),
        version="",
        swank_version=None,
        started_at=int(time.time()),
    )
    draft = runtime / f"{RECORD}.{os.getpid()}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(msgspec.json.encode(record))
    draft.replace(runtime / RECORD)
    return record
