"""Long things as read-only files under `.descartes/views/`, for every client that can open a file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from descartes_server.ide import debugger_document, inspecting, notes_document
from descartes_server.lsp import uris
from descartes_server.state import ServerState

_SHORT = 200
_WIDTH = 110
_LISTED = 1000


async def show(state: ServerState, name: str, result: Mapping[str, Any]) -> None:
    """Show RESULT of operation NAME: a short one as a message, a long one as a file."""
    if name == "debugger.list":
        await _open(state, "debugger.md", debugger_document.document(result["debuggers"]))
        return
    if name in ("history.document", "history.picture", "history.playback"):
        await state.client.open_document(result["uri"], focus=True, at=result.get("range"))
        return
    if name == "history.state":
        from descartes_server.ide import moment  # a start need not wait for it

        text = "\n".join(moment.lines(result, _WIDTH))
        await _open(state, f"state-{result['run'][4:12]}.txt", f"{text}\n")
        return
    if name.startswith("inspector.") and "parts" in result:
        await _open(state, f"inspection-{result['id'][4:12]}.txt", inspecting.document(result))
        return
    if name in ("thought.list", "thought.search"):
        await _open(state, notes_document.NAME, notes_document.document(result["thoughts"]))
        return
    if name == "thought.archive":
        # The list in which it was archived shows what is left.
        left = await (await state.attached()).call("thought.list", {"limit": _LISTED})
        await _open(state, notes_document.NAME, notes_document.document(left["thoughts"]))
        return
    if name.startswith("thought.") and "path" in result:
        # A note is a file of the person's: that itself is opened, to be read and edited.
        await state.client.open_document(result["uri"], focus=True)
        return
    text = as_text(result)
    if len(text) <= _SHORT and "\n" not in text.strip():
        state.client.show(text.strip() or f"{name}: nothing")
        return
    await _open(state, f"{name}.{'json' if text.startswith('{') else 'txt'}", text)


async def _open(state: ServerState, name: str, text: str) -> None:
    from descartes_server.operations import view_files

    attachment = await state.attached()
    path = await asyncio.to_thread(view_files.write, attachment.workspace, name, text)
    await state.client.open_document(uris.uri_of(path), focus=True)


def as_text(result: Mapping[str, Any]) -> str:
    """Return RESULT as a person reads it: its one text, else its JSON."""
    texts = [value for value in result.values() if isinstance(value, str)]
    if len(result) <= 2 and len(texts) == 1:
        return texts[0]
    return json.dumps(result, indent=2, ensure_ascii=False) + "\n"
