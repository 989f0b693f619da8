"""The operations `history.*` about a moment: what was then, and history as a document to walk through."""

from __future__ import annotations

import asyncio

from descartes_core.errors import InvalidParams
from descartes_core.model import Shape
from descartes_core.timetravel.brain import LENIENT, BrainRestore, BrainState, moment
from descartes_server.ide import timeline_document, view_names
from descartes_server.ide.timeline_document import Page
from descartes_server.ide.timeline_entries import Level
from descartes_server.operations import timeline_pages as pages
from descartes_server.operations import view_files
from descartes_server.operations.context import Context
from descartes_server.operations.lisp_shapes import Position, Range
from descartes_server.operations.moments import MomentParams, options_of
from descartes_server.operations.registry import Params, operation
from descartes_server.operations.texts import path_of, uri_of


class StateParams(MomentParams, frozen=True, kw_only=True):
    """A RUN; AT: an ISO time, an event id or a number (None: now). By default whatever is left is shown."""

    run: str
    at: str | None = None


class DocumentParams(Params, frozen=True, kw_only=True):
    """A RUN or a file (URI), around the moment AT: an ISO time, an event id or a number (None: the end).

    LEVEL of detail: `turns`, `steps` or `events`.
    """

    run: str | None = None
    uri: str | None = None
    at: str | None = None
    level: str = "steps"


class HistoryDocument(Shape, frozen=True, kw_only=True):
    """A read-only file that shows a history around AT; the heading of its EVENT, an id, is at RANGE.

    PREVIOUS and NEXT are the numbers of the entries beside it, None at an end.
    """

    uri: str
    path: str
    text: str
    at: int
    event: str | None
    level: str
    range: Range
    previous: int | None
    next: int | None


@operation("history.state", kind="read", for_agents=True, positional=("run",))
async def state(context: Context, params: StateParams) -> BrainState:
    """Show what a run knew, had written, held and was waiting for at a moment."""
    reader = context.services.reader
    run = await reader.resolve("run", params.run)
    at = await moment(reader, run, params.at)
    return await BrainRestore(reader, run, options_of(params, LENIENT)).restore_to(at)


@operation("history.document", kind="read", positional=("run",))
async def document(context: Context, params: DocumentParams) -> HistoryDocument:
    """Write the history of a run or a file around a moment into a read-only file, to walk through."""
    level = pages.level_of(params.level)
    if (params.run is None) == (params.uri is None):
        raise InvalidParams("Expected either a run or a file, got both or neither; give one of them")
    if params.uri is not None:
        path = context.services.workspace.path_of(str(path_of(params.uri)))
        at = await moment(context.services.reader, None, params.at)
        page = await pages.page_of_file(context, params.uri, path, at, level)
        return await write(context, page, f"{view_names.of_file(path)}.md")
    assert params.run is not None
    return await document_of_run(context, params.run, params.at, level)


async def document_of_run(context: Context, run: str, at: str | None, level: Level) -> HistoryDocument:
    """Return the document of RUN around AT on LEVEL, written anew."""
    reader = context.services.reader
    run = await reader.resolve("run", run)
    page = await pages.page_of_run(context, run, await moment(reader, run, at), level)
    return await write(context, page, f"{view_names.of_run(run)}.md")


async def write(context: Context, page: Page, name: str) -> HistoryDocument:
    """Return PAGE as the document NAME, written."""
    text = timeline_document.document(page)
    path = await asyncio.to_thread(view_files.write, context.services.workspace, name, text)
    shown = timeline_document.read(text)
    index = None if shown is None else shown.present
    headings = [] if shown is None else shown.headings
    line = 1 if index is None else text.count("\n", 0, headings[index].start) + 1
    beside = [
        page.entries[i].seq if index is not None and 0 <= i < len(page.entries) else None
        for i in ((index or 0) - 1, (index or 0) + 1)
    ]
    start = Position(line=line, column=1)
    return HistoryDocument(
        uri=uri_of(path),
        path=str(path),
        text=text,
        at=page.at,
        event=None if shown is None else shown.event,
        level=page.level,
        range=Range(start=start, end=start),
        previous=beside[0],
        next=beside[1],
    )
