"""An image of a test's own: where it keeps its record, and what it evaluates."""

from __future__ import annotations

from pathlib import Path

import pytest

from descartes_swank.discovery import find_lisp, find_swank
from descartes_swank.image import ImageRecord
from descartes_swank.saved_core import core_path
from support.images import NO_INIT, preparing

STARTER = """
import asyncio, sys
from pathlib import Path
from descartes_swank.discovery import ImageSettings
from descartes_swank.image import start_image

async def main():
    runtime, cache = map(Path, sys.argv[1:3])
    record = await start_image(ImageSettings(load_init=False), runtime, cache, runtime / "lisp.log")
    print(record.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def runtime(isolated_environment: Path) -> Path:
    """Return the folder of the image's record."""
    return isolated_environment / "run"


def the_core(cache: Path) -> Path:
    """Return where the saved core lies in CACHE."""
    return core_path(find_lisp(NO_INIT), find_swank(NO_INIT), cache)


async def evaluate(record: ImageRecord, code: str) -> str:
    """Return what CODE gives in the image of RECORD."""
    async with preparing(record.port, record.secret) as prepare:
        return await prepare.evaluate(code)


def alive(pid: int) -> bool:
    """Return whether the process PID runs, and is not only waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
