"""Which process a number means: a pid alone names a different process tomorrow.

Nothing here signals anything; `KeptProcess` asks here before it does. Only the standard library is
imported, because every keeper carries this module for as long as its process lives.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple


class ProcessIdentity(NamedTuple):
    """One process of one boot of one machine (or container), and no other."""

    boot: str
    """The boot and, on Linux, the pid namespace: the same number elsewhere is another process."""
    pid: int
    start: str
    """When it started, in whatever unit the system counts; only equality matters."""


def identify(pid: int) -> ProcessIdentity | None:
    """Return the identity of the process PID, None when there is none or only a zombie is left."""
    found = _start_and_state(pid)
    if found is None or found[1] in "ZX":
        return None
    return ProcessIdentity(boot=boot(), pid=pid, start=found[0])


def is_alive(identity: ProcessIdentity) -> bool:
    """Return whether exactly the process IDENTITY still runs; a zombie does not."""
    return identify(identity.pid) == identity


def state(pid: int) -> str | None:
    """Return the letter of the state of process PID as `ps` prints it, such as `T` for stopped."""
    found = _start_and_state(pid)
    return found and found[1]


@cache
def boot() -> str:
    """Return what tells this boot and pid namespace from every other."""
    if sys.platform == "linux":
        number = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{number} {Path('/proc/self/ns/pid').readlink()}"
    answer = subprocess.run(["sysctl", "-n", "kern.boottime"], capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def _start_and_state(pid: int) -> tuple[str, str] | None:
    return _from_proc(pid) if sys.platform == "linux" else _from_ps(pid)


def _from_proc(pid: int) -> tuple[str, str] | None:
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The second field is the program's name in parentheses and may hold spaces and parentheses itself.
    fields = line[line.rindex(b")") + 2 :].split()
    return fields[19].decode(), fields[0].decode()


def _from_ps(pid: int) -> tuple[str, str] | None:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    state, _, start = answer.stdout.strip().partition(" ")
    return (start.strip(), state[0]) if state else None
