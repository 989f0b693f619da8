"""`textDocument/selectionRange`."""

from __future__ import annotations

import asyncio

from lsprotocol import types

from descartes_server.ide import selection
from descartes_server.lsp import to_proto
from descartes_server.lsp.codec import Wire
from descartes_server.state import Snapshot


async def selection_range(snapshot: Snapshot, params: types.SelectionRangeParams) -> Wire | None:
    document = await snapshot.document(params.text_document.uri)
    if not document.is_lisp:
        return None
    syntax = await snapshot.syntax(document)
    offsets = [document.positions.offset(each) for each in params.positions]
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(snapshot.executor, selection.at_each, syntax, offsets)
    return to_proto.selection_ranges(found, document.positions)
