"""Sessions as anybody can read them from a log, forks with what they share with their parents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from descartes_core.errors import InvalidParams
from descartes_core.store import rows as event_rows
from descartes_core.trace.entries import EXPORTED, FORKED, IMPORTED, Record, record_of, record_of_run, stream
from descartes_core.trace.errors import SessionNotFound

Rows = Callable[..., Sequence[dict[str, Any]]]
"""`rows(sql, parameters)`: what a SELECT finds, a dict each."""

LAST = 2**63 - 1
_OWN = f"FROM event WHERE stream = ? AND name NOT IN ('{FORKED}', '{IMPORTED}') AND seq <= ?"
_OF_SESSION = f"FROM event WHERE session_id = ? AND name NOT IN ('{FORKED}', '{EXPORTED}') AND seq <= ?"


@dataclass(frozen=True)
class SessionRow:
    """A session as the table has it; KIND is `session`, or `run` for one that a run was begun with."""

    id: str
    seq: int
    kind: str
    parent: str | None
    forked: str | None
    fork_run: str | None
    fork_seq: int | None
    run: str | None
    agent: str | None
    title: str | None
    max_artifact_size: int | None
    entries: int
    state_version: int
    started_at: str
    changed_at: str


@dataclass(frozen=True)
class Segment:
    """The entries of SESSION up to event UNTIL of the log: a part of a trajectory."""

    session: SessionRow
    until: int

    def source(self) -> tuple[str, tuple[Any, ...]]:
        """Return where its entries stand, as SQL."""
        if self.session.kind == "run":
            return _OF_SESSION, (self.session.id, self.until)
        return _OWN, (stream(self.session.id), self.until)


class SessionReader:
    """Reads sessions through ROWS."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def list(self, limit: int) -> Sequence[SessionRow]:
        """Return the newest LIMIT sessions, newest first."""
        return [
            SessionRow(**row)
            for row in self._rows("SELECT * FROM session ORDER BY seq DESC LIMIT ?", (limit,))
        ]

    def find(self, prefix: str) -> SessionRow:
        """Return the session whose id begins with PREFIX (`ses_` may be left out).

        Errors: `SessionNotFound`; `InvalidParams` with up to five `candidates`.
        """
        found = {
            row["id"]: row
            for start in (prefix, f"ses_{prefix}")
            for row in self._rows(
                "SELECT * FROM session WHERE id >= ? AND id < ? ORDER BY id LIMIT 6",
                (start, f"{start}\U0010ffff"),
            )
        }
        if prefix in found:
            return SessionRow(**found[prefix])
        if not found or not prefix:
            raise SessionNotFound(f"No session has an id that begins with {prefix!r}; look at the list")
        if len(found) > 1:
            candidates = sorted(found)[:5]
            raise InvalidParams(
                f"Expected the id of one session, several begin with {prefix!r}: {', '.join(candidates)};"
                " give more digits",
                candidates=candidates,
            )
        return SessionRow(**next(iter(found.values())))

    def segments(self, session: SessionRow) -> Sequence[Segment]:
        """Return what the trajectory of SESSION consists of, oldest first; all but the last were shared."""
        found = [Segment(session, LAST)]
        while (parent := found[-1].session.parent) is not None:
            above = self._rows("SELECT * FROM session WHERE id = ?", (parent,))
            if not above or found[-1].session.fork_seq is None:
                break
            until = min(found[-1].until, found[-1].session.fork_seq)
            found.append(Segment(SessionRow(**above[0]), until))
        return found[::-1]

    def count(self, session: SessionRow) -> int:
        """Return how many entries the trajectory of SESSION has."""
        return sum(self._count(segment) for segment in self.segments(session))

    def records(self, session: SessionRow, limit: int | None = None) -> Sequence[Record]:
        """Return the last LIMIT entries of SESSION, all of them without one, in order."""
        segments = self.segments(session)
        found: list[Record] = []
        for place in range(len(segments) - 1, -1, -1):
            wanted = -1 if limit is None else limit - len(found)
            if wanted == 0:
                break
            found[:0] = self._part(segments[: place + 1], wanted)
        return found

    def _count(self, segment: Segment) -> int:
        source, parameters = segment.source()
        return int(next(iter(self._rows(f"SELECT count(*) AS n {source}", parameters)), {"n": 0})["n"])

    def _part(self, segments: Sequence[Segment], limit: int) -> Sequence[Record]:
        """Return the last LIMIT entries of the last of SEGMENTS, all of them when it is negative."""
        segment = segments[-1]
        source, parameters = segment.source()
        of_run = segment.session.kind == "run"
        order = "seq" if of_run else "version"
        found = self._rows(
            f"SELECT {event_rows.PUBLISHED} {source} ORDER BY {order} DESC LIMIT ?", (*parameters, limit)
        )
        events = [event_rows.published(tuple(row.values())) for row in reversed(found)]
        if not of_run:
            return [record_of(event) for event in events]
        # Events of runs have no number of their own in a trajectory: they are counted.
        last = sum(self._count(each) for each in segments)
        return [record_of_run(event, n) for n, event in enumerate(events, last - len(events) + 1)]
