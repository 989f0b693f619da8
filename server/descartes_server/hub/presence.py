"""A person's leases live with the editor they were taken in: renewed while it is attached, released after it.

A lease that a person took at the command line has no editor and ends by its own time. What a person types and
has not saved is an intent lease, taken and given back here.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from pathlib import Path

import msgspec

from descartes_core.errors import DescartesError
from descartes_core.leases.held import Terms
from descartes_core.model import Principal
from descartes_server.operations.context import Services

log = logging.getLogger(__name__)

GRACE_S = 30.0
SHORTEST_LOOK_S, LONGEST_LOOK_S = 0.1, 5.0


class Presence:
    """Watches over the leases that clients keep; `attached` are the ids of those that are here."""

    def __init__(self, services: Services, grace_s: float = GRACE_S) -> None:
        self.attached: set[str] = set()
        self._services = services
        self._grace_ms = grace_s * 1000
        self._gone_since_ms: dict[str, int] = {}
        self._typed: dict[str, tuple[Principal, list[str]]] = {}
        self._typing = asyncio.Lock()

    async def run(self) -> None:
        """Renew and release until cancelled."""
        while True:
            shortest_s = LONGEST_LOOK_S
            try:
                shortest_s = await self.look()
            except DescartesError as error:
                log.warning("could not look after the leases of editors: %s", error.message)
            await asyncio.sleep(min(max(shortest_s / 4, SHORTEST_LOOK_S), LONGEST_LOOK_S))

    async def types_in(self, client: str, person: Principal, paths: list[str]) -> None:
        """Keep what PERSON types in CLIENT and has not saved: an intent lease on each of PATHS, no other."""
        self._typed[client] = person, paths
        async with self._typing:
            # Of several that came meanwhile the last one says all.
            if (last := self._typed.pop(client, None)) is None:
                return
            person, paths = last
            state = self._services.workspace.state
            # Answers are typed there, into files that nobody else writes.
            files = [Path(path).as_uri() for path in paths if not Path(path).is_relative_to(state)]
            try:
                await self._services.leases.hold_unsaved(client, person, files)
            except DescartesError as error:
                log.warning("could not keep what %s types: %s", person.name, error.message)

    async def look(self) -> float:
        """Renew what is due, release what was left too long; returns the shortest lease's seconds."""
        now_ms = self._services.clock.now_ms()
        kept = await self._kept()
        for client in self._gone_since_ms.keys() - (kept.keys() - self.attached):
            del self._gone_since_ms[client]
        for client, terms in kept.items():
            if client in self.attached:
                if any(expires_ms - now_ms < each.ttl_ms / 2 for each, expires_ms in terms):
                    await self._services.leases.renew_all(client=client)
            elif now_ms - self._gone_since_ms.setdefault(client, now_ms) >= self._grace_ms:
                await self._services.leases.release_all(client=client)
        every = [each.ttl_ms / 1000 for terms in kept.values() for each, _ in terms]
        return min(every, default=LONGEST_LOOK_S)

    async def _kept(self) -> dict[str, list[tuple[Terms, int]]]:
        """Return the terms and end of each live lease that a client keeps, by client."""
        found = await self._services.reader.rows("SELECT terms, expires_ms FROM lease WHERE ended IS NULL")
        kept: dict[str, list[tuple[Terms, int]]] = defaultdict(list)
        for row in found:
            terms = msgspec.json.decode(row["terms"], type=Terms)
            for client in terms.clients:
                kept[client].append((terms, row["expires_ms"]))
        return kept
