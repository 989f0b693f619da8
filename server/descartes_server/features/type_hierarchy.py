"""`typeHierarchy/*`: what a class inherits from, and what inherits from it."""

from __future__ import annotations

from typing import Any

from lsprotocol import types

from descartes_core.errors import InvalidParams
from descartes_server.ide.class_tree import Relation
from descartes_server.ide.implementations import senses
from descartes_server.ide.syntax import SymbolToken
from descartes_server.lsp import to_proto
from descartes_server.state import Document, Snapshot, class_places
from descartes_server.state.class_places import ClassPlace
from descartes_server.state.places import Place

Items = list[types.TypeHierarchyItem]


async def prepare_type_hierarchy(
    snapshot: Snapshot, params: types.TypeHierarchyPrepareParams
) -> Items | None:
    document = await snapshot.document(params.text_document.uri)
    syntax = await snapshot.syntax(document)
    symbol = syntax.symbol_at(document.positions.offset(params.position))
    if symbol is None or "class" not in senses(syntax, symbol):
        return None
    package = syntax.package_at(symbol.start)
    found = await class_places.related(snapshot, symbol.text, package, "self")
    if found is None:
        return None
    return [_item(each) for each in found or [_mentioned(document, symbol, package)]]


def _mentioned(document: Document, symbol: SymbolToken, package: str) -> ClassPlace:
    """Return the class that SYMBOL names, which is in no file, where it is mentioned."""
    place = Place(document, symbol.start, symbol.end, symbol.start, symbol.end, "class")
    return ClassPlace(symbol.text, package, place)


async def supertypes(snapshot: Snapshot, params: types.TypeHierarchySupertypesParams) -> Items:
    return await _related(snapshot, params.item.data, "supertypes")


async def subtypes(snapshot: Snapshot, params: types.TypeHierarchySubtypesParams) -> Items:
    return await _related(snapshot, params.item.data, "subtypes")


async def _related(snapshot: Snapshot, data: Any, relation: Relation) -> Items:
    name, package = (data.get("name"), data.get("package")) if isinstance(data, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(package, str):
        raise InvalidParams("expected an item of the type hierarchy with its `data`; prepare it again")
    return [_item(each) for each in await class_places.related(snapshot, name, package, relation) or ()]


def _item(found: ClassPlace) -> types.TypeHierarchyItem:
    place = found.place
    positions = place.document.positions
    return types.TypeHierarchyItem(
        name=found.name,
        kind=to_proto.SYMBOL_KINDS.get(place.kind, types.SymbolKind.Class),
        detail=found.package.strip('":#|').lower(),
        uri=place.document.uri,
        range=positions.range(place.start, place.end),
        selection_range=positions.range(place.name_start, place.name_end),
        data={"name": found.name, "package": found.package},
    )
