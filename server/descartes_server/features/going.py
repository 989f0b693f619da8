"""Answers to "where is …": places as the client takes them."""

from __future__ import annotations

from collections.abc import Iterable

from lsprotocol import types

from descartes_server.ide.syntax import SymbolToken
from descartes_server.lsp import to_proto
from descartes_server.state import Document, Snapshot
from descartes_server.state.places import Place

Answer = list[types.Location] | list[types.LocationLink]


def answer(
    snapshot: Snapshot, method: str, document: Document, symbol: SymbolToken, found: Iterable[Place]
) -> Answer:
    """Return FOUND for SYMBOL of DOCUMENT; as links where the client takes them for METHOD."""
    if not snapshot.abilities.has(f"{method.replace('/', '.')}.linkSupport"):
        return [
            to_proto.location(each.document.uri, each.document.positions, each.name_start, each.name_end)
            for each in found
        ]
    origin = document.positions.range(symbol.start, symbol.end)
    return [_link(origin, each) for each in found]


def _link(origin: types.Range, place: Place) -> types.LocationLink:
    whole, name = (place.start, place.end), (place.name_start, place.name_end)
    return to_proto.location_link(origin, place.document.uri, place.document.positions, whole, name)
