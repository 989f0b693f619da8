"""`textDocument/documentLink`."""

from __future__ import annotations

import asyncio

from lsprotocol import types

from descartes_server.ide import links as ide
from descartes_server.lsp import to_proto
from descartes_server.lsp.codec import Wire
from descartes_server.state import Snapshot, link_targets


async def document_link(snapshot: Snapshot, params: types.DocumentLinkParams) -> Wire:
    document = await snapshot.document(params.text_document.uri)
    syntax = await snapshot.syntax(document)
    path = str(document.path) if document.path else None

    def found() -> list[tuple[ide.Link, str]]:
        return link_targets.existing(snapshot, ide.links(syntax, path, snapshot.index))

    return to_proto.document_links(await asyncio.to_thread(found), document.positions)
