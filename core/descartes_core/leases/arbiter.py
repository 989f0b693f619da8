"""Who gets a lease: the decisions, each inside one write transaction of the log.

A row changes only by the event that is appended here; see `projection`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from descartes_core.errors import PolicyDenied
from descartes_core.leases.held import Ended, Held, Terms, held, select
from descartes_core.leases.paths import LeasePath, overlap
from descartes_core.leases.words import typed_over
from descartes_core.model import Lease, LeaseMode, NewEvent, Principal, Shape
from descartes_core.store import Transaction
from descartes_core.store.times import iso

SYSTEM = Principal(kind="service", id="descartes", name="Descartes")
"""Who acts when nobody did: a lease's time was over."""

WARN_MS = 30_000

_STRENGTH: dict[LeaseMode, int] = {"shared": 0, "intent": 1, "exclusive": 2}

Change = Literal["acquired", "renewed", "released", "expired", "stolen", "expiring", "moved"]
Given = Literal["acquired", "stolen"]


class Request(Shape, frozen=True):
    """What somebody asks for; also what stands in the queue."""

    path: LeasePath
    uri: str
    holder: Principal
    mode: LeaseMode
    ttl_ms: int
    reason: str | None = None
    run: str | None = None
    client: str | None = None
    unsaved: bool = False
    renews: bool = True
    max_renewals: int | None = None
    session: str | None = None
    parent: str | None = None

    def clashes(self, path: LeasePath, holder: Principal, mode: LeaseMode) -> bool:
        """Return whether the request cannot stand beside what HOLDER has, or wants, of PATH in MODE."""
        exclusive = "exclusive" in (self.mode, mode)
        return exclusive and not self.holder.same_as(holder) and overlap(self.path, path)


class Granted(msgspec.Struct, frozen=True):
    """The lease that was given; not FRESH when its holder had it already."""

    lease: Lease
    fresh: bool


def open_leases(tx: Transaction, path: LeasePath | None = None) -> list[Held]:
    """Return the leases held now that overlap PATH (all without one)."""
    return _overlapping(tx, path, "ended IS NULL AND expires_ms > ?", (tx.now_ms,))


def lapse(tx: Transaction, path: LeasePath | None = None) -> list[Lease]:
    """Log and return the leases overlapping PATH whose time is over."""
    over = _overlapping(tx, path, "ended IS NULL AND expires_ms <= ?", (tx.now_ms,))
    for each in over:
        record(tx, "expired", each.lease, each.terms, actor=SYSTEM)
    return [each.lease for each in over]


def warn(tx: Transaction) -> list[Lease]:
    """Log and return the leases that end within 30 s, each once."""
    condition = "ended IS NULL AND expires_ms > ? AND expires_ms <= ? AND NOT warned"
    soon = _overlapping(tx, None, condition, (tx.now_ms, tx.now_ms + WARN_MS))
    for each in soon:
        record(tx, "expiring", each.lease, each.terms, actor=SYSTEM)
    return [each.lease for each in soon]


def obstacle(tx: Transaction, request: Request) -> Lease | None:
    """Return the lease that stands in the way of REQUEST longest, None when it can be granted."""
    there = open_leases(tx, request.path)
    clashing = [each for each in there if request.clashes(each.path, each.lease.holder, each.lease.mode)]
    return max(clashing, key=lambda each: each.expires_ms).lease if clashing else None


def grant(tx: Transaction, request: Request, **metadata: Any) -> Granted | Lease:
    """Grant REQUEST, or return the lease in its way. METADATA is added to the event's."""
    lapse(tx, request.path)
    obstructing = obstacle(tx, request)
    if obstructing is not None:
        return obstructing
    own = own_lease(tx, request.path, request.holder)
    if own is not None and not is_over(own, tx.now_ms):
        return Granted(_enter_again(tx, own, request, metadata), fresh=False)
    return Granted(_give(tx, "acquired", request, metadata), fresh=True)


def steal(tx: Transaction, request: Request, *, over_unsaved: bool) -> Lease:
    """Grant REQUEST over the heads of those who hold a lease in its way; theirs end.

    The event stands once in the history of each run that loses one.
    Errors: `PolicyDenied` where somebody's unsaved text is in the way, unless OVER_UNSAVED.
    """
    lapse(tx, request.path)
    clashing = [
        each
        for each in open_leases(tx, request.path)
        if request.clashes(each.path, each.lease.holder, each.lease.mode)
    ]
    typed = next((each.lease for each in clashing if each.terms.unsaved), None)
    if typed is not None and not over_unsaved:
        raise typed_over(typed.path, typed.holder.name)
    if not clashing:
        return _give(tx, "acquired", request, {})
    lease, terms = _new(tx, request)
    for run, previous in _losses(clashing, request.run).items():
        _record_given(tx, "stolen", request, lease, terms, {"previous": previous}, of_run=run)
    return lease


def _losses(clashing: Sequence[Held], taker: str | None) -> dict[str | None, list[dict[str, str]]]:
    """Return what each run's history is to tell that CLASHING end: that of each loser, and of the run TAKER.

    What no run held stands in the first.
    """
    runs = [run for run in (taker, *(each.lease.run for each in clashing)) if run]
    first = runs[0] if runs else None
    told: dict[str | None, list[dict[str, str]]] = {run: [] for run in (first, *runs)}
    for each in clashing:
        ended = Ended(path=each.lease.path, kind=each.lease.holder.kind, id=each.lease.holder.id)
        told[each.lease.run or first].append(msgspec.to_builtins(ended))
    return told


def extend(tx: Transaction, own: Held, ttl_ms: int | None, **metadata: Any) -> Lease:
    """Renew the live lease OWN for TTL_MS from now, its last time to live when None.

    Errors: `PolicyDenied` when it was renewed as often as it may be.
    """
    terms = _renewed(own)
    if ttl_ms is not None:
        terms = msgspec.structs.replace(terms, ttl_ms=ttl_ms)
    lease = msgspec.structs.replace(own.lease, expires_at=iso(tx.now_ms + terms.ttl_ms))
    return record(tx, "renewed", lease, terms, **metadata)


def may_renew(own: Held) -> bool:
    """Return whether OWN may be renewed once more."""
    return own.terms.max_renewals is None or own.terms.renewals < own.terms.max_renewals


def end(tx: Transaction, own: Held, *, parent: str | None = None, **metadata: Any) -> Lease:
    """Release the live lease OWN because of the event PARENT and return it as it ended."""
    lease = msgspec.structs.replace(own.lease, expires_at=iso(tx.now_ms))
    return record(tx, "released", lease, own.terms, parent=parent, **metadata)


def kept_by(tx: Transaction, run: str | None, client: str | None) -> list[Held]:
    """Return the live leases of RUN, or those that CLIENT keeps for its person."""
    return [
        each
        for each in open_leases(tx)
        if (run is not None and each.lease.run == run)
        or (client is not None and client in each.terms.clients)
    ]


def let_go(tx: Transaction, own: Held, client: str | None, parent: str | None = None) -> Lease:
    """End the live lease OWN, or only take CLIENT from it when others keep it; return it as it is then."""
    rest = [other for other in own.terms.clients if other != client]
    if client is None or not rest:
        return end(tx, own, parent=parent)
    terms = msgspec.structs.replace(own.terms, clients=rest)
    return record(tx, "renewed", own.lease, terms, left_by=client)


def own_lease(tx: Transaction, path: LeasePath, holder: Principal) -> Held | None:
    """Return the lease that HOLDER has or had on exactly PATH."""
    return lease_named(tx, path.text, holder)


def lease_named(tx: Transaction, path: str, holder: Principal) -> Held | None:
    """Return the lease that HOLDER has or had under the name PATH, as a lease has it."""
    condition = "path = ? AND holder_kind = ? AND holder_id = ?"
    found = tx.execute(*select(None, condition, (path, holder.kind, holder.id))).fetchone()
    return held(found) if found else None


def is_over(held: Held, now_ms: int) -> bool:
    """Return whether HELD has ended, or its time is over at NOW_MS."""
    return held.ended is not None or held.expires_ms <= now_ms


def record(
    tx: Transaction,
    change: Change,
    lease: Lease,
    terms: Terms,
    *,
    actor: Principal | None = None,
    of_run: str | None = None,
    session: str | None = None,
    parent: str | None = None,
    moved_from: str | None = None,
    **metadata: Any,
) -> Lease:
    """Append the event of CHANGE to LEASE, which the projection follows, and return LEASE."""
    tx.append(
        NewEvent(
            category="action",
            name=f"lease.{change}",
            stream=f"lease/{lease.path}",
            actor=actor or lease.holder,
            run=of_run or lease.run,
            session=session,
            parent=parent,
            data=msgspec.to_builtins(lease) | ({"from": moved_from} if moved_from else {}),
            metadata={**msgspec.to_builtins(terms), **metadata},
        )
    )
    return lease


def next_token(tx: Transaction, path: LeasePath) -> int:
    """Return a token above every token ever given for anything that overlaps PATH."""
    tokens = [each.lease.token for each in _overlapping(tx, path, "1", ())]
    return max(tokens, default=0) + 1


def _give(tx: Transaction, change: Given, request: Request, metadata: dict[str, Any]) -> Lease:
    lease, terms = _new(tx, request)
    return _record_given(tx, change, request, lease, terms, metadata)


def _record_given(
    tx: Transaction,
    change: Given,
    request: Request,
    lease: Lease,
    terms: Terms,
    metadata: dict[str, Any],
    of_run: str | None = None,
) -> Lease:
    origin: dict[str, Any] = {"of_run": of_run, "session": request.session, "parent": request.parent}
    return record(tx, change, lease, terms, **origin, **metadata)


def _new(tx: Transaction, request: Request) -> tuple[Lease, Terms]:
    """Return the lease that REQUEST brings, with a token above all before, and its terms."""
    path = request.path
    lease = Lease(
        path=path.text,
        uri=request.uri,
        holder=request.holder,
        mode=request.mode,
        token=next_token(tx, path),
        acquired_at=iso(tx.now_ms),
        expires_at=iso(tx.now_ms + request.ttl_ms),
        reason=request.reason,
        run=request.run,
    )
    terms = Terms(
        ttl_ms=request.ttl_ms,
        form=path.form,
        glob=path.glob,
        folder=path.folder,
        max_renewals=request.max_renewals,
        clients=[request.client] if request.client else [],
        unsaved=request.unsaved,
        renews=request.renews,
    )
    return lease, terms


def _enter_again(tx: Transaction, own: Held, request: Request, metadata: dict[str, Any]) -> Lease:
    """Renew OWN as REQUEST asks: the longer time and the stronger mode of both, the newer reason."""
    terms = _renewed(own)
    clients = terms.clients
    if request.client and request.client not in clients:
        clients = [*clients, request.client]
    longest = max(own.expires_ms, tx.now_ms + request.ttl_ms)
    lease = msgspec.structs.replace(
        own.lease,
        holder=request.holder,
        mode=max(own.lease.mode, request.mode, key=_STRENGTH.__getitem__),
        expires_at=iso(longest),
        reason=request.reason or (None if terms.unsaved and not request.unsaved else own.lease.reason),
        run=request.run or own.lease.run,
    )
    terms = msgspec.structs.replace(
        terms,
        clients=clients,
        ttl_ms=max(terms.ttl_ms, request.ttl_ms),
        unsaved=terms.unsaved and request.unsaved,
        renews=terms.renews or request.renews,
    )
    return record(tx, "renewed", lease, terms, session=request.session, parent=request.parent, **metadata)


def _renewed(own: Held) -> Terms:
    if not may_renew(own):
        raise PolicyDenied(
            f"The lease on {own.lease.path!r} may be renewed {_times(own.terms.max_renewals)} and was;"
            " release it and acquire it again"
        )
    return msgspec.structs.replace(own.terms, renewals=own.terms.renewals + 1)


def _times(count: int | None) -> str:
    return "once" if count == 1 else f"{count} times"


def _overlapping(
    tx: Transaction, path: LeasePath | None, condition: str, parameters: Sequence[Any]
) -> list[Held]:
    found = [held(row) for row in tx.execute(*select(path, condition, parameters))]
    return [each for each in found if path is None or overlap(path, each.path)]
