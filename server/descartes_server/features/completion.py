"""`textDocument/completion` and `completionItem/resolve`."""

from __future__ import annotations

from typing import Any

from lsprotocol import types

from descartes_server.dispatch import on_snapshot
from descartes_server.ide import completion as ide
from descartes_server.ide import hover
from descartes_server.lsp import to_proto
from descartes_server.lsp.codec import Wire
from descartes_server.state import ServerState, Snapshot

_LIMIT = 1000
_ASKED = ("operator", "argument", "qualified", "package")


def register(state: ServerState) -> None:
    options = types.CompletionOptions(trigger_characters=[":", "("], resolve_provider=True)
    on_snapshot(state, types.TEXT_DOCUMENT_COMPLETION, _complete, options)
    on_snapshot(state, types.COMPLETION_ITEM_RESOLVE, _resolve)


async def _complete(snapshot: Snapshot, params: types.CompletionParams) -> Wire:
    document = await snapshot.document(params.text_document.uri)
    if document.is_settings:
        from descartes_server.features import settings_text

        return settings_text.completion(document, params)
    syntax = await snapshot.syntax(document)
    offset = document.positions.offset(params.position)
    place = ide.context(syntax, offset)
    items = ide.static_items(syntax, offset, snapshot.index)
    if place.position in _ASKED and place.prefix:
        asked = snapshot.image.ask(lambda image: image.completions(place.prefix, place.package, _LIMIT))
        items = ide.merge(items, await asked or (), place.prefix)[:_LIMIT]
    return to_proto.completion(items, place, document.positions, complete=len(items) < ide.LIMIT)


async def _resolve(snapshot: Snapshot, item: types.CompletionItem) -> types.CompletionItem:
    """Add the documentation: the item's own from the text, else the image's."""
    data: dict[str, Any] = item.data if isinstance(item.data, dict) else {}
    text, name = str(data.get("documentation") or ""), str(data.get("name") or item.label)
    if not text:
        package = str(data.get("package") or "COMMON-LISP-USER")
        info = await snapshot.image.ask(lambda image: image.symbol(name, package))
        subject = hover.from_image(info) if info else None
        text = hover.markdown(subject)
    if text:
        item.documentation = types.MarkupContent(kind=types.MarkupKind.Markdown, value=text)
    return item
