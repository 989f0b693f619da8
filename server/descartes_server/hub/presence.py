"""A person's leases live with the editor they were taken in: renewed while it is attached, released after it.

A lease that a person took at the command line has no editor and ends by its own time. What a person types and
has not saved is an intent lease, taken and given back here.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from descartes_core.errors import DescartesError
from descartes_core.leases.held import Terms
from descartes_core.model import Event, Principal
from descartes_server.operations import lease_requests
from descartes_server.operations.context import Services

log = logging.getLogger(__name__)

GRACE_S = 30.0
SHORTEST_LOOK_S, LONGEST_LOOK_S = 0.1, 5.0


class Presence:
    """Watches over the leases that clients keep; `attached` are the ids of those that are here."""

    def __init__(
        self, services: Services, ttl_seconds: Callable[[], float], grace_s: float = GRACE_S
    ) -> None:
        """TTL_SECONDS() is how long the intent of who types lasts unless it is renewed."""
        self.attached: set[str] = set()
        self._services = services
        self._ttl_seconds = ttl_seconds
        self._grace_ms = grace_s * 1000
        self._gone_since_ms: dict[str, int] = {}
        self._typed: dict[str, tuple[Principal, list[str]]] = {}
        """What each client said last: everything that is not saved there."""
        self._typing = asyncio.Lock()
        self._sooner = asyncio.Event()

    async def run(self) -> None:
        """Renew and release until cancelled."""
        while True:
            shortest_s = LONGEST_LOOK_S
            self._sooner.clear()
            try:
                shortest_s = await self.look()
            except DescartesError as error:
                log.warning("could not look after the leases of editors: %s", error.message)
            with suppress(TimeoutError):
                pause_s = min(max(shortest_s / 4, SHORTEST_LOOK_S), LONGEST_LOOK_S)
                await asyncio.wait_for(self._sooner.wait(), pause_s)

    async def types_in(self, client: str, person: Principal, paths: list[str]) -> None:
        """Keep what PERSON types in CLIENT and has not saved: an intent lease on each of PATHS, no other."""
        state = self._services.workspace.state
        # Answers are typed there, into files that nobody else writes.
        files = [Path(path).as_uri() for path in paths if not Path(path).is_relative_to(state)]
        self._typed[client] = person, files
        await self._hold(client)

    def hear(self, events: Sequence[Event]) -> bool:
        """Take note of EVENTS; return whether `hold_again` is to be called because of them."""
        if any(_is_given_soon(event) for event in events):
            self._sooner.set()
        return bool(self._typed) and any(_frees(event) for event in events)

    async def hold_again(self) -> None:
        """Let everybody hold what they still type, where it was another's or was taken from them."""
        for client in tuple(self._typed):
            await self._hold(client)

    def left(self, client: str) -> None:
        """Forget what CLIENT types, which went: its leases have their time of grace."""
        self._typed.pop(client, None)

    async def _hold(self, client: str) -> None:
        """Let the person of CLIENT hold what is not saved there, as far as nobody else has it."""
        async with self._typing:
            # Of several that came meanwhile the last one says all.
            if (last := self._typed.get(client)) is None:
                return
            person, files = last
            try:
                await self._services.leases.hold_unsaved(
                    client, person, files, ttl_seconds=self._ttl_seconds()
                )
            except DescartesError as error:
                log.warning("could not keep what %s types: %s", person.name, error.message)
            if not files and self._typed.get(client) is last:
                del self._typed[client]

    async def look(self) -> float:
        """Renew what is due, release what was left too long; returns the shortest lease's seconds."""
        now_ms = self._services.clock.now_ms()
        kept = await self._kept()
        for client in self._gone_since_ms.keys() - (kept.keys() - self.attached):
            del self._gone_since_ms[client]
        for client, terms in kept.items():
            if client in self.attached:
                if any(each.renews and expires_ms - now_ms < each.ttl_ms / 2 for each, expires_ms in terms):
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


def _frees(event: Event) -> bool:
    """Return whether EVENT may let somebody hold what was another's, or has taken it from who types."""
    if event.name == "lease.moved":
        return not event.metadata.get("unsaved")
    return event.name in lease_requests.ENDINGS


def _is_given_soon(event: Event) -> bool:
    """Return whether EVENT gave an editor a lease that must be renewed before the next look."""
    return bool(
        event.name in ("lease.acquired", "lease.stolen")
        and event.metadata.get("clients")
        and event.metadata["ttlMs"] < LONGEST_LOOK_S * 4000
    )
