"""What can be asked of the log, as data and as SQL.

A page is found by one ordered walk over an index, the *driver*; whatever else was asked is checked on each
row the walk meets. Runs, sessions and types are found by merging one walk for each kind of event, because a
type is a prefix of names and the index holds whole names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from descartes_core.errors import InvalidParams
from descartes_core.model import Event, Shape
from descartes_core.store import rows

LIMIT = 1_000_000
LAST = 2**63 - 1
MERGED_KINDS = 400
"""SQLite joins at most 500 walks; a log with more kinds of events is filtered row by row."""

_COLUMNS = ", ".join(f"e.{column}" for column in rows.PUBLISHED.replace(" ", "").split(","))


class EventQuery(Shape, frozen=True):
    """Which events, how many, in which order. Everything given must hold.

    `agent` is the name of a run's agent; `type` a category or a prefix of a name; `tags` must all be there;
    `path` is as in leases (relative to the workspace); `since` and `until` are ISO times or event ids, both
    inclusive; `before` is a cursor, the `next` of the page before (or an event id): the page goes on behind
    it in the given order, and leaves out `offset` events first (for what is far away a cursor is quicker).
    `among` are the ids of the events that are looked at, all when it is None.
    """

    run: str | None = None
    session: str | None = None
    agent: str | None = None
    path: str | None = None
    type: str | None = None
    tags: list[str] = []
    since: str | None = None
    until: str | None = None
    limit: int = 100
    offset: int = 0
    before: int | str | None = None
    order: Literal["asc", "desc"] = "desc"
    among: list[str] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= LIMIT:
            raise InvalidParams(f"Expected a limit from 1 to {LIMIT:,}, got {self.limit}")
        if self.offset < 0:
            raise InvalidParams(f"Expected an offset of 0 or more, got {self.offset}")


class Page(Shape, frozen=True):
    """Events in the order asked for; NEXT is the `before` of the page that follows, None on the last."""

    events: list[Event]
    next: int | None = None


@dataclass(frozen=True)
class Span:
    """The part of the log to look at: seq LOW to HIGH and, when a time was given, ts_ms SINCE to UNTIL."""

    low: int = 1
    high: int = LAST
    since_ms: int | None = None
    until_ms: int | None = None

    def cut(self, query: EventQuery, cursor: int | None) -> Span:
        """Return what is left of the span behind CURSOR in the order of QUERY."""
        if cursor is None:
            return self
        if query.order == "desc":
            return Span(self.low, min(self.high, cursor - 1), self.since_ms, self.until_ms)
        return Span(max(self.low, cursor + 1), self.high, self.since_ms, self.until_ms)


@dataclass(frozen=True)
class Statement:
    sql: str
    parameters: tuple[Any, ...]


Driver = Literal["log", "among", "path", "tag", "kinds"]
Kinds = Sequence[tuple[str, str]]


def drivers(query: EventQuery) -> list[Driver]:
    """Return the indexes that could find what QUERY asks for."""
    if query.among is not None:
        return ["among"]
    found: list[Driver] = []
    if query.path is not None:
        found.append("path")
    if query.tags:
        found.append("tag")
    if any(each is not None for each in (query.run, query.session, query.agent, query.type)):
        found.append("kinds")
    return found or ["log"]


def weight(query: EventQuery, driver: Driver, enough: int) -> Statement | None:
    """Return a statement that counts, up to ENOUGH, what DRIVER would walk over; None when that is many."""
    counted: dict[Driver, tuple[str, str | None]] = {
        "path": ("event_path WHERE path = ?", query.path),
        "tag": ("event_tag WHERE tag = ?", query.tags[0] if query.tags else None),
        "kinds": (f"event WHERE {owner[0]} = ?", owner[2]) if (owner := _owner(query)) else ("", None),
    }
    source, value = counted.get(driver, ("", None))
    if value is None:
        return None
    return Statement(f"SELECT count(*) FROM (SELECT 1 FROM {source} LIMIT {enough})", (value,))


def kinds(query: EventQuery) -> Statement:
    """Return a statement for the (category, name) pairs that events asked for can have."""
    sql, parameters = "SELECT category, name FROM event_kind k WHERE 1", list[Any]()
    if query.type is not None:
        sql += " AND (k.category = ? OR substr(k.name, 1, ?) = ?)"
        parameters += [query.type, len(query.type), query.type]
    owner = _owner(query)
    if owner is not None:
        column, index, value = owner
        sql += (
            f" AND EXISTS (SELECT 1 FROM event e INDEXED BY {index} WHERE e.{column} = ?"
            " AND e.category = k.category AND e.name = k.name)"
        )
        parameters.append(value)
    return Statement(sql, tuple(parameters))


def page(query: EventQuery, driver: Driver, pairs: Kinds, span: Span, count: int) -> Statement:
    """Return the statement for the first COUNT events of QUERY in SPAN, found through DRIVER."""
    if driver == "kinds" and len(pairs) <= MERGED_KINDS:
        return _merged(query, pairs, span, count)
    condition, parameters = _conditions(query, span)
    order = f"ORDER BY e.seq {query.order.upper()} LIMIT ?"
    if driver in ("path", "tag"):
        value = query.path if driver == "path" else query.tags[0]
        sql = (
            f"SELECT {_COLUMNS} FROM event_{driver} d CROSS JOIN event e ON e.seq = d.seq"
            f" WHERE d.{driver} = ? AND d.seq BETWEEN ? AND ?{condition}"
            f" ORDER BY d.seq {query.order.upper()} LIMIT ?"
        )
        return Statement(sql, (value, span.low, span.high, *parameters, count))
    if driver == "among":
        sql = (
            f"SELECT {_COLUMNS} FROM (SELECT DISTINCT value AS id FROM json_each(?)) a"
            f" CROSS JOIN event e ON e.id = a.id WHERE e.seq BETWEEN ? AND ?{condition} {order}"
        )
        among = rows.json_text(query.among).decode()
        return Statement(sql, (among, span.low, span.high, *parameters, count))
    sql = f"SELECT {_COLUMNS} FROM event e NOT INDEXED WHERE e.seq BETWEEN ? AND ?{condition} {order}"
    return Statement(sql, (span.low, span.high, *parameters, count))


def _merged(query: EventQuery, pairs: Kinds, span: Span, count: int) -> Statement:
    if not pairs:
        return Statement(f"SELECT {_COLUMNS} FROM event e WHERE 0", ())
    condition, parameters = _conditions(query, span)
    direction = query.order.upper()
    owner = _owner(query)
    index = owner[1] if owner else "event_kinds"
    owned = f" AND e.{owner[0]} = ?" if owner else ""
    walk = (
        f"SELECT * FROM (SELECT e.seq FROM event e INDEXED BY {index}"
        f" WHERE e.category = ? AND e.name = ?{owned}"
        f" AND e.seq BETWEEN ? AND ?{condition} ORDER BY e.seq {direction} LIMIT ?)"
    )
    values: list[Any] = []
    for category, name in pairs:
        values += [category, name, *([owner[2]] if owner else []), span.low, span.high, *parameters, count]
    merged = " UNION ALL ".join([walk] * len(pairs))
    sql = (
        f"SELECT {_COLUMNS} FROM event e WHERE e.seq IN"
        f" (SELECT seq FROM ({merged}) ORDER BY seq {direction} LIMIT ?) ORDER BY e.seq {direction}"
    )
    return Statement(sql, (*values, count))


def _owner(query: EventQuery) -> tuple[str, str, str] | None:
    if query.run is not None:
        return "run_id", "event_run", query.run
    if query.session is not None:
        return "session_id", "event_session", query.session
    if query.agent is not None:
        return "agent_id", "event_agent", query.agent
    return None


def _conditions(query: EventQuery, span: Span) -> tuple[str, list[Any]]:
    """Return everything QUERY asks for as ` AND …` on the row `e`, with its parameters."""
    parts: list[tuple[str, tuple[Any, ...]]] = []
    if query.run is not None:
        parts.append(("e.run_id = ?", (query.run,)))
    if query.session is not None:
        parts.append(("e.session_id = ?", (query.session,)))
    if query.agent is not None:
        parts.append(("e.agent_id = ?", (query.agent,)))
    if query.path is not None:
        parts.append(
            ("EXISTS (SELECT 1 FROM event_path p WHERE p.path = ? AND p.seq = e.seq)", (query.path,))
        )
    if query.type is not None:
        parts.append(
            ("(e.category = ? OR substr(e.name, 1, ?) = ?)", (query.type, len(query.type), query.type))
        )
    for tag in query.tags:
        parts.append(("EXISTS (SELECT 1 FROM event_tag t WHERE t.tag = ? AND t.seq = e.seq)", (tag,)))
    if span.since_ms is not None:
        parts.append(("e.ts_ms >= ?", (span.since_ms,)))
    if span.until_ms is not None:
        parts.append(("e.ts_ms <= ?", (span.until_ms,)))
    return "".join(f" AND {sql}" for sql, _ in parts), [value for _, values in parts for value in values]
