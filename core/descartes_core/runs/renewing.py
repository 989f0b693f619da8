"""The leases of runs at work, renewed in time however short they are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import NoReturn

import msgspec

from descartes_core.errors import DescartesError
from descartes_core.leases import Leases
from descartes_core.leases.held import Terms
from descartes_core.model import Event
from descartes_core.store import Store

log = logging.getLogger(__name__)

LONGEST_SECONDS, SHORTEST_SECONDS = 60.0, 0.05
OFTEN = 4
"""How many looks fall into the shortest lease: one that has half of its time left then is renewed."""
_GIVEN = frozenset({"lease.acquired", "lease.stolen", "lease.renewed"})


class Renewing:
    """Looks after the leases of the runs LIVE, which changes as runs come and go."""

    def __init__(self, store: Store, leases: Leases, live: Collection[str]) -> None:
        self._store = store
        self._leases = leases
        self._live = live
        self._sooner = asyncio.Event()
        self._due = 0.0

    async def run(self) -> NoReturn:
        """Renew until cancelled. Errors: none of the log's; it tries again."""
        forget = self._store.on_events(self._heard)
        try:
            while True:
                # What is given from here on, while the table is read, is heard.
                self._sooner.clear()
                self._due = float("inf")
                seconds = await self._look()
                self._due = asyncio.get_running_loop().time() + seconds
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._sooner.wait(), seconds)
        finally:
            forget()

    def look(self) -> None:
        """Look now: a run has come, with the leases that it was given before."""
        self._sooner.set()

    async def _look(self) -> float:
        """Renew what is due; return after how many seconds to look again."""
        try:
            shortest_ms = await self._renew()
        except DescartesError as problem:
            log.warning("the leases of runs were not renewed: %s", problem.message)
            return SHORTEST_SECONDS * 20
        return _pause(shortest_ms)

    async def _renew(self) -> int | None:
        """Renew the leases of runs that have less than half of their time left; return the shortest time."""
        found = await self._store.reader.rows(
            "SELECT run, terms, expires_ms FROM lease WHERE ended IS NULL AND run IS NOT NULL"
        )
        now_ms, shortest_ms = self._store.clock.now_ms(), None
        due: set[str] = set()
        for row in found:
            if row["run"] in self._live:
                ttl_ms = msgspec.json.decode(row["terms"], type=Terms).ttl_ms
                shortest_ms = min(ttl_ms, shortest_ms or ttl_ms)
                if row["expires_ms"] - now_ms < ttl_ms / 2:
                    due.add(row["run"])
        for run in due:
            await self._leases.renew_all(run=run)
        return shortest_ms

    def _heard(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.name in _GIVEN and event.run in self._live:
                at = asyncio.get_running_loop().time() + _pause(event.metadata.get("ttlMs"))
                if at < self._due:
                    self._sooner.set()


def _pause(ttl_ms: int | None) -> float:
    seconds = LONGEST_SECONDS if ttl_ms is None else ttl_ms / 1000 / OFTEN
    return min(LONGEST_SECONDS, max(SHORTEST_SECONDS, seconds))
