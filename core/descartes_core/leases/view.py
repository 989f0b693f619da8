"""Leases as anybody can read them from the log, without a hub."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from descartes_core.errors import InvalidParams, LeaseLost
from descartes_core.leases import standing
from descartes_core.leases.held import Held, held, select
from descartes_core.leases.paths import LeasePath, Paths, overlap
from descartes_core.leases.words import lease_held, lease_lost
from descartes_core.model import Lease, Principal
from descartes_core.ports import Clock, SystemClock
from descartes_core.store import Reader

Judge = Callable[[LeasePath, Principal, Sequence[Held]], Sequence[Lease]]


class LeaseView:
    """Reads the leases of WORKSPACE through READER; expiry counts at the moment of asking."""

    def __init__(self, reader: Reader, workspace: Path, clock: Clock | None = None) -> None:
        self._reader = reader
        self._clock = clock or SystemClock()
        self.paths = Paths(workspace)

    async def list(
        self, path: str | Path | None = None, *, holder: Principal | None = None, run: str | None = None
    ) -> Sequence[Lease]:
        """Return the live leases, by path: those that cover PATH, of HOLDER, of RUN, where given."""
        about = None if path is None else self.paths.of(path)
        found = [each.lease for each in await self._open(about)]
        return [
            lease
            for lease in found
            if (holder is None or lease.holder.same_as(holder)) and (run is None or lease.run == run)
        ]

    async def show(self, path: str | Path) -> Lease | None:
        """Return the live lease on PATH, the strictest when there are several."""
        order = ("exclusive", "intent", "shared")
        return min(await self.list(path), key=lambda lease: order.index(lease.mode), default=None)

    async def check(self, path: str | Path, holder: Principal, token: int | None = None) -> Lease | None:
        """Return the lease under which HOLDER may write PATH now, None when nobody has one there.

        Call it right before every write, with the TOKEN that HOLDER was given if it was given one.
        Errors: `LeaseHeld` when somebody else has it; `LeaseLost` when TOKEN is not valid any more, or the
        lease is shared, which allows reading only.
        """
        about, now_ms = self.paths.of(path), self._clock.now_ms()
        found = await self._open(about)
        own = [each.lease for each in found if each.lease.holder.same_as(holder)]
        valid = [lease for lease in own if token in (None, lease.token)]
        writing = [lease for lease in valid if lease.mode in standing.WRITES]
        stopping = standing.stopping(
            about, holder, [e for e in found if e.lease not in own or e.lease in valid]
        )
        if token is not None and not valid:
            raise lease_lost(about.text, next(iter(stopping or own), None), now_ms)
        if stopping:
            raise lease_held(stopping[0], now_ms)
        if valid and not writing:
            raise LeaseLost(
                f"The lease of {holder.name} on {about.text!r} is shared, which allows reading only;"
                " acquire it exclusively",
            )
        return writing[0] if writing else None

    async def in_the_way(self, files: Iterable[str | Path], holder: Principal) -> dict[str, Sequence[Lease]]:
        """Return the leases for which HOLDER may not write FILES, by file as it was given.

        FILES are paths, from the workspace where they are relative; no name is taken for a glob or a form,
        and one that no lease can have is left out. They are all judged by one look at the leases.
        """
        return await self._judged(standing.stopping, files, holder)

    async def of_others(self, files: Iterable[str | Path], holder: Principal) -> dict[str, Sequence[Lease]]:
        """Return the leases that others than HOLDER have on FILES, by file; as `in_the_way`."""
        return await self._judged(standing.others, files, holder)

    async def _judged(
        self, judge: Judge, files: Iterable[str | Path], holder: Principal
    ) -> dict[str, Sequence[Lease]]:
        found = await self._open(None)
        if all(each.lease.holder.same_as(holder) for each in found):
            return {}

        def look() -> dict[str, Sequence[Lease]]:
            met: dict[str, Sequence[Lease]] = {}
            for file in files:
                with suppress(InvalidParams):
                    if leases := judge(self.paths.covering(file), holder, found):
                        met[str(file)] = leases
            return met

        # The names of many files are many calls of the system.
        return await asyncio.to_thread(look)

    async def next_expiry_ms(self) -> int | None:
        """Return when the next lease ends that nobody renews, in milliseconds UTC."""
        found = await self._reader.rows("SELECT min(expires_ms) AS at FROM lease WHERE ended IS NULL")
        return found[0]["at"] if found else None

    async def _open(self, about: LeasePath | None) -> Sequence[Held]:
        live = select(about, "ended IS NULL AND expires_ms > ?", (self._clock.now_ms(),))
        found = [held(tuple(row.values())) for row in await self._reader.rows(*live)]
        return [each for each in found if about is None or overlap(about, each.path)]
