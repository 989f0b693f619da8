"""`textDocument/references` and `documentHighlight`: what the texts show and what the image knows."""

from __future__ import annotations

from lsprotocol import types

from descartes_server.dispatch import on_snapshot
from descartes_server.ide import references as ide
from descartes_server.ide import scopes
from descartes_server.ide.references import Occurrence
from descartes_server.ide.syntax import SymbolToken, Syntax
from descartes_server.lsp import to_proto
from descartes_server.state import Document, ServerState, Snapshot, mentions


def register(state: ServerState) -> None:
    on_snapshot(state, types.TEXT_DOCUMENT_REFERENCES, _references)
    on_snapshot(state, types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT, _highlights)


async def _references(snapshot: Snapshot, params: types.ReferenceParams) -> list[types.Location]:
    document = await snapshot.document(params.text_document.uri)
    syntax = await snapshot.syntax(document)
    symbol = syntax.symbol_at(document.positions.offset(params.position))
    if symbol is None:
        return []
    binding = scopes.binding_of(syntax, symbol)
    if binding is not None:
        found = ide.of_binding(syntax, binding)
        return _locations(document, found if params.context.include_declaration else found[1:])
    name = mentions.name_of(snapshot.index, syntax, symbol)
    places = await mentions.everywhere(snapshot, name)
    places += await mentions.known_to_image(
        snapshot, symbol.text, syntax.package_at(symbol.start), name, places
    )
    if not params.context.include_declaration:
        places = [(text, [each for each in found if each.use != "definition"]) for text, found in places]
    return [location for text, found in places for location in _locations(text, found)]


async def _highlights(
    snapshot: Snapshot, params: types.DocumentHighlightParams
) -> list[types.DocumentHighlight]:
    document = await snapshot.document(params.text_document.uri)
    syntax = await snapshot.syntax(document)
    symbol = syntax.symbol_at(document.positions.offset(params.position))
    if symbol is None:
        return []
    kinds = types.DocumentHighlightKind
    return [
        types.DocumentHighlight(
            range=document.positions.range(each.start, each.end),
            kind=kinds.Write if each.use == "definition" else kinds.Read,
        )
        for each in _in_one_text(snapshot, syntax, symbol)
    ]


def _in_one_text(snapshot: Snapshot, syntax: Syntax, symbol: SymbolToken) -> list[Occurrence]:
    binding = scopes.binding_of(syntax, symbol)
    if binding is not None:
        return ide.of_binding(syntax, binding)
    return ide.of_name(syntax, mentions.name_of(snapshot.index, syntax, symbol))


def _locations(document: Document, found: list[Occurrence]) -> list[types.Location]:
    return [to_proto.location(document.uri, document.positions, each.start, each.end) for each in found]
