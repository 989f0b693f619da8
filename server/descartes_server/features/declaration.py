"""`textDocument/declaration`: what declares a name, apart from what defines it."""

from __future__ import annotations

from lsprotocol import types

from descartes_server.features import going
from descartes_server.ide import declarations as ide
from descartes_server.ide.names import divided, is_keyword
from descartes_server.ide.roles import base_name
from descartes_server.ide.scopes import binding_of
from descartes_server.ide.syntax import SymbolToken, Syntax
from descartes_server.state import Snapshot, mentions, places
from descartes_server.state.places import Place


async def declaration(snapshot: Snapshot, params: types.DeclarationParams) -> going.Answer:
    document = await snapshot.document(params.text_document.uri)
    syntax = await snapshot.syntax(document)
    symbol = syntax.symbol_at(document.positions.offset(params.position))
    if symbol is None:
        return []
    found = []
    if not is_keyword(symbol.text) and binding_of(syntax, symbol) is None:
        found = await _declaring(snapshot, syntax, symbol)
    found = found or await places.of_symbol(snapshot, document, symbol)
    return going.answer(snapshot, types.TEXT_DOCUMENT_DECLARATION, document, symbol, found)


async def _declaring(snapshot: Snapshot, syntax: Syntax, symbol: SymbolToken) -> list[Place]:
    """Return the declamations of SYMBOL and its generic function; without any, where it is exported."""
    text, package = symbol.text, syntax.package_at(symbol.start)
    overlay = await places.overlay(snapshot)
    base = base_name(divided(text)[1])
    found = await mentions.search(snapshot, base.strip("|"), lambda each: ide.declared(each, base))
    documents = {id(each): document for document, declared in found for each in declared}
    declared, exports = ide.meant(overlay, text, package, [each for _, some in found for each in some])
    generics = await places.of_entries(snapshot, ide.generics(overlay, text, package))
    declaring = [places.of_declaration(documents[id(each)], each) for each in declared]
    return [*declaring, *generics] or [places.of_declaration(documents[id(each)], each) for each in exports]
