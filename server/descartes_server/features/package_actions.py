"""The code actions that change a package's definition: export what is defined, import what is used."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from lsprotocol import types

from descartes_core.errors import InvalidParams, NotFound
from descartes_server.features.renaming import workspace_edit
from descartes_server.ide import package_edits
from descartes_server.ide.index import Entry, package_name
from descartes_server.ide.renaming import Edit
from descartes_server.ide.syntax import SymbolToken, Syntax
from descartes_server.state import Document, Snapshot


async def offered(snapshot: Snapshot, document: Document, offset: int) -> list[types.CodeAction]:
    """Return what can be done at OFFSET of DOCUMENT in the packages that the workspace defines."""
    syntax = await snapshot.syntax(document)
    if (defined := package_edits.defined_at(syntax, offset)) is not None:
        return await _export(snapshot, defined)
    symbol = syntax.symbol_at(offset)
    if symbol is not None and package_edits.is_qualified(symbol):
        return await _import(snapshot, document, syntax, symbol)
    return []


async def _export(snapshot: Snapshot, defined: Entry) -> list[types.CodeAction]:
    symbol = package_edits.symbol_of(defined.name)
    async for entry, text in _packages(snapshot, defined.package):
        change = package_edits.toggled(await snapshot.syntax(text), defined.package, symbol)
        if change is not None:
            edit = workspace_edit(snapshot, [(text, [change.edit])])
            return [_action(package_edits.title(change, symbol, entry), edit)]
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
            return [_action(title, workspace_edit(snapshot, _together(document, shorter, text, edit)))]
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


def _action(title: str, edit: types.WorkspaceEdit) -> types.CodeAction:
    return types.CodeAction(title=title, kind=types.CodeActionKind.RefactorRewrite, edit=edit)
