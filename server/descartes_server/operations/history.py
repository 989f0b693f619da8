"""The operations `history.*`: the log, read at whichever door was asked."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

import descartes_server.operations.events  # noqa: F401  (it makes every event known)
from descartes_core import store
from descartes_core.history import EventDetail, History, Statistics, as_seed
from descartes_core.model import Shape
from descartes_core.store import EventQuery, Page, Verification, schemas
from descartes_server.operations import line_history
from descartes_server.operations.context import Context
from descartes_server.operations.lisp_shapes import Document
from descartes_server.operations.registry import NoParams, Params, operation
from descartes_server.operations.texts import path_of


class ListParams(Params, frozen=True, kw_only=True):
    """Everything given must hold. TYPE: a category or a name's beginning; BEFORE: a page's `next`."""

    run: str | None = None
    session: str | None = None
    agent: str | None = None
    uri: str | None = None
    path: str | None = None
    type: str | None = None
    tags: list[str] = []
    since: str | None = None
    until: str | None = None
    limit: int = 100
    offset: int = 0
    before: int | str | None = None
    order: Literal["asc", "desc"] = "desc"


class LinesParams(ListParams, frozen=True, kw_only=True):
    """As for any list; LINE, from 1, of the file URI: only the events that changed that line."""

    line: int | None = None
    document: Document | None = None


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


class ExportParams(ListParams, frozen=True, kw_only=True):
    """What to export, oldest first; FORMAT: `jsonl`, or `seed` for the specification's names."""

    limit: int = 1000
    order: Literal["asc", "desc"] = "asc"
    format: Literal["jsonl", "seed"] = "jsonl"


class Exported(Shape, frozen=True, kw_only=True):
    """A part of the export; NEXT is the `before` of the part that follows, None in the last."""

    events: list[dict[str, Any]]
    next: int | None = None


@operation("history.list", kind="read", of_events=True, for_agents=True, positional=("run",))
async def list_(context: Context, params: LinesParams) -> Page:
    """List events, newest first, by run, session, file, line, type, tags and time."""
    query = await _query(context, params)
    if params.line is not None:
        file = params.uri or params.path
        changes = await line_history.events_of(context, file, params.line, params.document)
        # A command that changed the line did not name the file.
        query = msgspec.structs.replace(query, path=None, among=changes)
    return await context.services.reader.events(query)


@operation("history.export", kind="read", positional=("run",))
async def export(context: Context, params: ExportParams) -> Exported:
    """Give the events as they are kept, to be read by other programs."""
    page = await context.services.reader.events(await _query(context, params))
    made = as_seed if params.format == "seed" else msgspec.to_builtins
    return Exported(events=[made(event) for event in page.events], next=page.next)


@operation("history.schema", kind="read")
async def schema(context: Context, params: NoParams) -> dict[str, Any]:
    """Give one JSON Schema for every event: its fields, and the data of each name."""
    return schemas.document()


@operation("history.show", kind="read", of_events=True, for_agents=True, positional=("event",))
async def show(context: Context, params: ShowParams) -> EventDetail:
    """Show one event with everything that was recorded of it, what led to it and what it led to."""
    return await History(context.services.reader).show(params.event)


@operation("history.verify", kind="read")
async def verify(context: Context, params: NoParams) -> Verification:
    """Check that no event was changed, left out or added since it was written."""
    return await store.verify(context.services.workspace.database)


@operation("history.statistics", kind="read", of_events=True)
async def statistics(context: Context, params: NoParams) -> Statistics:
    """Count the events by category and name, and the runs, sessions and commits they speak of."""
    return await History(context.services.reader).statistics()


@operation("history.subscribe", kind="effect")
async def subscribe(context: Context, params: SubscribeParams) -> Subscribed:
    """Have each new event sent to this client."""
    hub = context.services.hub
    return Subscribed(seq=hub.subscribe(context.caller.client_id, params.since, params.types))


async def _query(context: Context, params: ListParams) -> EventQuery:
    reader = context.services.reader
    path = params.path if params.uri is None else str(path_of(params.uri))
    return EventQuery(
        run=None if params.run is None else await reader.resolve("run", params.run),
        session=None if params.session is None else await reader.resolve("ses", params.session),
        agent=params.agent,
        path=None if path is None else context.services.workspace.path_of(path),
        type=params.type,
        tags=params.tags,
        since=params.since,
        until=params.until,
        limit=params.limit,
        offset=params.offset,
        before=params.before,
        order=params.order,
    )
