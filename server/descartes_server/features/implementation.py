"""`textDocument/implementation`: the methods of a generic function, the subclasses of a class."""

from __future__ import annotations

from lsprotocol import types

from descartes_server.features import going
from descartes_server.ide import implementations as ide
from descartes_server.ide.syntax import SymbolToken, Syntax
from descartes_server.state import Snapshot, class_places, places
from descartes_server.state.places import Place


async def implementation(snapshot: Snapshot, params: types.ImplementationParams) -> going.Answer:
    document = await snapshot.document(params.text_document.uri)
    syntax = await snapshot.syntax(document)
    symbol = syntax.symbol_at(document.positions.offset(params.position))
    if symbol is None:
        return []
    found = await _implementing(snapshot, syntax, symbol)
    if found is None:
        found = await places.of_symbol(snapshot, document, symbol)
    return going.answer(snapshot, types.TEXT_DOCUMENT_IMPLEMENTATION, document, symbol, found)


async def _implementing(snapshot: Snapshot, syntax: Syntax, symbol: SymbolToken) -> list[Place] | None:
    """Return what implements SYMBOL; None when it names neither a generic function nor a class."""
    senses, package = ide.senses(syntax, symbol), syntax.package_at(symbol.start)
    parts = []
    if "function" in senses:
        parts.append(await _methods(snapshot, symbol.text, package))
    if "class" in senses:
        below = await class_places.related(snapshot, symbol.text, package, "descendants")
        parts.append(below if below is None else [each.place for each in below])
    known = [part for part in parts if part is not None]
    return places.each_once(each for part in known for each in part) if known else None


async def _methods(snapshot: Snapshot, name: str, package: str) -> list[Place] | None:
    entries = ide.methods(await places.overlay(snapshot), name, package)
    found = [
        each
        for function in (name, f"(setf {name})")
        for each in await places.of_image(snapshot, function, package)
    ]
    if entries is None and not any(each.kind in ("generic", "method", "slot") for each in found):
        return None
    in_texts = await places.of_entries(snapshot, entries or ())
    return places.each_once([*in_texts, *(each for each in found if each.kind in ("method", "slot"))])
