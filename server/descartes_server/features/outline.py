"""`textDocument/documentSymbol` and `textDocument/foldingRange`."""

from __future__ import annotations

from lsprotocol import types

from descartes_server.dispatch import on_snapshot
from descartes_server.ide import folding, symbols
from descartes_server.lsp import to_proto
from descartes_server.lsp.codec import Wire
from descartes_server.state import ServerState, Snapshot


def register(state: ServerState) -> None:
    on_snapshot(state, types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, _document_symbols, places=True)
    on_snapshot(state, types.TEXT_DOCUMENT_FOLDING_RANGE, _folding_ranges, places=True)


async def _document_symbols(snapshot: Snapshot, params: types.DocumentSymbolParams) -> Wire:
    document = await snapshot.document(params.text_document.uri)
    entries = _of_history(document.text) if document.is_history else None
    found = entries if entries is not None else symbols.document_symbols(await snapshot.syntax(document))
    shown = snapshot.abilities.get("textDocument.documentSymbol.symbolKind.valueSet")
    if snapshot.abilities.has("textDocument.documentSymbol.hierarchicalDocumentSymbolSupport"):
        return to_proto.document_symbols(found, document.positions, shown)
    return Wire(to_proto.flat_symbols(found, document.uri, document.positions, shown))


async def _folding_ranges(snapshot: Snapshot, params: types.FoldingRangeParams) -> Wire:
    document = await snapshot.document(params.text_document.uri)
    return to_proto.folding_ranges(folding.folding_ranges(await snapshot.syntax(document)))


def _of_history(text: str) -> list[symbols.Symbol] | None:
    from descartes_server.ide import timeline_document  # few look at one; a start need not wait for it

    return timeline_document.symbols(text)
