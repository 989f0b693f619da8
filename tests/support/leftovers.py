"""What a test has left running, and its end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil


def end_leftovers(home: Path) -> None:
    """Kill every other process whose environment names HOME as the folder of Descartes."""
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("DESCARTES_HOME") == str(home):
                process.send_signal(signal.SIGKILL)
        except (psutil.Error, OSError):
            continue
