"""`textDocument/definition`: the image's places first, then what the texts tell."""

from __future__ import annotations

from lsprotocol import types

from descartes_server.dispatch import on_snapshot
from descartes_server.features import going
from descartes_server.state import ServerState, Snapshot, places


def register(state: ServerState) -> None:
    on_snapshot(state, types.TEXT_DOCUMENT_DEFINITION, _definition)


async def _definition(snapshot: Snapshot, params: types.DefinitionParams) -> going.Answer:
    document = await snapshot.document(params.text_document.uri)
    syntax = await snapshot.syntax(document)
    symbol = syntax.symbol_at(document.positions.offset(params.position))
    if symbol is None:
        return []
    found = await places.of_symbol(snapshot, document, symbol)
    return going.answer(snapshot, types.TEXT_DOCUMENT_DEFINITION, document, symbol, found)
