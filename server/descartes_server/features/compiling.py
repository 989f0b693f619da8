"""Compiles a file when it is saved, where that is wanted and an image runs that may."""

from __future__ import annotations

import logging

from descartes_core.errors import DescartesError
from descartes_server.features.calls import Calls
from descartes_server.ide.index import is_lisp_file
from descartes_server.state import ServerState
from descartes_server.state.server_state import Change

log = logging.getLogger(__name__)


def register(state: ServerState) -> None:
    calls = Calls(state)

    def document_changed(uri: str, change: Change) -> None:
        if change == "saved" and _is_wanted(state, uri):
            state.spawn(_compile(state, calls, uri))

    state.on_document(document_changed)


def _is_wanted(state: ServerState, uri: str) -> bool:
    attachment, document = state.attachment, state.documents.get(uri)
    return (
        attachment is not None
        and document is not None
        and attachment.loaded.settings.diagnostics.compile_on_save
        and state.workshop.lisp.get("state") == "ready"
        and is_lisp_file(document.real_path or "")
        and not (document.real_path or "").endswith(".asd")
        and attachment.trusted
    )


async def _compile(state: ServerState, calls: Calls, uri: str) -> None:
    try:
        await calls.call(state.snapshot(), "lisp.compileFile", {"uri": uri})
    except DescartesError as error:
        log.info("compiling on save: %s", error.message)
