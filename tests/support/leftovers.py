"""What a test has left running, and its end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil


def end_leftovers(home: Path) -> None:
    """Kill every other process whose environment names HOME as the folder of Descartes.

    One that was just being started by another is found when it is looked for once more.
    """
    while _end_those_there_are(home):
        os.sched_yield()


def _end_those_there_are(home: Path) -> bool:
    """Kill what runs now; returns whether there was anything."""
    found = False
    for process in psutil.process_iter():
        try:
            own = process.pid != os.getpid() and process.environ().get("DESCARTES_HOME") == str(home)
            if own and process.status() != psutil.STATUS_ZOMBIE:
                process.send_signal(signal.SIGKILL)
                found = True
        except (psutil.Error, OSError):
            continue
    return found
