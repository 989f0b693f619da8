"""Whether the data that a log does not have any more was collected, or taken out behind its back.

Each `log.collected` says how many events lost their data and, by a digest, which ones have lost theirs by
then, so that one more is found.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from descartes_core.store.retention import COLLECTED, GONE, digest_of, may_go

_GONE = GONE.replace("SELECT seq", "SELECT seq, name")
_COLLECTIONS = f"SELECT seq, data FROM event WHERE category = 'system' AND name = '{COLLECTED}'"


@dataclass(frozen=True)
class WronglyGone:
    """The first event, SEQ, whose data may not be gone, and why."""

    seq: int
    reason: str


def wrongly_gone(connection: sqlite3.Connection) -> WronglyGone | None:
    """Return what is wrong with the data that is gone from the log of CONNECTION, None when all is right.

    Damage that keeps SQLite from telling is found by whoever reads row by row.
    """
    try:
        # Both are read at one moment: a collection may be under way.
        connection.execute("BEGIN")
        collections = [_collection(*row) for row in connection.execute(f"{_COLLECTIONS} ORDER BY seq")]
        return _first(connection.execute(_GONE), collections)
    except sqlite3.Error:
        return None
    finally:
        connection.rollback()


@dataclass(frozen=True)
class _Collection:
    """What the event SEQ says: how many EVENTS lost their data, and the digest of all that are GONE."""

    seq: int
    events: int
    gone: str | None


def _collection(seq: int, data: str | None) -> _Collection:
    told = _decoded(data)
    events, gone = told.get("events"), told.get("gone")
    return _Collection(seq, events if isinstance(events, int) else 0, gone if isinstance(gone, str) else None)


def _decoded(data: str | None) -> dict[str, Any]:
    # A row that was damaged is found by its own digest.
    try:
        told = json.loads(data or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _first(found: Iterable[tuple[int, str]], collections: list[_Collection]) -> WronglyGone | None:
    last = collections[-1] if collections else None
    numbers: list[int] = []
    for seq, name in found:
        if not may_go(str(name)):
            return WronglyGone(seq, "its data is gone, and that of such an event is never collected")
        if last is None or seq > last.seq:
            return WronglyGone(seq, "its data is gone, and nobody collected it")
        numbers.append(seq)
    collected = sum(each.events for each in collections)
    same = last is None or (digest_of(numbers) == last.gone if last.gone else len(numbers) == collected)
    if same or not numbers:
        return None
    return WronglyGone(
        numbers[0],
        f"from here on {len(numbers)} events have lost their data, and {collected} were collected",
    )
