"""One image in the place of another: its record takes over the name, the other one is known until it ends.

At every moment the folder names exactly one image as the workspace's; whoever comes after a crash in the
middle finds the other in a folder beside it, and ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from .forms import Symbol
from .image import RECORD, ImageRecord, read_record, stop_image
from .session import Lisp

_NEXT, _LAST = "next", "last"


def folder_of_next(runtime: Path) -> Path:
    """Return the folder for the record of an image that is to take the place of that of RUNTIME."""
    folder = runtime / _NEXT
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


async def take_place(lisp: Lisp, runtime: Path, idle_minutes: float) -> None:
    """Make LISP, the image of the next folder, that of RUNTIME; the one before is found as the last."""
    idle_seconds = max(1, round(idle_minutes * 60))
    name = str(runtime / RECORD)
    await lisp.connection.rex([Symbol("descartes-boot::take-place"), name, idle_seconds])
    await asyncio.to_thread(_rename, runtime)


def _rename(runtime: Path) -> None:
    last = runtime / _LAST
    last.mkdir(mode=0o700, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        (last / RECORD).unlink()
    with contextlib.suppress(FileNotFoundError):
        os.link(runtime / RECORD, last / RECORD)
    (runtime / _NEXT / RECORD).replace(runtime / RECORD)


async def end_others(runtime: Path) -> None:
    """End what was left beside the image of RUNTIME: one that never took its place, or one that lost it."""
    for folder in (runtime / _NEXT, runtime / _LAST):
        record = await asyncio.to_thread(read_record, folder)
        if record is not None and not _same(record, await asyncio.to_thread(read_record, runtime)):
            await stop_image(record)
        (folder / RECORD).unlink(missing_ok=True)


def _same(record: ImageRecord, other: ImageRecord | None) -> bool:
    return other is not None and (record.pid, record.start_time) == (other.pid, other.start_time)
