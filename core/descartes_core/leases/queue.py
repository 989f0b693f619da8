"""The fair queue for leases: first come, first served, across processes.

A place is a row; it belongs to the process (OWNER) whose waiter stands there. Every change of leases serves
the places of its own process in the same transaction, in order, and never passes a place of another process
that waits for something clashing. A place not seen for `PATIENCE_MS` is passed: its process is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from descartes_core.leases.arbiter import Request, grant, obstacle, open_leases
from descartes_core.model import Lease
from descartes_core.store import Transaction

PATIENCE_MS = 3_000
FORGET_MS = 60_000


@dataclass(frozen=True)
class Place:
    """Somebody who waits, in the order of NUMBER."""

    number: int
    owner: str
    seen_ms: int
    deadline_ms: int
    request: Request


@dataclass(frozen=True)
class Refused:
    """A waiter whose time is over: BY is the lease in its way."""

    place: int
    by: Lease


def enter(tx: Transaction, owner: str, request: Request, wait_ms: int) -> int:
    """Return the number of a new last place for REQUEST."""
    cursor = tx.execute(
        "INSERT INTO lease_queue (owner, seen_ms, deadline_ms, request) VALUES (?, ?, ?, ?)",
        (owner, tx.now_ms, tx.now_ms + wait_ms, _encode(request).decode()),
    )
    return int(cursor.lastrowid or 0)


def enter_again(tx: Transaction, place: Place) -> None:
    """Give back PLACE, with the number it had, to a waiter whose process another took for dead."""
    tx.execute(
        "INSERT OR IGNORE INTO lease_queue (place, owner, seen_ms, deadline_ms, request)"
        " VALUES (?, ?, ?, ?, ?)",
        (place.number, place.owner, tx.now_ms, place.deadline_ms, _encode(place.request).decode()),
    )


def places_of(tx: Transaction, owner: str) -> frozenset[int]:
    """Return the numbers of the places of OWNER."""
    return frozenset(row[0] for row in tx.execute("SELECT place FROM lease_queue WHERE owner = ?", (owner,)))


def leave(tx: Transaction, number: int) -> None:
    """Give up the place NUMBER, if it is still there."""
    tx.execute("DELETE FROM lease_queue WHERE place = ?", (number,))


def waiting(tx: Transaction, owner: str) -> list[Place]:
    """Return the places that count, in order: those of OWNER and those seen a short while ago."""
    found = tx.execute("SELECT place, owner, seen_ms, deadline_ms, request FROM lease_queue ORDER BY place")
    places = [Place(row[0], row[1], row[2], row[3], _decode(row[4])) for row in found]
    return [each for each in places if each.owner == owner or each.seen_ms > tx.now_ms - PATIENCE_MS]


def hindrance(tx: Transaction, earlier: Iterable[Place], request: Request) -> Lease | Place | None:
    """Return what keeps REQUEST from being granted now: a lease, or an EARLIER place whose turn it is.

    Behind a place that waits for REQUEST's own holder nobody has to wait: both would wait for ever.
    """
    lease = obstacle(tx, request)
    if lease is not None:
        return lease
    for place in earlier:
        wanted = place.request
        if request.clashes(wanted.path, wanted.holder, wanted.mode) and not _waits_for(tx, wanted, request):
            return obstacle(tx, wanted) or place
    return None


def serve(tx: Transaction, owner: str) -> None:
    """Grant what can be granted to OWNER's places, in order.

    The event of such a grant names the place, which is how its waiter learns of it.
    """
    earlier: list[Place] = []
    for place in waiting(tx, owner):
        if place.owner == owner and hindrance(tx, earlier, place.request) is None:
            grant(tx, place.request, queue=owner, place=place.number)
            leave(tx, place.number)
        else:
            earlier.append(place)


def refuse_overdue(tx: Transaction, owner: str) -> list[Refused]:
    """Remove and return the places of OWNER whose time is over while a lease stands in their way.

    One that waits behind a place whose turn it is stays a moment longer: either that one gets the lease
    now, or its process is gone and it is passed.
    """
    refused: list[Refused] = []
    earlier: list[Place] = []
    for place in waiting(tx, owner):
        over = place.owner == owner and place.deadline_ms <= tx.now_ms
        by = hindrance(tx, earlier, place.request) if over else None
        if isinstance(by, Lease):
            leave(tx, place.number)
            refused.append(Refused(place.number, by))
        else:
            earlier.append(place)
    return refused


def refresh(tx: Transaction, owner: str) -> None:
    """Note that OWNER's waiters are alive, and forget the places of processes long gone."""
    tx.execute("DELETE FROM lease_queue WHERE seen_ms < ? AND owner <> ?", (tx.now_ms - FORGET_MS, owner))
    tx.execute("UPDATE lease_queue SET seen_ms = ? WHERE owner = ?", (tx.now_ms, owner))


def _waits_for(tx: Transaction, wanted: Request, request: Request) -> bool:
    return any(
        each.lease.holder.same_as(request.holder)
        and wanted.clashes(each.path, each.lease.holder, each.lease.mode)
        for each in open_leases(tx, wanted.path)
    )


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Request).decode
