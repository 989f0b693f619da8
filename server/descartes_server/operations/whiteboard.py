"""The operations `whiteboard.*`: what the runs of a session and people write for each other."""

from __future__ import annotations

from descartes_core.memory.shapes import EntryType, Marker, WhiteboardEntry
from descartes_core.memory.whiteboard import LISTED, Whiteboard, WhiteboardView
from descartes_core.model import Shape
from descartes_server.operations import remembering
from descartes_server.operations.context import Context
from descartes_server.operations.registry import Params, operation


class BoardParams(Params, frozen=True, kw_only=True):
    """The board of SESSION, or of the session of RUN; by default the caller's own, else the newest run's."""

    session: str | None = None
    run: str | None = None


class PostParams(BoardParams, frozen=True, kw_only=True):
    """CONTENT to be put on the board as an entry of TYPE."""

    content: str
    type: EntryType


class ListParams(BoardParams, frozen=True, kw_only=True):
    """Entries of TYPE when given, the newest LIMIT."""

    type: EntryType | None = None
    limit: int = LISTED


class ShowParams(Params, frozen=True, kw_only=True):
    """The id of an entry, or its beginning."""

    entry: str


class AnnotateParams(ShowParams, frozen=True, kw_only=True):
    """TEXT to be written beside the ENTRY, with a MARKER of what it is."""

    text: str
    marker: Marker = "insight"


class Board(Shape, frozen=True, kw_only=True):
    """The whiteboard of a session, newest first."""

    session: str
    entries: list[WhiteboardEntry]


@operation("whiteboard.post", kind="effect", for_agents=True, positional=("content",))
async def post(context: Context, params: PostParams) -> WhiteboardEntry:
    """Put something on the whiteboard of a session."""
    board = Whiteboard(context.services.store)
    session = await _session(context, board, params)
    return await board.post(session, params.type, params.content, await remembering.author(context))


@operation("whiteboard.annotate", kind="effect", for_agents=True, positional=("entry", "text"))
async def annotate(context: Context, params: AnnotateParams) -> WhiteboardEntry:
    """Write something beside an entry of a whiteboard."""
    board = Whiteboard(context.services.store)
    by = await remembering.author(context)
    return await board.annotate(params.entry, params.text, params.marker, by)


@operation("whiteboard.list", kind="read", for_agents=True)
async def list_(context: Context, params: ListParams) -> Board:
    """Show the whiteboard of a session, newest first."""
    board = WhiteboardView(context.services.reader)
    session = await _session(context, board, params)
    return Board(session=session, entries=list(await board.list(session, params.type, params.limit)))


@operation("whiteboard.show", kind="read", for_agents=True, positional=("entry",))
async def show(context: Context, params: ShowParams) -> WhiteboardEntry:
    """Show one entry of a whiteboard with what was written beside it."""
    return await WhiteboardView(context.services.reader).show(params.entry)


async def _session(context: Context, board: WhiteboardView, params: BoardParams) -> str:
    own = context.caller.run if params.session is None and params.run is None else None
    return await board.session(params.session, params.run or own)
