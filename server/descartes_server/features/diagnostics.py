"""Diagnostics: syntax by pull where the client pulls, else by push; the rest by push; nothing twice."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime
from typing import Any

from lsprotocol import types

from descartes_server.dispatch import on_snapshot
from descartes_server.ide import drift_marks, holding, lease_diagnostics, stop_diagnostics, test_marks
from descartes_server.ide.stops import Mark
from descartes_server.ide.syntax import Syntax
from descartes_server.lsp import to_proto, uris
from descartes_server.lsp.codec import Wire, plain
from descartes_server.state import Document, ServerState, Snapshot
from descartes_server.state.server_state import Change
from descartes_server.state.workshop import Workshop

_DEBOUNCE_SECONDS = 0.15
_SOON_SECONDS, _AT_ONCE_SECONDS = 0.02, 0.005
"""What another process told is shown together with what comes right behind; a lease is shown first of all."""


def register(state: ServerState) -> None:
    options = types.DiagnosticOptions(
        inter_file_dependencies=False, workspace_diagnostics=False, identifier="descartes"
    )
    on_snapshot(state, types.TEXT_DOCUMENT_DIAGNOSTIC, _Pull().answer, options, places=True)
    push = _Push(state)
    state.on_document(push.document_changed)
    state.on_workshop(push.workshop_changed)


class _Pull:
    """Answers to `textDocument/diagnostic`."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._last: dict[str, tuple[str, Syntax]] = {}

    async def answer(self, snapshot: Snapshot, params: types.DocumentDiagnosticParams) -> Wire:
        document = await snapshot.document(params.text_document.uri)
        syntax = await snapshot.syntax(document)
        number, known = self._last.get(document.uri, ("", None))
        if params.previous_result_id == number and known is syntax:
            return Wire({"kind": "unchanged", "resultId": number})
        number = str(next(self._numbers))
        self._last[document.uri] = number, syntax
        items = [plain(to_proto.diagnostic(mark, document.positions)) for mark in syntax_marks(syntax)]
        return Wire({"kind": "full", "resultId": number, "items": items})


class _Push:
    """Sends what has changed, soon after the last keystroke or at once for everything else."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._sent: dict[str, list[Any]] = {}
        self._numbers = itertools.count(1)
        self._last: dict[str, int] = {}
        """The number of what was sent last, by URI: what was begun earlier and is ready later is older."""
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._ending: asyncio.TimerHandle | None = None

    def document_changed(self, uri: str, change: Change) -> None:
        self._schedule(uri, _DEBOUNCE_SECONDS if change == "changed" else 0)

    def workshop_changed(self, before: Workshop, now: Workshop) -> None:
        for uri in {*self._state.documents, *self._sent, *_uris_of(now), *_uris_of(before)}:
            self._schedule(uri, _AT_ONCE_SECONDS if before.leases != now.leases else _SOON_SECONDS)
        if before.leases != now.leases:
            self._look_when_a_lease_ends()

    def _look_when_a_lease_ends(self) -> None:
        """Say it again when the next lease begins to end soon, or ends: nobody may tell."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        now = datetime.now(UTC)
        held = self._state.workshop.leases.values()
        to_come = [at for lease in held for at in lease_diagnostics.moments(lease) if at > now]
        if to_come:
            seconds = (min(to_come) - now).total_seconds() + 0.05
            self._ending = asyncio.get_running_loop().call_later(seconds, self._lease_ends)

    def _lease_ends(self) -> None:
        for uri in self._state.documents:
            self._schedule(uri, 0)
        self._look_when_a_lease_ends()

    def _schedule(self, uri: str, seconds: float) -> None:
        timer = self._timers.pop(uri, None)
        if timer is not None:
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._timers[uri] = loop.call_later(seconds, lambda: self._state.spawn(self._publish(uri)))

    async def _publish(self, uri: str) -> None:
        snapshot, number = self._state.snapshot(), next(self._numbers)
        document = snapshot.documents.get(uri)
        if document is None and (not _is_marked(uri, snapshot.workshop) or _is_open(uri, snapshot)):
            self._send(number, uri, None, [])
            return
        document = document or await snapshot.document(uri)
        marks = [*_other_marks(snapshot, document)]
        marks += await _lease_marks(snapshot, document)
        marks += await self._drift_marks(snapshot, document)
        marks += await self._test_marks(snapshot, document)
        if document.is_open and not snapshot.abilities.pulls_diagnostics:
            marks += syntax_marks(await snapshot.syntax(document))
        now = self._state.documents.get(uri)
        if document.is_open and not document.same_text(now):
            return  # a newer text has its own turn
        found = [plain(to_proto.diagnostic(m, document.positions)) for m in marks]
        self._send(number, uri, document.version, found)

    async def _test_marks(self, snapshot: Snapshot, document: Document) -> list[Mark]:
        tested = snapshot.workshop.tested
        if document.real_path not in test_marks.failing(tested):
            return []
        syntax = await snapshot.syntax(document)
        return list(test_marks.marks(await snapshot.tests(syntax), tested))

    async def _drift_marks(self, snapshot: Snapshot, document: Document) -> list[Mark]:
        loaded = snapshot.workshop.loaded.get(document.real_path or "")
        attachment = self._state.attachment
        if loaded is None or attachment is None or not attachment.loaded.settings.diagnostics.drift:
            return []
        return list(drift_marks.marks(drift_marks.drifted(await snapshot.syntax(document), loaded)))

    def _send(self, number: int, uri: str, version: int | None, diagnostics: list[Any]) -> None:
        if number < self._last.get(uri, 0):
            return
        self._last[uri] = number
        if self._sent.get(uri, None if uri in self._state.documents else []) == diagnostics:
            return
        if diagnostics or uri in self._state.documents:
            self._sent[uri] = diagnostics
        else:
            self._sent.pop(uri, None)
        params: dict[str, Any] = {"uri": uri, "diagnostics": diagnostics}
        if version is not None:
            params["version"] = version
        self._state.client.tell(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, params)


def syntax_marks(syntax: Syntax) -> list[Mark]:
    """Return what is wrong with the text itself."""
    return [Mark(each.start, each.end, each.message, "error", each.code) for each in syntax.problems]


def _other_marks(snapshot: Snapshot, document: Document) -> list[Mark]:
    scene = snapshot.scene(document)
    notes = snapshot.workshop.notes.get(document.real_path or "", ())
    return [
        *stop_diagnostics.stop_marks(scene.stops, document.lines),
        *stop_diagnostics.breakpoint_marks(scene.breakpoints, document.lines),
        *stop_diagnostics.note_marks(notes, document.lines),
    ]


async def _lease_marks(snapshot: Snapshot, document: Document) -> list[Mark]:
    scene = snapshot.scene(document)
    if any(holding.form_of(lease) for lease in scene.leases):
        scene = snapshot.leased_scene(document, await snapshot.syntax(document))
    forms = await snapshot.typed_forms(document)
    return list(lease_diagnostics.marks(scene, typed=document.changed, forms=forms))


def _is_open(uri: str, snapshot: Snapshot) -> bool:
    """Return whether the file URI is open under another name."""
    path = uris.path_of(uri)
    real = uris.real(path) if path else None
    return any(each.real_path == real for each in snapshot.documents.values())


def _is_marked(uri: str, workshop: Workshop) -> bool:
    return uri in _uris_of(workshop)


def _uris_of(workshop: Workshop) -> set[str]:
    """Return the files with stops or notes, open or not."""
    paths = {path for path, notes in workshop.notes.items() if notes}
    paths |= {stop.path for stop in workshop.stops if stop.path}
    paths |= set(workshop.loaded)
    paths |= {each.path for each in workshop.breakpoints if not each.verified}
    paths |= test_marks.failing(workshop.tested)
    return {uris.uri_of(path) for path in paths}
