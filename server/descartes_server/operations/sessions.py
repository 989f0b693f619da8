"""The operations `session.*` that look at sessions and keep them in `.trace` files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from descartes_core.errors import InvalidParams
from descartes_core.model import NewEvent, Shape
from descartes_core.store import Transaction
from descartes_core.trace import saved, trace_file
from descartes_core.trace.blobs import Blobs
from descartes_core.trace.entries import EXPORTED
from descartes_core.trace.errors import SessionError
from descartes_core.trace.view import SessionDetail, SessionSummary, SessionView
from descartes_server.operations import writing
from descartes_server.operations.context import Context
from descartes_server.operations.registry import Params, operation
from descartes_server.operations.texts import path_of

T = TypeVar("T")

EXPORTS = "exports"
SUFFIX = ".trace"


class ListParams(Params, frozen=True, kw_only=True):
    """How many are listed at most."""

    limit: int = 100


class ShowParams(Params, frozen=True, kw_only=True):
    """A SESSION, as it was behind its entry AT (the last one), with LIMIT entries of its trajectory."""

    session: str
    at: int | None = None
    limit: int = 20


class ExportParams(Params, frozen=True, kw_only=True):
    """A SESSION and the file to write, else one under `.descartes/`. REPLACE: also one that is there."""

    session: str
    path: str | None = None
    uri: str | None = None
    replace: bool = False


class ImportParams(Params, frozen=True, kw_only=True):
    """A `.trace` file."""

    path: str | None = None
    uri: str | None = None


class Sessions(Shape, frozen=True, kw_only=True):
    """Sessions, newest first."""

    sessions: list[SessionSummary]


class Exported(Shape, frozen=True, kw_only=True):
    """The session that was written, and the absolute PATH of the file."""

    session: SessionSummary
    path: str


@operation("session.list", kind="read", for_agents=True)
async def list_(context: Context, params: ListParams) -> Sessions:
    """List sessions, newest first: those of runs and those of programs."""
    found = await _blocking(lambda: _view(context).list(params.limit))
    return Sessions(sessions=list(found))


@operation("session.show", kind="read", for_agents=True, positional=("session",))
async def show(context: Context, params: ShowParams) -> SessionDetail:
    """Show a session at any of its entries: state, artifacts, trajectory."""
    return await _blocking(lambda: _view(context).show(params.session, params.limit, params.at))


@operation("session.export", kind="effect", people_only=True, positional=("session", "path"))
async def export(context: Context, params: ExportParams) -> Exported:
    """Write a session to a .trace file."""
    detail = await _blocking(lambda: _view(context).show(params.session, 0))
    session = detail.session
    given = _file(params.path, params.uri)
    path = await asyncio.to_thread(_default, context, session.id) if given is None else given
    written, draft = await _blocking(lambda: _view(context).export(session.id, path))
    data = {"session": session.id, "path": context.services.workspace.path_of(str(path))}
    event = NewEvent(
        category="system",
        name=EXPORTED,
        stream="sessions",
        actor=context.caller.principal,
        session=session.id,
        data=data,
    )

    def body(tx: Transaction) -> None:
        writing.check_leases(context, tx, path)
        tx.append(event)
        draft.put(replace=params.replace)

    try:
        writing.check_saved(context, path)
        await _told(lambda: context.services.store.transact(body))
    finally:
        await asyncio.to_thread(draft.discard)
    return Exported(session=written, path=str(path))


@operation("session.import", kind="effect", people_only=True, positional=("path",))
async def import_(context: Context, params: ImportParams) -> SessionSummary:
    """Take a session from a .trace file into the log of the workspace."""
    path = _file(params.path, params.uri)
    if path is None:
        raise InvalidParams("Expected `path` or `uri`, got neither; name a .trace file")
    blobs = Blobs(context.services.workspace.state)
    store, source = context.services.store, str(path)
    found = await _blocking(lambda: saved.read(path, blobs, store.redactor))
    made = await _blocking(lambda: trace_file.entries_of(found, source, store.redactor, blobs))
    name = await store.transact(lambda tx: trace_file.import_into(tx, found, made, source))
    return (await _blocking(lambda: _view(context).show(name, 0))).session


async def _blocking(work: Callable[[], T]) -> T:
    """Return what WORK returns, done beside the loop, with errors as every door names them."""
    return await _told(lambda: asyncio.to_thread(work))


async def _told(work: Callable[[], Awaitable[T]]) -> T:
    """Return what WORK returns, with errors as every door names them."""
    try:
        return await work()
    except SessionError as error:
        raise error.at_doors(error.message, **error.data, reason=error.code) from None


def _view(context: Context) -> SessionView:
    return SessionView(context.services.workspace.database)


def _file(path: str | None, uri: str | None) -> Path | None:
    if path is None and uri is None:
        return None
    file = path_of(path or uri or "")
    if not file.is_absolute():
        raise InvalidParams(f"Expected an absolute path, got {str(file)!r}; give the whole path")
    return file


def _default(context: Context, session: str) -> Path:
    folder = context.services.workspace.state / EXPORTS
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{session.replace('/', '_')}{SUFFIX}"
