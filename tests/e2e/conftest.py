"""A real library in a workspace of its own, and the end of the hubs that tests started."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ALEXANDRIA = Path("/usr/share/common-lisp/source/alexandria")


@pytest.fixture
def alexandria(workspace: Path) -> Path:
    """Return a workspace that holds a copy of alexandria."""
    shutil.copytree(ALEXANDRIA, workspace, dirs_exist_ok=True)
    return workspace


@pytest.fixture(autouse=True)
def nothing_left_running(isolated_environment: Path) -> Iterator[None]:
    """End every process that a test has left behind: those whose environment names its folder."""
    yield
    home = str(isolated_environment / "home")
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("DESCARTES_HOME") == home:
                process.send_signal(signal.SIGKILL)
        except (psutil.Error, OSError):
            continue
