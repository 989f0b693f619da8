"""`textDocument/typeDefinition`: the class, structure or type of what stands at a place."""

from __future__ import annotations

from lsprotocol import types

from descartes_server.features import going
from descartes_server.ide import declarations, type_names
from descartes_server.ide import type_definition as ide
from descartes_server.ide.names import TYPE_KINDS, divided
from descartes_server.ide.overlay import Overlay
from descartes_server.ide.roles import base_name
from descartes_server.ide.syntax import SymbolToken, Syntax
from descartes_server.ide.type_names import TypeName
from descartes_server.state import Snapshot, mentions, places
from descartes_server.state.places import Place


async def type_definition(snapshot: Snapshot, params: types.TypeDefinitionParams) -> going.Answer:
    document = await snapshot.document(params.text_document.uri)
    syntax = await snapshot.syntax(document)
    symbol = syntax.symbol_at(document.positions.offset(params.position))
    if symbol is None:
        return []
    overlay = await places.overlay(snapshot)
    found = await _defined(snapshot, overlay, ide.types_at(overlay, syntax, symbol))
    if not found and not ide.is_local(syntax, symbol):
        found = await _of_name(snapshot, overlay, syntax, symbol)
    return going.answer(snapshot, types.TEXT_DOCUMENT_TYPE_DEFINITION, document, symbol, found)


async def _of_name(snapshot: Snapshot, overlay: Overlay, syntax: Syntax, symbol: SymbolToken) -> list[Place]:
    """Return where the class that SYMBOL names is defined, or else that of the global variable."""
    package = syntax.package_at(symbol.start)
    own = await _defined(snapshot, overlay, [TypeName(symbol.text, package)])
    return own or await _defined(
        snapshot, overlay, await _of_variable(snapshot, overlay, symbol.text, package)
    )


async def _of_variable(snapshot: Snapshot, overlay: Overlay, text: str, package: str) -> list[TypeName]:
    """Return the types that the global variable TEXT is declared to have, else that of its first value."""
    base = base_name(divided(text)[1])
    entries = ide.variables(overlay, text, package)
    texts = await mentions.search(snapshot, base.strip("|"), lambda each: declarations.declared(each, base))
    declared, _ = declarations.meant(overlay, text, package, [each for _, some in texts for each in some])
    names = [name for each in declared for name in type_names.in_specifier(each.type, each.package)]
    for place in await places.of_entries(snapshot, [] if names else entries):
        syntax = await snapshot.syntax(place.document)
        names += ide.of_first_value(overlay, syntax, place.start)
    return names


async def _defined(snapshot: Snapshot, overlay: Overlay, names: list[TypeName]) -> list[Place]:
    """Return where the types NAMES are defined: by the texts, else as the image knows it."""
    found: list[Place] = []
    for each in names:
        entries = overlay.classes(each.text, each.package, TYPE_KINDS)
        if entries:
            found += await places.of_entries(snapshot, entries)
        else:
            known = await places.of_image(snapshot, each.text, each.package)
            found += [place for place in known if place.kind in TYPE_KINDS]
    return places.each_once(found)
