"""What starting costs: the server to its first answer, and an image from the saved core."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.table import Row, median, show
from descartes_server.operations.lisp_settings import cache
from descartes_swank import ImageSettings, start_image, stop_image

RUNS = 12


def importing() -> float:
    """Return milliseconds of a process that imports pygls alone."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import pygls.lsp.server"], check=True)
    return (time.perf_counter() - began) * 1000


def initializing(folder: Path) -> float:
    """Return milliseconds from the server's process start to its answer to `initialize`."""
    body = json.dumps(
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {"processId": None, "rootUri": folder.as_uri(), "capabilities": {}},
        }
    ).encode()
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "descartes_server", "lsp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
    ) as process:
        assert process.stdin and process.stdout
        process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        process.stdin.flush()
        assert process.stdout.readline().startswith(b"Content-")
        took = (time.perf_counter() - began) * 1000
        process.kill()
    return took


def from_sources() -> float:
    """Return milliseconds of SBCL loading Swank from its compiled files, until a server listens."""
    forms = [
        '(load "/usr/share/common-lisp/source/slime/swank-loader.lisp")',
        "(swank-loader:init)",
        "(swank:create-server :port 0 :dont-close t)",
    ]
    options = ["--noinform", "--non-interactive", "--no-userinit"]
    words = ["sbcl", *options, *(word for form in forms for word in ("--eval", form))]
    began = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    return (time.perf_counter() - began) * 1000


async def from_core(folder: Path) -> float:
    """Return milliseconds until an image from the saved core listens."""
    runtime = folder / "run"
    runtime.mkdir(exist_ok=True, mode=0o700)
    settings = ImageSettings(load_init=False, workspace=folder, environment=dict(os.environ))
    began = time.perf_counter()
    record = await start_image(settings, runtime, cache(), folder / "lisp.log")
    took = (time.perf_counter() - began) * 1000
    await stop_image(record)
    return took


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="dsc-") as name:
        folder = Path(name)
        os.environ["DESCARTES_RUNTIME_DIR"] = str(folder / "runtime")
        os.environ["DESCARTES_HOME"] = str(folder / "home")
        importing(), initializing(folder), from_sources(), asyncio.run(from_core(folder))
        bare, ours, sources, core = [], [], [], []
        for _ in range(RUNS):
            bare.append(importing())
            ours.append(initializing(folder))
            sources.append(from_sources())
            core.append(asyncio.run(from_core(folder)))
    return show(
        "start",
        "compared with",
        [
            Row(
                "`initialize` answered / importing pygls alone",
                ours,
                bare,
                "at most 1.2 ×",
                median(ours) <= 1.2 * median(bare),
            ),
            Row(
                "image from the saved core / SBCL and Swank from compiled files",
                core,
                sources,
                "at least 8 × faster",
                median(core) * 8 <= median(sources),
            ),
        ],
    )


if __name__ == "__main__":
    raise SystemExit(main())
