"""The log's events sent to one client, as fast as it takes them.

Nothing is queued: the subscription knows the last event it sent and reads the log from there, so a client
that is slow, or was away, misses nothing and costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from descartes_core.model import Event
from descartes_core.store import EventQuery, Reader
from descartes_server.hub import messages
from descartes_server.hub.wire import Wire

PAGE = 200


class Subscription:
    """The events after SINCE, of TYPES only if there are any, while there is CREDIT (None: no limit)."""

    def __init__(
        self, reader: Reader, wire: Wire, since: int, types: Sequence[str], credit: int | None
    ) -> None:
        self._reader = reader
        self._wire = wire
        self._since = since
        self._types = types
        self._credit = credit
        self._wakened = asyncio.Event()
        self._closed = False

    def wake(self) -> None:
        """Look for new events."""
        self._wakened.set()

    def add_credit(self, count: int) -> None:
        """Allow COUNT more events."""
        if self._credit is not None:
            self._credit += max(count, 0)
        self.wake()

    def close(self) -> None:
        """Send nothing more."""
        self._closed = True
        self.wake()

    async def run(self) -> None:
        """Send events until `close`."""
        while not self._closed:
            self._wakened.clear()
            if not await self._send_page():
                await self._wakened.wait()

    async def _send_page(self) -> bool:
        """Send the next few events; returns whether there may be more."""
        limit = PAGE if self._credit is None else min(PAGE, self._credit)
        if limit == 0:
            return False
        events = await after(self._reader, self._since, limit)
        for event in events:
            if self._closed:
                return False
            self._since = event.seq
            if matches(event, self._types):
                self._wire.send(messages.EventMessage(event=msgspec.to_builtins(event)))
                if self._credit is not None:
                    self._credit -= 1
        await self._wire.drain()
        return len(events) == limit


async def after(reader: Reader, seq: int, limit: int) -> list[Event]:
    """Return the next LIMIT events after SEQ, oldest first."""
    return (await reader.events(EventQuery(order="asc", before=seq, limit=limit))).events


def matches(event: Event, types: Sequence[str]) -> bool:
    """Return whether EVENT is of one of TYPES, categories or beginnings of names; of any without types."""
    return not types or any(event.category == each or event.name.startswith(each) for each in types)
