"""The running image as this process asks it: straight through its answering service, past the hub.

An image that was only attached to has no such service; it is asked through the hub.

Nothing here starts an image, and an image that goes away or does not answer is simply none.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from descartes_swank.service import Questions, ServiceQuestions

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
"""How often at most the record of an image is looked for while there is none."""
_DEADLINE_MS = 1000

T = TypeVar("T")
Call = Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any]]]


class ImageQuestions:
    """The questions to the image of one workspace. Used on the loop only."""

    def __init__(self, runtime: Path | None) -> None:
        self._runtime = runtime
        self._service: ServiceQuestions | None = None
        self._opening: asyncio.Task[ServiceQuestions | None] | None = None
        self._looked_at = -_LOOK_SECONDS
        self._attached: Questions | None = None
        self._kinds: dict[str, dict[str, str]] = {}

    async def ask(self, question: Callable[[Questions], Awaitable[T]]) -> T | None:
        """Return what QUESTION gets from the image; None without an image or an answer."""
        service: Questions | None = self._attached
        if service is None:
            service = self._service
            if self._service is None or self._service.closed.done():
                service = await self._find()
        if service is None:
            return None
        from descartes_swank.errors import SwankError  # loaded with the first image

        try:
            return await question(service)
        except (SwankError, msgspec.ValidationError) as error:
            # Of the wrong shape is what another version answers, and a hub whose image has just gone.
            log.info("the image did not answer: %s", error)
            return None

    def kinds_in(self, uri: str) -> dict[str, str]:
        """Return what the symbols of the text URI are in the image; the same object until `set_kinds`."""
        return self._kinds.setdefault(uri, {})

    def set_kinds(self, uri: str, kinds: dict[str, str]) -> None:
        """Remember KINDS, by symbols as written in the text URI, in lower case."""
        self._kinds[uri] = kinds

    def forget_kinds(self) -> None:
        """Forget all kinds: the image is another one."""
        self._kinds.clear()

    def attached_to(self, call: Call | None) -> None:
        """Ask by CALL, the hub's operations, from now on; None: through the image's own service again."""
        if call is None:
            self._attached = None
        elif self._attached is None:
            from descartes_server.state.hub_questions import HubQuestions

            self._attached = HubQuestions(call, _DEADLINE_MS)

    def look_again(self) -> None:
        """Look for an image with the next question: one was started or went away."""
        self._looked_at = -_LOOK_SECONDS

    async def close(self) -> None:
        """Hang up."""
        if self._service is not None:
            await self._service.close()

    async def _find(self) -> ServiceQuestions | None:
        if self._opening is None:
            if self._runtime is None or time.monotonic() - self._looked_at < _LOOK_SECONDS:
                return None
            self._looked_at = time.monotonic()
            self._opening = asyncio.create_task(self._open(self._runtime))
            self._opening.add_done_callback(self._opened)
        return await asyncio.shield(self._opening)

    async def _open(self, runtime: Path) -> ServiceQuestions | None:
        if not (runtime / "lisp.json").exists():
            return None
        from descartes_swank.errors import LispLost
        from descartes_swank.image import read_record
        from descartes_swank.service import ServiceQuestions

        record = read_record(runtime)
        if record is None or not record.service_socket:
            return None
        try:
            return await ServiceQuestions.open(record.service_socket, deadline_ms=_DEADLINE_MS)
        except LispLost:
            return None

    def _opened(self, opening: asyncio.Task[ServiceQuestions | None]) -> None:
        self._opening = None
        self._service = None if opening.cancelled() or opening.exception() else opening.result()
