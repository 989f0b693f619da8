"""What the history operations answer: pages, one event with its causes and effects, statistics, verification.

Everything is read; nothing here needs a hub.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from descartes_core.model import Event, Principal, Shape
from descartes_core.store import EventQuery, Page, Reader, Verification, verify
from descartes_core.store import rows as event_rows
from descartes_core.store.times import iso, milliseconds

MOST_CHILDREN = 1000


class EventDetail(Event, frozen=True, kw_only=True):
    """An event, its PARENTS from the nearest to the first cause, and its CHILDREN in order."""

    parents: list[Event]
    children: list[Event]


class Statistics(Shape, frozen=True, kw_only=True):
    """What the log holds: how many events of each category and name, of how many runs and sessions."""

    events: int
    categories: dict[str, int]
    names: dict[str, int]
    runs: int
    sessions: int
    commits: int
    first_at: str | None = None
    last_at: str | None = None


class History:
    """The past of one workspace, read through READER."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def list(self, query: EventQuery) -> Page:
        """Return the page QUERY asks for; its run and session may be prefixes of ids.

        Errors: `RunNotFound`, `NotFound`, `InvalidParams` (with `candidates` when an id is ambiguous).
        """
        if query.run is not None:
            query = msgspec.structs.replace(query, run=await self._reader.resolve("run", query.run))
        if query.session is not None:
            query = msgspec.structs.replace(query, session=await self._reader.resolve("ses", query.session))
        return await self._reader.events(query)

    async def show(self, id_prefix: str) -> EventDetail:
        """Return the event whose id begins with ID_PREFIX, with its causes and effects.

        Errors: `NotFound`; `InvalidParams` with `candidates`.
        """
        event = await self._reader.event(id_prefix)
        return EventDetail(
            **msgspec.structs.asdict(event),
            parents=[*await self._causes(event)],
            children=[*await self._effects(event)],
        )

    async def verify(self) -> Verification:
        """Return whether the log is as it was written, or the first seq that is not."""
        return await verify(self._reader.path)

    async def statistics(self) -> Statistics:
        """Return what the log holds, counted in its indexes."""
        counts = await self._reader.rows(
            "SELECT category, name, count(*) AS n FROM event GROUP BY category, name ORDER BY n DESC, name"
        )
        categories: dict[str, int] = {}
        names: dict[str, int] = {}
        for row in counts:
            categories[row["category"]] = categories.get(row["category"], 0) + row["n"]
            names[row["name"]] = names.get(row["name"], 0) + row["n"]
        first = await self._reader.rows("SELECT ts_ms FROM event ORDER BY seq LIMIT 1")
        last = await self._reader.rows("SELECT ts_ms FROM event ORDER BY seq DESC LIMIT 1")
        return Statistics(
            events=sum(categories.values()),
            categories=categories,
            names=names,
            runs=await self._distinct("run_id"),
            sessions=await self._distinct("session_id"),
            commits=await self._distinct("git_commit"),
            first_at=iso(first[0]["ts_ms"]) if first else None,
            last_at=iso(last[0]["ts_ms"]) if last else None,
        )

    async def _causes(self, event: Event) -> Sequence[Event]:
        parents = []
        while event.parent is not None:
            found = await self._events("id = ?", event.parent)
            # A cause stands before its effect; anything else would be a ring.
            if not found or found[0].seq >= event.seq:
                break
            event = found[0]
            parents.append(event)
        return parents

    async def _effects(self, event: Event) -> Sequence[Event]:
        return await self._events(f"parent_id = ? ORDER BY seq LIMIT {MOST_CHILDREN}", event.id)

    async def _events(self, condition: str, value: str) -> Sequence[Event]:
        found = await self._reader.rows(
            f"SELECT {event_rows.PUBLISHED} FROM event WHERE {condition}", (value,)
        )
        return [event_rows.published(tuple(row.values())) for row in found]

    async def _distinct(self, column: str) -> int:
        # One step in the index for each value; counting them all would read the index from end to end.
        found = await self._reader.rows(
            f"WITH RECURSIVE d (v) AS (SELECT min({column}) FROM event UNION ALL"
            f" SELECT (SELECT min({column}) FROM event WHERE {column} > d.v) FROM d WHERE d.v IS NOT NULL)"
            " SELECT count(v) AS n FROM d"
        )
        return int(found[0]["n"]) if found else 0


def as_seed(event: Event) -> dict[str, Any]:
    """Return EVENT under the names of the specification; what it has no name for stands in the metadata.

    Units: `timestamp` milliseconds UTC.
    """
    return {
        "event_id": event.id,
        "agent_id": event.agent or event.run or event.actor.id,
        "timestamp": milliseconds(event.at),
        "event_type": event.category,
        "event_data": event.data,
        "git_commit_hash": event.git_commit,
        "session_id": event.session,
        "parent_event_id": event.parent,
        "tags": event.tags,
        "metadata": {
            **event.metadata,
            "name": event.name,
            "run": event.run,
            "agent": event.agent,
            "correlation": event.correlation,
            "actor": msgspec.to_builtins(event.actor),
        },
        "seq": event.seq,
    }


def from_seed(seed: dict[str, Any]) -> Event:
    """Return the event that SEED, made by `as_seed`, tells of."""
    metadata: dict[str, Any] = {key: value for key, value in seed["metadata"].items() if key not in _OWN}
    own = seed["metadata"]
    return Event(
        id=seed["event_id"],
        seq=seed["seq"],
        at=iso(seed["timestamp"]),
        category=seed["event_type"],
        name=own["name"],
        actor=msgspec.convert(own["actor"], Principal),
        run=own["run"],
        session=seed["session_id"],
        agent=own["agent"],
        parent=seed["parent_event_id"],
        correlation=own["correlation"],
        tags=seed["tags"],
        data=seed["event_data"],
        metadata=metadata,
        git_commit=seed["git_commit_hash"],
    )


_OWN = ("name", "run", "agent", "correlation", "actor")
