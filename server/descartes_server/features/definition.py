"""`textDocument/definition`: the image's places first, then what the texts tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from descartes_server.dispatch import on_snapshot
from descartes_server.ide import definition as ide
from descartes_server.ide.syntax import Syntax
from descartes_server.lsp import to_proto
from descartes_server.state import Document, ServerState, Snapshot, mentions

if TYPE_CHECKING:
    from descartes_swank.service import Definition


def register(state: ServerState) -> None:
    on_snapshot(state, types.TEXT_DOCUMENT_DEFINITION, _definition)


async def _definition(snapshot: Snapshot, params: types.DefinitionParams) -> list[types.Location]:
    document = await snapshot.document(params.text_document.uri)
    syntax = await snapshot.syntax(document)
    offset = document.positions.offset(params.position)
    symbol = syntax.symbol_at(offset)
    if symbol is None:
        return []
    found = ide.find_static(syntax, offset, snapshot.index, document.real_path)
    if not found or any(target.kind in ("generic", "method") for target in found):
        package = syntax.package_at(offset)
        asked = await snapshot.image.ask(lambda image: image.definitions(symbol.text, package))
        places = [await _place(snapshot, each) for each in asked or ()]
        if places:
            return _each_once([place for place in places if place is not None])
    return _each_once([await _location(snapshot, document, target) for target in found])


async def _location(snapshot: Snapshot, document: Document, target: ide.Target) -> types.Location:
    if target.path is None:
        return to_proto.location(document.uri, document.positions, target.name_start, target.name_end)
    other = await snapshot.document(mentions.open_uri(snapshot, target.path))
    return to_proto.location(other.uri, other.positions, target.name_start, target.name_end)


async def _place(snapshot: Snapshot, found: Definition) -> types.Location | None:
    """The image's offset counts in the file on disk; in a text that has changed its snippet is looked for."""
    try:
        document = await snapshot.document(mentions.open_uri(snapshot, found.file))
    except Exception:  # a file that is gone or unreadable is no place to go to
        return None
    offset = _moved(document, found)
    syntax: Syntax = await snapshot.syntax(document)
    form = next((form for form in syntax.forms if form.start <= offset < form.end), None)
    start, end = (form.name_start, form.name_end) if form and form.start == offset else (offset, offset)
    return to_proto.location(document.uri, document.positions, start, end)


def _moved(document: Document, found: Definition) -> int:
    snippet = (found.snippet or "").strip()[:80]
    if not snippet or document.text.startswith(snippet, found.offset):
        return found.offset
    near = document.text.rfind(snippet, 0, found.offset + len(snippet) + 2000)
    return near if near >= 0 else found.offset


def _each_once(locations: list[types.Location]) -> list[types.Location]:
    return [each for number, each in enumerate(locations) if each not in locations[:number]]
