"""Asks the client to look again when what it was told has changed: lenses, colours, texts on disk."""

from __future__ import annotations

import asyncio
from typing import Any

from descartes_server.ide.index import definitions_in, is_lisp_file
from descartes_server.ide.syntax import Syntax
from descartes_server.lsp import ext
from descartes_server.state import ServerState, Snapshot
from descartes_server.state.server_state import Change
from descartes_server.state.workshop import Workshop

_TOGETHER_SECONDS = 0.03
_SHOWN_AS_LENSES = ("leases", "runs", "interventions", "stops", "breakpoints", "loaded", "tested")


def register(state: ServerState) -> None:
    refresh = _Refresh(state)
    state.on_workshop(refresh.workshop_changed)
    state.on_document(refresh.document_changed)
    state.on_attached(refresh.follow)


class _Refresh:
    """Refresh requests, several changes in one."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._due: set[str] = set()

    def workshop_changed(self, before: Workshop, now: Workshop) -> None:
        if any(getattr(before, name) != getattr(now, name) for name in _SHOWN_AS_LENSES):
            self._ask("codeLens")
        if (before.results, before.stops) != (now.results, now.stops):
            self._ask("inlayHint")
        if before.lisp.get("state") != now.lisp.get("state"):
            self._state.image.forget_kinds()
            self._look_into_all()
            self._ask("semanticTokens")

    def follow(self) -> None:
        if self._state.attachment is not None:
            self._state.attachment.followers.append(self._heard)

    def _heard(self, method: str, params: dict[str, Any]) -> None:
        """What was evaluated may have set variables of the frames that are shown."""
        if method == ext.LISP_EVALUATED and self._state.workshop.stops:
            self._ask("inlayHint")

    def document_changed(self, uri: str, change: Change) -> None:
        """A text that was opened or saved is indexed, and the image is asked what its symbols are."""
        if change in ("opened", "saved"):
            self._state.spawn(self._look_into(uri))

    async def _look_into(self, uri: str) -> None:
        snapshot = self._state.snapshot()
        document = await snapshot.document(uri)
        syntax = await snapshot.syntax(document)
        if document.real_path and is_lisp_file(document.real_path):
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(snapshot.executor, definitions_in, document.real_path, syntax)
            snapshot.index.install(found)
        kinds = await _kinds(snapshot, syntax)
        if kinds and kinds != snapshot.image.kinds_in(uri):
            snapshot.image.set_kinds(uri, kinds)
            self._ask("semanticTokens")

    def _look_into_all(self) -> None:
        for uri in self._state.documents:
            self._state.spawn(self._look_into(uri))

    def _ask(self, what: str) -> None:
        if not self._due:
            asyncio.get_running_loop().call_later(_TOGETHER_SECONDS, self._send)
        self._due.add(what)

    def _send(self) -> None:
        due, self._due = self._due, set()
        for what in sorted(due):
            self._state.spawn(self._state.client.refresh(what))


async def _kinds(snapshot: Snapshot, syntax: Syntax) -> dict[str, str]:
    """Return what the image knows the symbols of SYNTAX to be, as its last package reads them."""
    names = {
        segment.text[start:end].lower()
        for segment in syntax.segments
        for kind, start, end in segment.lexemes
        if kind == "symbol" and segment.text[start] not in ":&#"
    }
    package = syntax.package_at(len(syntax.text))
    return await snapshot.image.ask(lambda image: image.classify(sorted(names), package)) or {}
