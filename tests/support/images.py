"""Images as Descartes starts them, and a way to prepare any image for a test."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from descartes_swank.connection import Connection
from descartes_swank.discovery import ImageSettings
from descartes_swank.image import ImageRecord, start_image, stop_image
from descartes_swank.messages import Event
from descartes_swank.sexp import Symbol

NO_INIT = ImageSettings(load_init=False)


def shared_cache() -> Path:
    """Return the folder of saved cores that all tests share."""
    repository = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("DESCARTES_TEST_CACHE", repository / ".cache" / "cores"))


@contextlib.asynccontextmanager
async def running_image(runtime: Path, settings: ImageSettings = NO_INIT) -> AsyncIterator[ImageRecord]:
    """Start an image with its record in RUNTIME; it is stopped in the end."""
    record = await start_image(settings, runtime, shared_cache(), runtime / "lisp.log")
    try:
        yield record
    finally:
        await stop_image(record)


class Preparation:
    """A connection for setting up what a test asks about; EVENTS holds what the image said by itself."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        assert self._connection is not None
        return self._connection

    async def open(self, port: int, secret: str | None) -> None:
        self._connection = await Connection.open(
            "127.0.0.1", port, secret=secret, on_event=self.events.append
        )

    async def evaluate(self, code: str, package: str = "COMMON-LISP-USER") -> str:
        """Evaluate the forms of CODE in PACKAGE; return the printed values of the last one."""
        form = [Symbol("swank:eval-and-grab-output"), _progn(code)]
        # An error in CODE stops in the debugger and answers nothing.
        answer = await asyncio.wait_for(self.connection.rex(form, package=package), 60)
        assert isinstance(answer, list)
        return str(answer[1])


def _progn(code: str) -> str:
    return f"(progn {code}\n)"


@contextlib.asynccontextmanager
async def preparing(port: int, secret: str | None = None) -> AsyncIterator[Preparation]:
    """Connect to the image at PORT for the time of the block."""
    preparation = Preparation()
    await preparation.open(port, secret)
    try:
        yield preparation
    finally:
        await preparation.connection.close()
