"""`workspace/symbol`: the definitions of all files and open texts."""

from __future__ import annotations

import asyncio

from lsprotocol import types

from descartes_server.ide import workspace_symbols as ide
from descartes_server.lsp import to_proto, uris
from descartes_server.lsp.codec import Wire
from descartes_server.state import Snapshot


async def symbol(snapshot: Snapshot, params: types.WorkspaceSymbolParams) -> Wire:
    opened = {each.real_path or each.uri: each for each in snapshot.documents.values()}
    texts = {place: await snapshot.syntax(document) for place, document in opened.items()}
    wanted, loop = ide.query(params.query), asyncio.get_running_loop()
    found = await loop.run_in_executor(snapshot.executor, ide.find, wanted, snapshot.index, texts)

    def uri_of(place: str) -> str:
        return opened[place].uri if place in opened else uris.uri_of(place)

    shown = snapshot.abilities.get("workspace.symbol.symbolKind.valueSet")
    return to_proto.workspace_symbols(found, wanted.prefix, uri_of, snapshot.encoding, shown)
