"""The operations `file.*`: one file of the workspace read, made or changed, by the rules of runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from descartes_core.agents.fenced import digest_of
from descartes_core.agents.tools import files, paths, texts
from descartes_core.errors import InvalidParams
from descartes_core.leases import LeaseView
from descartes_core.model import Lease, Shape
from descartes_server.operations.context import Context
from descartes_server.operations.registry import Params, operation
from descartes_server.operations.texts import path_of

if TYPE_CHECKING:
    from descartes_core.agents.outside import Desk, Outsider


class ReadParams(Params, frozen=True, kw_only=True):
    """LIMIT lines of the file PATH from the line OFFSET on, which counts from 1."""

    path: str
    offset: int = 1
    limit: int | None = None


class ChangeParams(Params, frozen=True, kw_only=True):
    """The file PATH. DIGEST: that of the text this is based on; another content is then not overwritten.

    WAIT_MS: how long to wait for a person's answer where one is asked; without it, as long as the caller.
    """

    path: str
    digest: str | None = None
    wait_ms: int | None = None


class WriteParams(ChangeParams, frozen=True, kw_only=True):
    """CONTENT is all that the file has then; folders that are missing are made."""

    content: str


class EditParams(ChangeParams, frozen=True, kw_only=True):
    """OLD must occur exactly once in the file, and becomes NEW."""

    old: str
    new: str


class FileText(Shape, frozen=True, kw_only=True):
    """Text of a file on disk. LINES is how many it has; LEASE is what somebody holds on it."""

    path: str
    text: str
    lines: int
    digest: str
    lease: Lease | None = None


class FileChanged(Shape, frozen=True, kw_only=True):
    """A file as it was written. LEASE is the caller's own on it, where it keeps one."""

    path: str
    bytes: int
    digest: str
    lease: Lease | None = None


@operation("file.read", kind="read", for_agents=True, positional=("path",))
async def read(context: Context, params: ReadParams) -> FileText:
    """Read a text file of the workspace, as it is on disk."""
    services = context.services
    root = services.workspace.root
    found = await asyncio.to_thread(paths.readable, root, _named(context, params.path))
    if found.is_dir():
        raise InvalidParams(f"expected a file, {params.path!r} is a folder")
    data = await asyncio.to_thread(_bytes_of, found, params.path)
    text = texts.decode(data, params.path).content
    shown = files.cut(files.lines_of(text, params.offset, params.limit))
    view = LeaseView(services.reader, root, services.clock)
    return FileText(
        path=paths.relative(root, found),
        text=shown,
        lines=text.count("\n") + bool(text and not text.endswith("\n")),
        digest=digest_of(data),
        lease=await view.show(found.as_uri()),
    )


@operation("file.write", kind="effect", needs_trust=True, for_agents=True, positional=("path", "content"))
async def write(context: Context, params: WriteParams) -> FileChanged:
    """Make a file or replace all of it, under its lease, which is taken if it is free."""
    return await _change(context, params, "write", {"content": params.content})


@operation("file.edit", kind="effect", needs_trust=True, for_agents=True, positional=("path", "old", "new"))
async def edit(context: Context, params: EditParams) -> FileChanged:
    """Replace one place of a file, under its lease, which is taken if it is free."""
    return await _change(context, params, "edit", {"old": params.old, "new": params.new})


async def _change(context: Context, params: ChangeParams, tool: str, given: dict[str, Any]) -> FileChanged:
    # Imported here: who only reads needs none of it.
    from descartes_core.agents.outside import OutsideCall

    root = context.services.workspace.root
    caller = await _outsider(context)
    arguments = {"path": _named(context, params.path), **given}
    call = OutsideCall(_desk(context), caller, tool, arguments, digest=params.digest, wait_ms=params.wait_ms)
    data = await call.perform()
    found = await asyncio.to_thread(paths.writable, root, arguments["path"])
    held = await context.services.leases.list(found.as_uri())
    return FileChanged(
        path=paths.relative(root, found),
        bytes=len(data),
        digest=digest_of(data),
        lease=next((each for each in held if each.holder.same_as(caller.principal)), None),
    )


def _named(context: Context, path: str) -> str:
    """Return PATH, a file URI too, as events name it."""
    return context.services.workspace.path_of(str(path_of(path)))


def _desk(context: Context) -> Desk:
    from descartes_core.agents.outside import Desk
    from descartes_core.policy.rules import Policy
    from descartes_server.ide.leased_forms import LispForms

    services = context.services
    return Desk(
        workspace=services.workspace.root,
        leases=services.leases,
        interventions=services.interventions,
        body=services.body,
        policy=Policy(lambda: services.hub.settings().policy.rules),
        forms=LispForms(),
        unsaved_in=services.editors.unsaved_in,
        ttl_seconds=lambda: services.hub.settings().leases.ttl_seconds,
    )


async def _outsider(context: Context) -> Outsider:
    """Return the caller as one who writes; the child of a run may what that run may."""
    from descartes_core.agents.outside import Outsider
    from descartes_core.runs.projection import record_of

    services, caller = context.services, context.caller
    if caller.run is None:
        return Outsider(services.store, caller.principal, client=caller.keeps_leases_as)
    record = record_of(await services.runs.row(caller.run))
    return Outsider(
        services.store,
        caller.principal,
        run=record.id,
        session=record.session,
        level=record.tool_level,
        files=record.files,
        about={"id": record.id, "agent": record.agent, "task": record.task, "model": record.model},
    )


def _bytes_of(file: Path, shown: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidParams(f"expected a readable file at {shown!r}: {error.strerror or error}") from None
