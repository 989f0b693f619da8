"""The keeper: a small process that starts one command, outlives the hub, and writes down how it ended.

Run as `python -m descartes_core.processes.keeper FOLDER` with one line of JSON on standard input; it
answers one line. It holds no pipe to anybody afterwards: the command reads a FIFO and writes files, so
that nothing breaks when the hub dies. It decides nothing and never speaks to the log.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from descartes_core.processes.identity import identify

if TYPE_CHECKING:
    from descartes_core.processes.masked_output import MaskedOutput

ALIVE = "alive"
"""A FIFO whose writing end only the keeper holds: its reader sees the end of file when the keeper ends."""
STDIN = "stdin"
RECORD = "process.json"
CLAIM = "claim"
"""Made once: by the keeper when it starts the command, or by a later hub that will not have it started."""
EXIT = "exit.json"


def main() -> None:
    """Start the command described on standard input, wait for its end and write `exit.json`."""
    folder = Path(sys.argv[1])
    specification = json.loads(sys.stdin.readline())
    _outlive_signals()
    os.open(folder / ALIVE, os.O_RDWR | os.O_CLOEXEC)
    os.open(folder / STDIN, os.O_RDWR | os.O_CLOEXEC)
    if not claim(folder):
        return
    output = _masked(specification)
    try:
        child = _start(folder, specification, output)
    except OSError as problem:
        _report({"error": f"{specification['command'][0]}: {problem.strerror}"})
        return
    try:
        record = _record(folder, child.pid)
    except BaseException:
        # Without a record nobody could ever find it again.
        os.killpg(child.pid, signal.SIGKILL)
        raise
    _report(record)
    code = _wait(child)
    if output is not None:
        output.finish()
    write_atomically(folder / EXIT, {"code": code, "endedAtMs": time.time_ns() // 1_000_000})


def write_atomically(path: Path, value: dict[str, Any]) -> None:
    """Write VALUE as JSON to PATH so that a reader sees all of it or nothing, also after a crash."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def claim(folder: Path) -> bool:
    """Return whether the caller is the first, of all processes and for ever, to claim FOLDER."""
    try:
        os.close(os.open(folder / CLAIM, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return False
    return True


def _outlive_signals() -> None:
    # Handlers, not SIG_IGN: what is ignored stays ignored in the command, a handler does not.
    def stay(number: int, frame: FrameType | None) -> None: ...

    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, stay)


def _masked(specification: dict[str, Any]) -> MaskedOutput | None:
    if not specification.get("secrets"):
        return None
    # Most commands have no secrets, and their keepers stay small without this.
    from descartes_core.processes.masked_output import MaskedOutput

    return MaskedOutput(specification.pop("secrets"))


def _start(
    folder: Path, specification: dict[str, Any], output: MaskedOutput | None
) -> subprocess.Popen[bytes]:
    with ExitStack() as opened:
        stdin = opened.enter_context((folder / STDIN).open("rb", buffering=0))
        listened = specification.get("converses", False)
        stdout = (_said if listened else _target)(specification["stdout"], output, opened)
        stderr = _target(specification["stderr"], output, opened)
        return subprocess.Popen(
            specification["command"],
            cwd=specification["cwd"],
            env=specification["environment"],
            stdin=stdin if specification["takesInput"] else subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )


def _target(path: str, output: MaskedOutput | None, opened: ExitStack) -> int:
    """Return the descriptor of the command's output that goes to PATH, closed here with OPENED."""
    descriptor = (
        os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        if output is None
        else os.dup(output.pipe_to(path))
    )
    opened.callback(os.close, descriptor)
    return descriptor


def _said(path: str, output: MaskedOutput | None, opened: ExitStack) -> int:
    """Return the writing end of the FIFO at PATH, which the hub reads; there is none without a hub."""
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    opened.callback(os.close, descriptor)
    os.set_blocking(descriptor, True)
    return descriptor


def _record(folder: Path, pid: int) -> dict[str, Any]:
    identity = identify(pid)
    # A command that has already ended has no identity any more; its exit is written in a moment.
    record = identity._asdict() if identity else {"boot": "", "pid": pid, "start": ""}
    write_atomically(folder / RECORD, record)
    return record


def _report(answer: dict[str, Any]) -> None:
    # The hub may have died meanwhile; the next one finds the record.
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(answer).encode() + b"\n")
    os.close(1)


def _wait(child: subprocess.Popen[bytes]) -> int:
    if hasattr(os, "waitid"):
        # While the leader is an unreaped zombie its number cannot be given away, so that this reaches
        # what the command left behind in its group and nothing else.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    code = child.wait()
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    main()
