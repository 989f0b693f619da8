"""Code actions that change the text: export what is defined, import what is used, extract and inline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from pathlib import Path

from lsprotocol import types

from descartes_core.errors import InvalidParams, NotFound
from descartes_server.features.renaming import workspace_edit
from descartes_server.ide import extracting, inlining, inlining_calls, package_edits
from descartes_server.ide.assigning import Kinds
from descartes_server.ide.edits import Edit
from descartes_server.ide.index import Entry, package_name
from descartes_server.ide.roles import base_name, symbol_of
from descartes_server.ide.syntax import SymbolToken, Syntax
from descartes_server.state import Document, Snapshot

_REWRITE = types.CodeActionKind.RefactorRewrite


async def offered(
    snapshot: Snapshot, document: Document, start: int, end: int, wanted: Collection[str]
) -> list[types.CodeAction]:
    """Return what can be done between START and END of DOCUMENT; WANTED: the kinds, "" for all of them."""
    syntax = await snapshot.syntax(document)
    found = []
    if start < end and not {"", "refactor", "refactor.extract"}.isdisjoint(wanted):
        found += await _extract(snapshot, document, syntax, start, end)
    if not {"", "refactor", "refactor.rewrite"}.isdisjoint(wanted):
        found += await _in_packages(snapshot, document, syntax, start)
    if not {"", "refactor", "refactor.inline"}.isdisjoint(wanted):
        found += await _inline(snapshot, document, syntax, start)
    return found


async def _extract(
    snapshot: Snapshot, document: Document, syntax: Syntax, start: int, end: int
) -> list[types.CodeAction]:
    edits = await asyncio.to_thread(extracting.function, syntax, start, end, _kinds(snapshot))
    if edits is None:
        return []
    edit = workspace_edit(snapshot, [(document, edits)])
    return [_action("Extract to a function", types.CodeActionKind.RefactorExtract, edit)]


async def _inline(
    snapshot: Snapshot, document: Document, syntax: Syntax, offset: int
) -> list[types.CodeAction]:
    """Return what puts a value, or the body of a function, where the symbol at OFFSET stands."""
    symbol = syntax.symbol_at(offset)
    if symbol is None:
        return []
    edit = await asyncio.to_thread(inlining.variable, syntax, offset, _kinds(snapshot))
    title = f"Inline {symbol.text}"
    if edit is None and inlining_calls.is_call(syntax, symbol):
        edit = await _inlined_call(snapshot, syntax, symbol)
        title = f"Inline this call of {symbol.text}"
    if edit is None:
        return []
    return [
        _action(title, types.CodeActionKind.RefactorInline, workspace_edit(snapshot, [(document, [edit])]))
    ]


async def _inlined_call(snapshot: Snapshot, syntax: Syntax, symbol: SymbolToken) -> Edit | None:
    package = package_name(syntax.package_at(symbol.start))
    named = [each for each in snapshot.index.lookup(base_name(symbol.text)) if each.package == package]
    if [each.kind for each in named] != ["function"]:
        return None
    try:
        text = await snapshot.document(Path(named[0].path).as_uri())
    except (NotFound, InvalidParams):
        return None
    return await asyncio.to_thread(inlining_calls.call, syntax, symbol, await snapshot.syntax(text))


def _kinds(snapshot: Snapshot) -> Kinds:
    return lambda name: {each.kind for each in snapshot.index.lookup(name)}


async def _in_packages(
    snapshot: Snapshot, document: Document, syntax: Syntax, offset: int
) -> list[types.CodeAction]:
    """Return what can be done at OFFSET in the packages that the workspace defines."""
    if (defined := package_edits.defined_at(syntax, offset)) is not None:
        return await _export(snapshot, defined)
    symbol = syntax.symbol_at(offset)
    if symbol is not None and package_edits.is_qualified(symbol):
        return await _import(snapshot, document, syntax, symbol)
    return []


async def _export(snapshot: Snapshot, defined: Entry) -> list[types.CodeAction]:
    symbol = symbol_of(defined.name)
    async for entry, text in _packages(snapshot, defined.package):
        change = package_edits.toggled(await snapshot.syntax(text), defined.package, symbol)
        if change is not None:
            edit = workspace_edit(snapshot, [(text, [change.edit])])
            return [_action(package_edits.title(change, symbol, entry), _REWRITE, edit)]
    return []


async def _import(
    snapshot: Snapshot, document: Document, syntax: Syntax, symbol: SymbolToken
) -> list[types.CodeAction]:
    package = package_name(syntax.package_at(symbol.start))
    shorter = package_edits.unqualified(syntax, symbol, snapshot.index)
    async for entry, text in _packages(snapshot, package):
        edit = package_edits.imported(await snapshot.syntax(text), package, symbol)
        if edit is not None and shorter:
            title = f"Import {symbol.text.rpartition(':')[2]} into {entry.name}"
            changed = workspace_edit(snapshot, _together(document, shorter, text, edit))
            return [_action(title, _REWRITE, changed)]
    return []


def _together(
    document: Document, shorter: list[Edit], text: Document, edit: Edit
) -> list[tuple[Document, list[Edit]]]:
    if text.uri == document.uri:
        return [(document, sorted([*shorter, edit], key=lambda each: each.start))]
    return [(text, [edit]), (document, shorter)]


async def _packages(snapshot: Snapshot, package: str) -> AsyncIterator[tuple[Entry, Document]]:
    """Yield where the workspace defines PACKAGE, and the texts there."""
    for entry in package_edits.packages(snapshot.index, package):
        try:
            yield entry, await snapshot.document(Path(entry.path).as_uri())
        except (NotFound, InvalidParams):
            continue  # it is no more what it was when it was looked through


def _action(title: str, kind: types.CodeActionKind, edit: types.WorkspaceEdit) -> types.CodeAction:
    return types.CodeAction(title=title, kind=kind, edit=edit)
