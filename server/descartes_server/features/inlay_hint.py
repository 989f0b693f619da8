"""`textDocument/inlayHint`: values of evaluations at their forms, variables of stopped frames at theirs."""

from __future__ import annotations

from typing import Any

from lsprotocol import types

from descartes_core.errors import DescartesError
from descartes_server.dispatch import on_snapshot
from descartes_server.ide import results as ide
from descartes_server.ide.results import Hint
from descartes_server.ide.stops import Stop
from descartes_server.lsp import to_proto
from descartes_server.state import Document, ServerState, Snapshot


def register(state: ServerState) -> None:
    async def hints(snapshot: Snapshot, params: types.InlayHintParams) -> list[types.InlayHint]:
        attachment = state.attachment
        if attachment is None or not attachment.loaded.settings.inline_results.show:
            return []
        document = await snapshot.document(params.text_document.uri)
        found = [*_results(snapshot, document), *await _frames(state, snapshot, document)]
        start, end = document.positions.span(params.range)
        return [to_proto.inlay_hint(each, document.positions) for each in found if start <= each.at <= end]

    on_snapshot(state, types.TEXT_DOCUMENT_INLAY_HINT, hints, places=True)


def _results(snapshot: Snapshot, document: Document) -> list[Hint]:
    results = snapshot.workshop.results.get(document.real_path or "", ())
    return [Hint(document.lines.offset(*each.end), each.label, each.tooltip) for each in results]


async def _frames(state: ServerState, snapshot: Snapshot, document: Document) -> list[Hint]:
    stops = [each for each in snapshot.workshop.stops if each.path and each.path == document.real_path]
    hints = []
    for stop in stops:
        frame = await _frame(state, stop)
        label = ide.of_frame(stop, frame) if frame else ""
        if label:
            hints.append(Hint(document.lines.offset(*stop.end), label, stop.call))
    return hints


async def _frame(state: ServerState, stop: Stop) -> dict[str, Any] | None:
    """A stop that was left meanwhile has no variables any more."""
    if stop.frame is None or state.attachment is None:
        return None
    try:
        return await state.attachment.call("debugger.frame", {**stop.key, "frame": stop.frame})
    except DescartesError:
        return None
