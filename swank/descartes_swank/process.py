"""Which process a record means: process ids are used again, start times are not."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
from pathlib import Path

_ENDED = {"Z", "X", "x"}


@functools.cache
def boot_id() -> str:
    """Return what tells this run of the machine from every other one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return _output("sysctl", "-n", "kern.bootsessionuuid")


def start_time(pid: int) -> str | None:
    """Return when the process PID was started, as an opaque text; None when it is gone or a zombie."""
    if not Path("/proc/self/stat").exists():
        return _start_time_from_ps(pid)
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
    except OSError:
        return None
    # The program's name, the second field, may hold blanks and parentheses: count behind it.
    fields = line.rpartition(")")[2].split()
    return None if fields[0] in _ENDED else fields[19]


def is_running(pid: int, started: str, boot: str) -> bool:
    """Tell whether PID is still the process that was STARTED then, in the run of the machine BOOT."""
    return boot == boot_id() and start_time(pid) == started


def send_signal(pid: int, started: str, boot: str, number: signal.Signals) -> bool:
    """Send the signal NUMBER to that very process; False, and nothing sent, when it is gone."""
    if not is_running(pid, started, boot):
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _start_time_from_ps(pid: int) -> str | None:
    if _output("ps", "-o", "stat=", "-p", str(pid)).startswith("Z"):
        return None
    return _output("ps", "-o", "lstart=", "-p", str(pid)) or None


def _output(*command: str) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return answer.stdout.strip()
