"""Where definitions stand: those of the texts as they are now, and those that the image knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from descartes_core.errors import DescartesError
from descartes_server.ide import definition
from descartes_server.ide.definition import Target
from descartes_server.ide.index import Entry, definitions_of_text
from descartes_server.state import mentions
from descartes_server.state.documents import Document
from descartes_server.state.snapshot import Snapshot

if TYPE_CHECKING:
    from descartes_server.ide.declarations import Declaration
    from descartes_server.ide.overlay import Overlay
    from descartes_server.ide.syntax import SymbolToken
    from descartes_swank.service import Definition


@dataclass(frozen=True)
class Place:
    """A definition in a text, from START to END, whose name stands from NAME_START to NAME_END."""

    document: Document
    start: int
    end: int
    name_start: int
    name_end: int
    kind: str


async def overlay(snapshot: Snapshot) -> Overlay:
    """Return what the workspace defines, the texts that are open in place of their files."""
    from descartes_server.ide.overlay import Overlay  # a start need not wait for it

    opened, hidden = {}, set()
    for document in snapshot.documents.values():
        entries = definitions_of_text(await snapshot.syntax(document))
        opened[document.uri] = tuple(replace(each, path=document.uri) for each in entries)
        hidden.add(document.real_path or "")
    return Overlay(snapshot.index, opened, hidden)


async def of_symbol(snapshot: Snapshot, document: Document, symbol: SymbolToken) -> list[Place]:
    """Return where SYMBOL of DOCUMENT is defined: the image's places before those of the texts."""
    syntax = await snapshot.syntax(document)
    found = definition.find_static(syntax, symbol.start, snapshot.index, document.real_path)
    if not found or any(target.kind in ("generic", "method") for target in found):
        known = await of_image(snapshot, symbol.text, syntax.package_at(symbol.start))
        if known:
            return known
    places = [await _of_target(snapshot, document, target) for target in found]
    return each_once(place for place in places if place is not None)


async def of_image(snapshot: Snapshot, name: str, package: str) -> list[Place]:
    """Return where the image knows NAME in PACKAGE to be defined."""
    found = await snapshot.image.ask(lambda image: image.definitions(name, package)) or []
    # Without the text that stands there only the file is known.
    exact = [each for each in found if each.snippet] or found
    places = [await of_definition(snapshot, each, name) for each in exact]
    return each_once(place for place in places if place is not None)


async def of_definition(snapshot: Snapshot, found: Definition, name: str) -> Place | None:
    """Return where the image's definition FOUND of NAME is now; None when its text has it no more."""
    document = await _document(snapshot, found.file)
    if document is None:
        return None
    syntax = await snapshot.syntax(document)
    target = definition.in_text(syntax, found.offset, found.snippet or "", name, found.kind)
    return _place(document, target) if target is not None else None


async def of_entries(snapshot: Snapshot, entries: Iterable[Entry]) -> list[Place]:
    """Return where ENTRIES, of the overlay or the index, stand; those whose file is gone are left out."""
    documents: dict[str, Document | None] = dict(snapshot.documents)
    places = []
    for each in entries:
        if each.path not in documents:
            documents[each.path] = await _document(snapshot, each.path)
        document = documents[each.path]
        if document is not None:
            places.append(_place(document, each))
    return places


def of_declaration(document: Document, found: Declaration) -> Place:
    """Return where FOUND stands in DOCUMENT."""
    return Place(document, found.start, found.end, found.name_start, found.name_end, found.word)


def each_once(places: Iterable[Place]) -> list[Place]:
    """Return PLACES without those that have been named before."""
    found: dict[tuple[str, int], Place] = {}
    for each in places:
        found.setdefault((each.document.real_path or each.document.uri, each.name_start), each)
    return list(found.values())


async def _of_target(snapshot: Snapshot, document: Document, target: Target) -> Place | None:
    other = document if target.path is None else await _document(snapshot, target.path)
    return _place(other, target) if other is not None else None


async def _document(snapshot: Snapshot, path: str) -> Document | None:
    try:
        return await snapshot.document(mentions.open_uri(snapshot, path))
    except DescartesError:  # a file that is gone or no text is no place to go to
        return None


def _place(document: Document, found: Target | Entry) -> Place:
    return Place(document, found.start, found.end, found.name_start, found.name_end, found.kind)
