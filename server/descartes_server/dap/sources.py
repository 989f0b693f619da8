"""The text of files that a client asks the adapter for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descartes_core.errors import InvalidParams
from descartes_server.dap import arguments
from descartes_server.dap.requests import request
from descartes_server.operations.texts import read_file

if TYPE_CHECKING:
    from descartes_server.dap.adapter import Adapter


@request("source", arguments.Source)
async def source(adapter: Adapter, asked: arguments.Source) -> dict[str, Any]:
    """Return the text of a file by its path; this adapter gives no source a number."""
    path = asked.source.path if asked.source is not None else None
    if path is None:
        raise InvalidParams("expected a source with a path; this adapter has none under numbers")
    text = await read_file(adapter.places.path(path))
    return {"content": text.text, "mimeType": "text/x-common-lisp"}
