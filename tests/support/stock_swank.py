"""A real SBCL with the distribution's Swank, as a user would start it: nothing of ours in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_LOADER = "/usr/share/common-lisp/source/slime/swank-loader.lisp"
_START = """
(load "{loader}" :verbose nil)
(funcall (intern "INIT" "{package}-LOADER"))
(let ((port (funcall (intern "CREATE-SERVER" "{package}") :port 0 :dont-close t)))
  (format t "~&PORT=~d~%" port)
  (finish-output))
;; The script's end would be the image's end.
(loop (sleep 3600))
"""


@dataclass
class StockSwank:
    """A running image: its PORT on 127.0.0.1 and its process."""

    port: int
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End the image at once, as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def _read_port(process: subprocess.Popen[bytes], deadline_s: float) -> int:
    assert process.stdout is not None
    end = time.monotonic() + deadline_s
    output = b""
    while time.monotonic() < end:
        ready, _, _ = select.select([process.stdout], [], [], end - time.monotonic())
        chunk = os.read(process.stdout.fileno(), 65536) if ready else b""
        output += chunk
        if match := re.search(rb"PORT=(\d+)\n", output):
            return int(match[1])
        if not chunk:
            break
    raise AssertionError(f"Swank did not start: {output.decode(errors='replace')}")


@contextlib.contextmanager
def _one_at_a_time(loader: Path) -> Iterator[None]:
    """Keep other processes from LOADER: the first start compiles what another one would load half written."""
    with loader.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def run_stock_swank(folder: Path, loader: str = _LOADER, package: str = "SWANK") -> Iterator[StockSwank]:
    """Start an image with a script in FOLDER; yield it when it listens, kill it in the end.

    LOADER loads the server, whose functions are in PACKAGE.
    """
    script = folder / "start-swank.lisp"
    script.write_text(_START.format(loader=loader, package=package), encoding="utf-8")
    command = [
        "sbcl",
        "--noinform",
        "--non-interactive",
        "--no-userinit",
        "--no-sysinit",
        "--load",
        str(script),
    ]
    with (folder / "swank.log").open("wb") as log, contextlib.ExitStack() as starting:
        starting.enter_context(_one_at_a_time(Path(loader)))
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, cwd=folder
        )
        try:
            port = _read_port(process, 180)
            starting.close()
            yield StockSwank(port, process)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture(scope="module")
def stock_swank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockSwank]:
    """One image for the tests of a module: what they define in it stays."""
    with run_stock_swank(tmp_path_factory.mktemp("swank")) as swank:
        yield swank


@pytest.fixture
def own_stock_swank(tmp_path: Path) -> Iterator[StockSwank]:
    """An image for one test alone, which may kill it."""
    with run_stock_swank(tmp_path) as swank:
        yield swank
