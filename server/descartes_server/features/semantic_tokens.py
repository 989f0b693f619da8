"""`textDocument/semanticTokens`: full, delta and range; colours from the text, refined by the image."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from typing import Any

from lsprotocol import types

from descartes_server.dispatch import on_snapshot
from descartes_server.ide import semantic_tokens as ide
from descartes_server.lsp.codec import Wire
from descartes_server.lsp.errors import Malformed
from descartes_server.state import Document, ServerState, Snapshot

_REMEMBERED = 32
_LEGEND = types.SemanticTokensLegend(list(ide.TOKEN_TYPES), list(ide.TOKEN_MODIFIERS))


def register(state: ServerState) -> None:
    answers = _Answers()
    on_snapshot(state, types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, answers.full, _LEGEND, places=True)
    on_snapshot(state, types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL_DELTA, answers.delta, _LEGEND, places=True)
    on_snapshot(state, types.TEXT_DOCUMENT_SEMANTIC_TOKENS_RANGE, answers.range, _LEGEND, places=True)


class _Answers:
    """The last answers, to tell the next from them."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._sent: dict[str, tuple[str, list[int]]] = {}

    async def full(self, snapshot: Snapshot, params: types.SemanticTokensParams) -> Wire:
        document = await snapshot.document(params.text_document.uri)
        data = await _encoded(snapshot, document)
        return Wire({"resultId": self._remember(document.uri, data), "data": data})

    async def delta(self, snapshot: Snapshot, params: types.SemanticTokensDeltaParams) -> Wire:
        document = await snapshot.document(params.text_document.uri)
        data = await _encoded(snapshot, document)
        before = self._sent.get(document.uri)
        result_id = self._remember(document.uri, data)
        if before is None or before[0] != params.previous_result_id:
            return Wire({"resultId": result_id, "data": data})
        return Wire({"resultId": result_id, "edits": _edits(before[1], data)})

    async def range(self, snapshot: Snapshot, params: types.SemanticTokensRangeParams) -> Wire:
        document = await snapshot.document(params.text_document.uri)
        data = await _encoded(snapshot, document)
        first, last = params.range.start.line, params.range.end.line
        if last < first:
            raise Malformed(f"expected a range that ends after its start, got line {first} to {last}")
        return Wire({"data": _between(data, first, last)})

    def _remember(self, uri: str, data: list[int]) -> str:
        result_id = str(next(self._numbers))
        self._sent.pop(uri, None)
        self._sent[uri] = result_id, data
        if len(self._sent) > _REMEMBERED:
            del self._sent[next(iter(self._sent))]
        return result_id


async def _encoded(snapshot: Snapshot, document: Document) -> list[int]:
    syntax = await snapshot.syntax(document)
    return ide.encoded(syntax, snapshot.image.kinds_in(document.uri), snapshot.encoding)


def _edits(old: list[int], new: list[int]) -> list[dict[str, Any]]:
    """Return the one edit that makes NEW of OLD, cut to whole tokens; none when they are the same."""
    limit = min(len(old), len(new))
    start = next((i for i in range(0, limit, 5) if old[i : i + 5] != new[i : i + 5]), limit)
    end = 0
    while (
        end < limit - start
        and old[len(old) - end - 5 : len(old) - end] == new[len(new) - end - 5 : len(new) - end]
    ):
        end += 5
    if start == len(old) == len(new):
        return []
    return [{"start": start, "deleteCount": len(old) - start - end, "data": new[start : len(new) - end]}]


def _between(data: list[int], first: int, last: int) -> list[int]:
    """Return the tokens of DATA on the lines FIRST to LAST, the first one counted from the file's start."""
    lines = list(itertools.accumulate(data[::5]))
    begin, end = bisect_left(lines, first), bisect_left(lines, last + 1)
    if begin == end:
        return []
    piece = data[begin * 5 : end * 5]
    piece[0] = lines[begin]
    return piece
