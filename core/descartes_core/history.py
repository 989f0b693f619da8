"""What the history operations answer: pages, one event with its causes and effects, statistics, verification.

Everything is read; nothing here needs a hub.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from descartes_core.model import Event, Shape
from descartes_core.store import EventQuery, Page, Reader, Verification, verify
from descartes_core.store import rows as event_rows
from descartes_core.store.times import iso, milliseconds

MOST_CHILDREN = 1000


class EventDetail(Shape, frozen=True):
    """An event, its PARENTS from the nearest to the first cause, and its CHILDREN in order."""

    event: Event
    parents: list[Event]
    children: list[Event]


class Statistics(Shape, frozen=True):
    """What a log holds, counted."""

    events: int
    by_category: dict[str, int]
    by_name: dict[str, int]
    runs: int
    sessions: int
    commits: int
    first: str | None = None
    last: str | None = None


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
            event=event, parents=[*await self._causes(event)], children=[*await self._effects(event)]
        )

    async def verify(self) -> Verification:
        """Return whether the log is as it was written, or the first seq that is not."""
        return await verify(self._reader.path)

    async def statistics(self) -> Statistics:
        """Return what the log holds, counted in its indexes."""
        counts = await self._reader.rows(
            "SELECT category, name, count(*) AS n FROM event GROUP BY category, name ORDER BY n DESC, name"
        )
        by_category: dict[str, int] = {}
        by_name: dict[str, int] = {}
        for row in counts:
            by_category[row["category"]] = by_category.get(row["category"], 0) + row["n"]
            by_name[row["name"]] = by_name.get(row["name"], 0) + row["n"]
        first = await self._reader.rows("SELECT ts_ms FROM event ORDER BY seq LIMIT 1")
        last = await self._reader.rows("SELECT ts_ms FROM event ORDER BY seq DESC LIMIT 1")
        return Statistics(
            events=sum(by_category.values()),
            by_category=by_category,
            by_name=by_name,
            runs=await self._distinct("run_id"),
            sessions=await self._distinct("session_id"),
            commits=await self._distinct("git_commit"),
            first=iso(first[0]["ts_ms"]) if first else None,
            last=iso(last[0]["ts_ms"]) if last else None,
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


def event_schema() -> dict[str, Any]:
    """Return the JSON Schema of a published event."""
    return msgspec.json.schema(Event)


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
            "actor": msgspec.to_builtins(event.actor),
        },
        "seq": event.seq,
    }
