"""Which bytes of the log may go, and how they do: data and metadata of old events, never rows or digests.

Only the data of the kinds in `DROPPABLE` ever goes; what a projection folds never does, so that a rebuild
gives the same tables. It stays, too, while a run that works, a fork, a restore or the journal of the image
may need it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from descartes_core.model import NewEvent, Principal, Shape
from descartes_core.store.projections import Projection
from descartes_core.store.schemas import Data, register
from descartes_core.store.times import iso
from descartes_core.store.transaction import Transaction

DAY_MS = 86_400_000
DROPPABLE = (
    "tool.",
    "message",
    "thought",
    "error",
    "lisp.evaluated",
    "lisp.compiled",
    "lisp.loaded",
    "lisp.tested",
    "lisp.debugger.",
)
"""Beginnings of the names of events whose data may go."""
BATCH = 500
COLLECTED = "log.collected"
GONE = "SELECT seq FROM event WHERE data IS NULL ORDER BY seq"


class LogCollected(Data, frozen=True, kw_only=True):
    """Data of old events were dropped; their rows and digests stay."""

    events: int
    bytes: int
    before: str | None
    """The newest time of those events."""
    gone: str | None = None
    """The SHA-256 of the numbers, a line each, of all events whose data is gone now, these included."""


register("system", {COLLECTED: LogCollected})


@dataclass(frozen=True)
class Keep:
    """What is kept: everything of the last DAYS, of that no more than BYTES when they are given."""

    days: float
    bytes: int | None = None


class Collectable(Shape, frozen=True, kw_only=True):
    """What may go of the log: the data of EVENTS events, BYTES long, from the time OLDEST to NEWEST."""

    events: int
    bytes: int
    oldest: str | None = None
    newest: str | None = None


@dataclass(frozen=True)
class Candidate:
    """An event whose data may go."""

    seq: int
    size: int
    ts_ms: int


def statement(projections: Iterable[Projection], journal_from: int) -> str:
    """Return the statement that finds every event whose data may go whatever its age, oldest first.

    What the image did since the event JOURNAL_FROM is its journal and stays.
    Shapes: rows (seq, size in bytes, ts_ms).
    """
    folded = [prefix for each in projections for prefix in each.prefixes if prefix]
    may = " OR ".join(_begins("name", prefix) for prefix in DROPPABLE)
    must_not = "".join(f" AND NOT {_begins('name', prefix)}" for prefix in folded)
    return f"""
SELECT seq, length(CAST(data AS BLOB)) + length(CAST(meta AS BLOB)) AS size, ts_ms FROM event
WHERE data IS NOT NULL AND ({may}){must_not}
  AND NOT (name LIKE 'lisp.%' AND seq >= {journal_from:d})
  AND (run_id IS NULL OR (
    run_id IN (SELECT id FROM run WHERE status IN ('completed', 'failed', 'terminated'))
    AND run_id NOT IN (SELECT json_extract(data, '$.run') FROM event
                       WHERE name = 'session.forked' AND json_extract(data, '$.run') IS NOT NULL)
    AND run_id NOT IN (SELECT run_id FROM event WHERE name LIKE 'restore.%' AND run_id IS NOT NULL)))
ORDER BY seq"""


def choose(rows: Iterable[Sequence[Any]], keep: Keep, now_ms: int) -> list[Candidate]:
    """Return which of ROWS, found by `statement`, go: those that are too old, then the oldest of the rest."""
    found = [Candidate(*row) for row in rows]
    cutoff = now_ms - round(keep.days * DAY_MS)
    old = [each for each in found if each.ts_ms < cutoff]
    if keep.bytes is None:
        return old
    young = [each for each in found if each.ts_ms >= cutoff]
    left = sum(each.size for each in young)
    for each in young:
        if left <= keep.bytes:
            break
        old.append(each)
        left -= each.size
    return old


def told(chosen: Sequence[Candidate]) -> Collectable:
    """Return what is said of CHOSEN."""
    times = [each.ts_ms for each in chosen]
    return Collectable(
        events=len(chosen),
        bytes=sum(each.size for each in chosen),
        oldest=iso(min(times)) if times else None,
        newest=iso(max(times)) if times else None,
    )


def collect(
    tx: Transaction, projections: Iterable[Projection], journal_from: int, keep: Keep, by: Principal
) -> Collectable:
    """Drop inside TX what may go and note that BY had it done; return what went."""
    found = tx.execute(statement(projections, journal_from)).fetchall()
    chosen = choose(found, keep, tx.now_ms)
    gone = told(chosen)
    if not chosen:
        return gone
    for start in range(0, len(chosen), BATCH):
        numbers = [each.seq for each in chosen[start : start + BATCH]]
        marks = ", ".join("?" * len(numbers))
        tx.execute(f"UPDATE event SET data = NULL, meta = NULL WHERE seq IN ({marks})", numbers)
        # Files are found by the data; a rebuild would not find these either.
        tx.execute(f"DELETE FROM event_path WHERE seq IN ({marks})", numbers)
    data = {
        "events": gone.events,
        "bytes": gone.bytes,
        "before": gone.newest,
        "gone": digest_of(row[0] for row in tx.execute(GONE)),
    }
    tx.append(NewEvent(category="system", name=COLLECTED, stream="log", actor=by, data=data))
    return gone


def may_go(name: str) -> bool:
    """Return whether the data of events called NAME may ever go."""
    return name.startswith(DROPPABLE)


def digest_of(numbers: Iterable[int]) -> str:
    """Return the SHA-256 of NUMBERS, in decimal and each in a line, in hexadecimal."""
    digest = hashlib.sha256()
    for number in numbers:
        digest.update(b"%d\n" % number)
    return digest.hexdigest()


def _begins(column: str, prefix: str) -> str:
    # Literals of our own, and names of events have neither quotes nor wildcards.
    return f"substr({column}, 1, {len(prefix)}) = '{prefix}'"
