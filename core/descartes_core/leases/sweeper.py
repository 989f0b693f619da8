"""The task that logs the end of leases when it comes, and warns of it 30 seconds before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any, NoReturn, Protocol

from descartes_core.errors import DescartesError
from descartes_core.leases.arbiter import WARN_MS
from descartes_core.model import Event
from descartes_core.ports import Clock
from descartes_core.store import Store
from descartes_core.store.times import milliseconds

SWEEP_SECONDS = 60.0
SHORTEST_SECONDS = 0.05
LATEST_MS = 1 << 62
_GIVEN = frozenset({"lease.acquired", "lease.renewed", "lease.stolen", "lease.moved"})


class Swept(Protocol):
    """What is looked after."""

    def expire_due(self) -> Awaitable[Any]:
        """Log what is over or about to be."""
        ...

    def next_expiry_ms(self) -> Awaitable[int | None]:
        """Return when the next lease ends, in milliseconds UTC."""
        ...


class Sweeper:
    """Sleeps until the next lease ends or is about to, and is woken by one that is given meanwhile."""

    def __init__(self, store: Store, leases: Swept, clock: Clock) -> None:
        self._store = store
        self._leases = leases
        self._clock = clock
        self._sooner = asyncio.Event()
        self._due_ms = 0

    async def run(self) -> NoReturn:
        """Sweep until cancelled. Errors: none of the log's; it tries again after a minute."""
        stop_listening = self._store.on_events(self._wake)
        try:
            while True:
                self._sooner.clear()
                # What is given while it looks may be missing in what it sees.
                self._due_ms = LATEST_MS
                self._due_ms = await self._next_ms()
                left_seconds = (self._due_ms - self._clock.now_ms()) / 1000
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._sooner.wait(), max(SHORTEST_SECONDS, left_seconds))
        finally:
            stop_listening()

    async def _next_ms(self) -> int:
        """Expire what is due; return when something is to be said of the next lease."""
        now_ms = self._clock.now_ms()
        latest_ms = now_ms + round(SWEEP_SECONDS * 1000)
        try:
            await self._leases.expire_due()
            expiry_ms = await self._leases.next_expiry_ms()
        except DescartesError:
            return latest_ms
        return latest_ms if expiry_ms is None else min(latest_ms, _moment_ms(expiry_ms, now_ms))

    def _wake(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.name in _GIVEN:
                moment_ms = _moment_ms(milliseconds(event.data["expiresAt"]), milliseconds(event.at))
                if moment_ms < self._due_ms:
                    self._sooner.set()


def _moment_ms(expiry_ms: int, now_ms: int) -> int:
    """Return when a lease that ends at EXPIRY_MS is warned of, or ends where that is past."""
    warn_ms = expiry_ms - WARN_MS
    return warn_ms if warn_ms > now_ms else expiry_ms
