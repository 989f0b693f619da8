"""`prepareRename`, `rename` and `linkedEditingRange`: lexical names exactly, global ones in all texts."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from lsprotocol import types

from descartes_core.errors import InvalidParams
from descartes_server.ide import renaming, scopes
from descartes_server.ide.edits import Edit
from descartes_server.ide.references import Name
from descartes_server.ide.syntax import SymbolToken, Syntax
from descartes_server.state import Document, Snapshot, mentions

T = TypeVar("T")
_UNCERTAIN = "uncertain"
_QUESTION = types.ChangeAnnotation(
    label="May be another package's symbol",
    needs_confirmation=True,
    description="the text does not tell whether its package has this symbol or one of its own",
)


async def prepare_rename(
    snapshot: Snapshot, params: types.PrepareRenameParams
) -> types.PrepareRenamePlaceholder | None:
    document = await snapshot.document(params.text_document.uri)
    syntax = await snapshot.syntax(document)
    symbol = syntax.symbol_at(document.positions.offset(params.position))
    if symbol is None:
        return None
    if scopes.binding_of(syntax, symbol) is None:
        _global_name(snapshot, syntax, symbol)
    start = symbol.start + symbol.text.rfind(":") + 1
    return types.PrepareRenamePlaceholder(
        range=document.positions.range(start, symbol.end), placeholder=syntax.text[start : symbol.end]
    )


async def rename(snapshot: Snapshot, params: types.RenameParams) -> types.WorkspaceEdit | None:
    document = await snapshot.document(params.text_document.uri)
    syntax = await snapshot.syntax(document)
    symbol = syntax.symbol_at(document.positions.offset(params.position))
    if symbol is None:
        return None
    new = params.new_name.strip()
    if not renaming.is_name(new):
        raise InvalidParams(f"expected a symbol without package, bars or quotes, got {new[:100]!r}")
    binding = scopes.binding_of(syntax, symbol)
    if binding is None:
        return await _everywhere(snapshot, _global_name(snapshot, syntax, symbol), new)
    edits = _or_refused(await asyncio.to_thread(renaming.of_binding, syntax, binding, new))
    return workspace_edit(snapshot, [(document, edits)])


async def linked_editing_range(
    snapshot: Snapshot, params: types.LinkedEditingRangeParams
) -> types.LinkedEditingRanges | None:
    document = await snapshot.document(params.text_document.uri)
    syntax = await snapshot.syntax(document)
    symbol = syntax.symbol_at(document.positions.offset(params.position))
    binding = scopes.binding_of(syntax, symbol) if symbol is not None else None
    if binding is None:
        return None
    places = await asyncio.to_thread(renaming.linked, syntax, binding)
    ranges = [document.positions.range(start, end) for start, end in places]
    return types.LinkedEditingRanges(ranges=ranges, word_pattern=renaming.NAME) if ranges else None


def _global_name(snapshot: Snapshot, syntax: Syntax, symbol: SymbolToken) -> Name:
    """Return the global name that SYMBOL means. Errors: `InvalidParams` when it cannot be given another."""
    name = mentions.name_of(snapshot.index, syntax, symbol)
    return _or_refused(renaming.renamable(snapshot.index, syntax, symbol, name))


async def _everywhere(snapshot: Snapshot, name: Name, new: str) -> types.WorkspaceEdit:
    """Return the edits that give NAME the name NEW in all texts. Errors: `InvalidParams` if it is taken."""
    _or_refused(renaming.free(snapshot.index, name, new))
    found = await mentions.everywhere(snapshot, name)
    texts = [
        (document, renaming.of_name(await snapshot.syntax(document), name, places, new))
        for document, places in found
    ]
    return workspace_edit(snapshot, texts)


def _or_refused(found: T | str) -> T:
    """Return what was FOUND. Errors: `InvalidParams` with the sentence that stands in its place."""
    if isinstance(found, str):
        raise InvalidParams(found)
    return found


def workspace_edit(snapshot: Snapshot, texts: list[tuple[Document, list[Edit]]]) -> types.WorkspaceEdit:
    """Return TEXTS and their edits as the editor takes them; it asks about those that are not certain."""
    if not snapshot.abilities.has("workspace.workspaceEdit.documentChanges"):
        return types.WorkspaceEdit(
            changes={document.uri: [_edit(document, each) for each in edits] for document, edits in texts}
        )
    can_ask = isinstance(snapshot.abilities.get("workspace.workspaceEdit.changeAnnotationSupport"), dict)
    asks = can_ask and not all(each.certain for _, edits in texts for each in edits)
    return types.WorkspaceEdit(
        document_changes=[
            types.TextDocumentEdit(
                text_document=types.OptionalVersionedTextDocumentIdentifier(
                    uri=document.uri, version=document.version
                ),
                edits=[_asking(document, each) if asks else _edit(document, each) for each in edits],
            )
            for document, edits in texts
        ],
        change_annotations={_UNCERTAIN: _QUESTION} if asks else None,
    )


def _edit(document: Document, edit: Edit) -> types.TextEdit:
    return types.TextEdit(range=document.positions.range(edit.start, edit.end), new_text=edit.text)


def _asking(document: Document, edit: Edit) -> types.TextEdit | types.AnnotatedTextEdit:
    plain = _edit(document, edit)
    if edit.certain:
        return plain
    return types.AnnotatedTextEdit(range=plain.range, new_text=plain.new_text, annotation_id=_UNCERTAIN)
