"""The operations `history.*`: the log, read at whichever door was asked."""

from __future__ import annotations

from typing import Any, Literal

from descartes_core import store
from descartes_core.model import Event, Shape
from descartes_core.store import EventQuery, Page, Verification
from descartes_server.operations.context import Context
from descartes_server.operations.registry import NoParams, Params, operation
from descartes_server.operations.texts import path_of


class ListParams(Params, frozen=True, kw_only=True):
    """Everything given must hold. TYPE: a category or a name's beginning; BEFORE: a page's `next`."""

    run: str | None = None
    session: str | None = None
    uri: str | None = None
    path: str | None = None
    type: str | None = None
    tags: list[str] = []
    since: str | None = None
    until: str | None = None
    limit: int = 100
    before: int | str | None = None
    order: Literal["asc", "desc"] = "desc"


class ShowParams(Params, frozen=True, kw_only=True):
    """The id of an event."""

    event: str


class SubscribeParams(Params, frozen=True, kw_only=True):
    """Events after the number SINCE (None: new ones), of TYPES only when there are any."""

    since: int | None = None
    types: list[str] = []


class Subscribed(Shape, frozen=True, kw_only=True):
    """The number of the newest event there was."""

    seq: int


class Statistics(Shape, frozen=True, kw_only=True):
    """What the log holds: how many events of each category and name, of how many runs and sessions."""

    events: int
    categories: dict[str, int]
    names: dict[str, int]
    runs: int
    sessions: int
    commits: int
    first_at: str | None
    last_at: str | None


@operation("history.list", kind="read", for_agents=True, positional=("run",))
async def list_(context: Context, params: ListParams) -> Page:
    """List events, newest first, by run, session, file, type, tags and time."""
    reader = context.services.reader
    path = params.path if params.uri is None else str(path_of(params.uri))
    query = EventQuery(
        run=None if params.run is None else await reader.resolve("run", params.run),
        session=None if params.session is None else await reader.resolve("ses", params.session),
        path=None if path is None else context.services.workspace.path_of(path),
        type=params.type,
        tags=params.tags,
        since=params.since,
        until=params.until,
        limit=params.limit,
        before=params.before,
        order=params.order,
    )
    return await reader.events(query)


@operation("history.show", kind="read", for_agents=True, positional=("event",))
async def show(context: Context, params: ShowParams) -> Event:
    """Show one event with everything that was recorded of it."""
    return await context.services.reader.event(params.event)


@operation("history.verify", kind="read")
async def verify(context: Context, params: NoParams) -> Verification:
    """Check that no event was changed, left out or added since it was written."""
    return await store.verify(context.services.workspace.database)


@operation("history.statistics", kind="read")
async def statistics(context: Context, params: NoParams) -> Statistics:
    """Count the events by category and name, and the runs, sessions and commits they speak of."""
    reader = context.services.reader
    counts = await reader.rows("SELECT category, name, count(*) AS n FROM event GROUP BY category, name")
    categories: dict[str, int] = {}
    for row in counts:
        categories[row["category"]] = categories.get(row["category"], 0) + row["n"]
    ends = (await _page(context, "asc")) + (await _page(context, "desc"))
    return Statistics(
        events=sum(categories.values()),
        categories=categories,
        names={row["name"]: row["n"] for row in counts},
        runs=await _distinct(context, "run_id"),
        sessions=await _distinct(context, "session_id"),
        commits=await _distinct(context, "git_commit"),
        first_at=ends[0].at if ends else None,
        last_at=ends[-1].at if ends else None,
    )


@operation("history.subscribe", kind="effect")
async def subscribe(context: Context, params: SubscribeParams) -> Subscribed:
    """Have each new event sent to this client."""
    hub = context.services.hub
    return Subscribed(seq=hub.subscribe(context.caller.client_id, params.since, params.types))


async def _page(context: Context, order: Literal["asc", "desc"]) -> list[Event]:
    return (await context.services.reader.events(EventQuery(order=order, limit=1))).events


async def _distinct(context: Context, column: Literal["run_id", "session_id", "git_commit"]) -> int:
    found: list[dict[str, Any]] = await context.services.reader.rows(
        f"SELECT count(DISTINCT {column}) AS n FROM event WHERE {column} IS NOT NULL"
    )
    return int(found[0]["n"]) if found else 0
