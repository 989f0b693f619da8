"""Events of the log on their way to a client's reader, never more than it has given credit for."""

from __future__ import annotations

import asyncio
from typing import Any

from descartes_server.hub import messages
from descartes_server.hub.wire import Wire

EVENT_CREDIT = 256


class EventQueue:
    """Events that came and wait to be read; at most EVENT_CREDIT of them."""

    def __init__(self, since: int | None, types: list[str]) -> None:
        self._since = since
        self._types = types
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._taken = 0

    def subscribe(self, wire: Wire, last_seq: int) -> None:
        """Ask over WIRE for what comes after the last event seen, at first after LAST_SEQ."""
        if self._since is None:
            self._since = last_seq
        self._taken = 0
        credit = max(EVENT_CREDIT - self._queue.qsize(), 1)
        wire.send(messages.Subscribe(since=self._since, types=self._types, credit=credit))

    def put(self, event: dict[str, Any]) -> None:
        """Take in EVENT."""
        self._since = int(event["seq"])
        self._queue.put_nowait(event)

    async def get(self) -> dict[str, Any]:
        """Return the next event."""
        event = await self._queue.get()
        self._taken += 1
        return event

    def credit_due(self) -> int:
        """Return how much credit to give back now, 0 while it is too little to send."""
        if self._taken < EVENT_CREDIT // 2:
            return 0
        due, self._taken = self._taken, 0
        return due
