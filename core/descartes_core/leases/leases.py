"""`Leases`: who may write what, kept by the hub. Everybody else reads them through `LeaseView`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from descartes_core.errors import InvalidParams, NotFound
from descartes_core.leases import arbiter, bulk, queue, unsaved
from descartes_core.leases.arbiter import Granted, Request, kept_by, let_go
from descartes_core.leases.held import Held
from descartes_core.leases.moves import move
from descartes_core.leases.sweeper import Sweeper
from descartes_core.leases.view import LeaseView
from descartes_core.leases.waiters import Waiters, give_back
from descartes_core.leases.words import lease_held, lease_lost
from descartes_core.model import Lease, LeaseMode, NewEvent, Principal
from descartes_core.ports import Clock
from descartes_core.store import Store, Transaction

T = TypeVar("T")

LONGEST_SECONDS = 366 * 24 * 3600


class Leases(LeaseView):
    """The leases of one workspace; also reads them (`list`, `show`, `check`).

    Paths are as in `Paths.of`: a `file:` URI, a path from the workspace, a glob, or `PATH#NAME` for a form.
    Concurrency: belongs to its store's loop. Other processes may keep leases in the same log: each decision
    is one write transaction.
    """

    def __init__(self, store: Store, workspace: Path, clock: Clock | None = None) -> None:
        super().__init__(store.reader, workspace, clock or store.clock)
        self._store = store
        self._waiters = Waiters(store, self)

    async def acquire(
        self,
        path: str | Path,
        holder: Principal,
        *,
        ttl_seconds: float = 300,
        mode: LeaseMode = "exclusive",
        reason: str | None = None,
        wait_ms: int = 0,
        run: str | None = None,
        client: str | None = None,
        renews: bool = True,
        max_renewals: int | None = None,
        session: str | None = None,
        parent: str | None = None,
    ) -> Lease:
        """Return the lease of HOLDER on PATH for TTL_SECONDS, waiting up to WAIT_MS in the queue.

        Entering again renews: the token stays, the longer time and the stronger mode count. Every other
        grant has a token above all given for PATH before. CLIENT is the editor that keeps it for a person,
        and renews it unless RENEWS is false.
        Errors: `LeaseHeld` with `data.lease`; `InvalidParams`; `PolicyDenied` after MAX_RENEWALS.
        Concurrency: a caller that is cancelled leaves neither a place nor a lease behind.
        """
        about = self.paths.of(path)
        request = Request(
            path=about,
            uri=self.paths.uri(about),
            holder=holder,
            mode=mode,
            ttl_ms=_ttl_ms(ttl_seconds),
            reason=reason,
            run=run,
            client=client,
            renews=renews,
            max_renewals=max_renewals,
            session=session,
            parent=parent,
        )
        outcome = await self._ask(request, wait_ms)
        if isinstance(outcome, Granted):
            return outcome.lease
        if isinstance(outcome, Lease):
            raise lease_held(outcome, self._clock.now_ms())
        return await self._waiters.wait(outcome, self._clock.now_ms() + wait_ms, request)

    async def release(
        self, path: str | Path, holder: Principal, *, token: int | None = None, force: bool = False
    ) -> Lease:
        """End the lease of HOLDER on PATH and return it; one that has ended already is returned as it is.

        With FORCE whoever has it loses it (for an administrator).
        Errors: `LeaseHeld` when somebody else has it; `LeaseLost` when TOKEN is not the one it has now;
        `NotFound` when HOLDER never had one.
        """
        about = self.paths.of(path)

        def body(tx: Transaction) -> Lease:
            own = arbiter.own_lease(tx, about, holder)
            if own is not None and not arbiter.is_over(own, tx.now_ms):
                self._same_token(own, token, tx)
                return arbiter.end(tx, own)
            others = arbiter.open_leases(tx, about)
            if others and force:
                ended = [arbiter.end(tx, each, actor=holder) for each in others]
                return ended[0]
            self._refuse_others(others, holder, tx)
            if own is None:
                raise NotFound(f"{holder.name} has no lease on {about.text!r}; see the list of leases")
            return own.lease

        return await self._change(body)

    async def renew(
        self,
        path: str | Path,
        holder: Principal,
        *,
        ttl_seconds: float | None = None,
        token: int | None = None,
    ) -> Lease:
        """Return the live lease of HOLDER on PATH, made to last TTL_SECONDS (its last time) from now.

        Errors: `LeaseLost` when it ended or was taken over; `LeaseHeld` or `NotFound` when HOLDER never had
        one; `PolicyDenied` behind the last renewal.
        """
        about = self.paths.of(path)
        ttl_ms = None if ttl_seconds is None else _ttl_ms(ttl_seconds)

        def body(tx: Transaction) -> Lease:
            own = arbiter.own_lease(tx, about, holder)
            if own is not None and not arbiter.is_over(own, tx.now_ms):
                self._same_token(own, token, tx)
                return arbiter.extend(tx, own, ttl_ms)
            others = [each.lease for each in arbiter.open_leases(tx, about)]
            if own is not None or token is not None:
                raise lease_lost(about.text, next(iter(others), None), tx.now_ms)
            if others:
                raise lease_held(others[0], tx.now_ms)
            raise NotFound(f"{holder.name} has no lease on {about.text!r} to renew; acquire it")

        return await self._change(body)

    async def steal(
        self,
        path: str | Path,
        holder: Principal,
        *,
        reason: str | None = None,
        ttl_seconds: float = 300,
        run: str | None = None,
        client: str | None = None,
        parent: str | None = None,
        over_unsaved: bool = False,
    ) -> Lease:
        """Return a lease of HOLDER on PATH with a higher token; every lease in its way ends here and now.

        Errors: `PolicyDenied` where somebody types what is not saved, unless OVER_UNSAVED.
        """
        about = self.paths.of(path)
        request = Request(
            path=about,
            uri=self.paths.uri(about),
            holder=holder,
            mode="exclusive",
            ttl_ms=_ttl_ms(ttl_seconds),
            reason=reason,
            run=run,
            client=client,
            parent=parent,
        )
        return await self._change(lambda tx: arbiter.steal(tx, request, over_unsaved=over_unsaved))

    async def request(self, path: str | Path, who: Principal, message: str = "") -> Lease:
        """Log that WHO asks for PATH and return the lease whose holder is asked.

        Errors: `NotFound` when nobody else holds it.
        """
        about = self.paths.of(path)

        def body(tx: Transaction) -> Lease:
            held = [each.lease for each in arbiter.open_leases(tx, about)]
            lease = next((each for each in held if not each.holder.same_as(who)), None)
            if lease is None:
                raise NotFound(f"Nobody else holds {about.text!r}; acquire it")
            data = {"path": about.text, "message": message, "lease": msgspec.to_builtins(lease)}
            stream = f"lease/{about.text}"
            tx.append(
                NewEvent(
                    category="communication", name="lease.requested", stream=stream, actor=who, data=data
                )
            )
            return lease

        return await self._change(body)

    async def hold_unsaved(
        self, client: str, holder: Principal, files: Collection[str], *, ttl_seconds: float = 300
    ) -> list[Lease]:
        """Let HOLDER have an intent lease, kept by CLIENT, on exactly FILES, which are unsaved there.

        Those on other files of that client end. Returns the leases of others that are in the way.
        """
        wanted = [self.paths.of(file) for file in files]
        asked = [unsaved.request(self.paths, about, holder, client, _ttl_ms(ttl_seconds)) for about in wanted]
        return await self._change(lambda tx: unsaved.hold(tx, client, asked))

    async def acquire_all(
        self, files: Iterable[str | Path], holder: Principal, *, ttl_seconds: float, reason: str
    ) -> list[Lease]:
        """Give HOLDER exclusive leases on all of FILES, or none; return the new ones.

        FILES are as in `in_the_way`. What HOLDER has on one stays as it is. See `bulk.held_meanwhile`.
        Errors: `LeaseHeld` when somebody else has one.
        """
        wanted = await asyncio.to_thread(self.paths.coverings, files)
        ttl_ms = _ttl_ms(ttl_seconds)
        requests = [
            Request(
                path=about,
                uri=self.paths.uri(about),
                holder=holder,
                mode="exclusive",
                ttl_ms=ttl_ms,
                reason=reason,
            )
            for about in wanted
        ]
        return await self._store.transact(lambda tx: bulk.take(tx, requests))

    async def renew_these(self, given: Sequence[Lease]) -> list[Lease]:
        """Renew those of the leases GIVEN that are held still and have less than half of their time left."""

        def body(tx: Transaction) -> list[Lease]:
            return [arbiter.extend(tx, each, None) for each in _due(tx, bulk.still_held(tx, given))]

        return await self._change(body)

    async def release_these(self, given: Sequence[Lease]) -> list[Lease]:
        """End those of the leases GIVEN that are held still; return them."""
        return await self._change(lambda tx: [arbiter.end(tx, each) for each in bulk.still_held(tx, given)])

    async def release_all(
        self, *, run: str | None = None, client: str | None = None, parent: str | None = None
    ) -> list[Lease]:
        """End every lease of RUN, or those that only CLIENT keeps, because of PARENT; return them."""

        def body(tx: Transaction) -> list[Lease]:
            return [let_go(tx, each, client, parent) for each in kept_by(tx, run, client)]

        return await self._change(body)

    async def renew_all(self, *, run: str | None = None, client: str | None = None) -> list[Lease]:
        """Renew the leases of RUN, or those CLIENT keeps, that have less than half of their time left.

        Call it regularly while the run lives or the client is attached; returns what was renewed.
        """

        def body(tx: Transaction) -> list[Lease]:
            return [arbiter.extend(tx, each, None) for each in _due(tx, kept_by(tx, run, client))]

        return await self._change(body)

    async def renew_for_run(self, run: str) -> list[Lease]:
        """Renew the leases of RUN; see `renew_all`."""
        return await self.renew_all(run=run)

    async def rename(
        self, old: str | Path, new: str | Path, *, by: Principal, only_own: bool = False
    ) -> list[Lease]:
        """Let the leases on OLD, and on what is in it, follow to NEW; return them as they are now.

        Errors: `LeaseHeld` when somebody else holds NEW; `PolicyDenied` for those of others than BY, unless
        the file is at NEW now, and with ONLY_OWN always.
        """
        source, target = self.paths.of(old), self.paths.of(new)
        return await self._change(lambda tx: move(tx, self.paths, source, target, by, only_own=only_own))

    async def expire_due(self) -> list[Lease]:
        """Log the leases whose time is over, and warn of those within 30 s of it; return the former."""

        def body(tx: Transaction) -> list[Lease]:
            over = arbiter.lapse(tx)
            arbiter.warn(tx)
            return over

        return await self._change(body)

    async def sweep(self) -> None:
        """Call `expire_due` whenever a lease ends or is about to, for as long as the caller's task lives.

        Errors: none of the log's: it tries again after a minute.
        """
        await Sweeper(self._store, self, self._clock).run()

    async def close(self) -> None:
        """Give up all places in the queue; those who wait get `Cancelled`. Leases stay."""
        await self._waiters.close()

    async def _ask(self, request: Request, wait_ms: int) -> Granted | Lease | int:
        """Return the grant, the lease in the way, or the number of a place in the queue."""

        def body(tx: Transaction) -> Granted | Lease | int:
            hindrance = queue.hindrance(tx, queue.waiting(tx, self._waiters.owner), request)
            if hindrance is None:
                return arbiter.grant(tx, request)
            if isinstance(hindrance, Lease) and wait_ms <= 0:
                return hindrance
            return queue.enter(tx, self._waiters.owner, request, wait_ms)

        asked = asyncio.ensure_future(self._store.transact(body))
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            asked.add_done_callback(lambda done: self._undo(done, request))
            raise

    def _undo(self, asked: asyncio.Future[Granted | Lease | int], request: Request) -> None:
        if asked.cancelled() or asked.exception() is not None:
            return
        outcome = asked.result()
        if isinstance(outcome, int):
            self._waiters.abandon(outcome, request)
        elif isinstance(outcome, Granted) and outcome.fresh:
            self._waiters.afterwards(lambda tx: give_back(tx, request))

    async def _change(self, body: Callable[[Transaction], T]) -> T:
        """Return what BODY returns; whoever waits for what it set free has it in the same transaction."""

        def change_and_serve(tx: Transaction) -> T:
            result = body(tx)
            queue.serve(tx, self._waiters.owner)
            return result

        return await self._store.transact(change_and_serve)

    def _same_token(self, own: Held, token: int | None, tx: Transaction) -> None:
        if token not in (None, own.lease.token):
            raise lease_lost(own.lease.path, own.lease, tx.now_ms)

    def _refuse_others(self, others: list[Held], holder: Principal, tx: Transaction) -> None:
        for each in others:
            if not each.lease.holder.same_as(holder):
                raise lease_held(each.lease, tx.now_ms)


def _due(tx: Transaction, found: Iterable[Held]) -> list[Held]:
    """Return those of FOUND that have less than half of their time left and may be renewed."""
    kept = [each for each in found if each.terms.renews]
    soon = [each for each in kept if each.expires_ms - tx.now_ms < each.terms.ttl_ms / 2]
    return [each for each in soon if arbiter.may_renew(each)]


def _ttl_ms(seconds: float) -> int:
    if not 0 < seconds <= LONGEST_SECONDS:
        raise InvalidParams(f"Expected a time to live above 0 and up to a year, got {seconds} s")
    return max(1, int(seconds * 1000))
