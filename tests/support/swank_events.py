"""A listener for a connection's events that tests wait on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from descartes_swank.messages import Event

Kind = TypeVar("Kind")


class Events:
    """Collects a connection's events and waits for one of a kind."""

    def __init__(self) -> None:
        self.seen: list[Event] = []
        self._more = asyncio.Event()

    def __call__(self, event: Event) -> None:
        self.seen.append(event)
        self._more.set()

    async def next(self, kind: type[Kind], fits: Callable[[Kind], bool] = lambda _: True) -> Kind:
        """Return the first event of KIND that FITS, and forget it."""
        async with asyncio.timeout(60):
            while True:
                for event in self.seen:
                    if isinstance(event, kind) and fits(event):
                        self.seen.remove(event)
                        return event
                self._more.clear()
                await self._more.wait()
