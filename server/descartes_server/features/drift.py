"""Finds out what the image has of the texts; lenses and diagnostics are made of that elsewhere.

The image is asked about an open text when it is opened, when anybody has evaluated, compiled or loaded
something, and when a definition appears that was not asked about; a keystroke in a known definition asks
nothing. Of files that are not open it is asked when they change on disk, as a checkout changes them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from descartes_core.errors import DescartesError
from descartes_server.ide import drift
from descartes_server.ide.drift import Unit
from descartes_server.ide.drift_marks import Loaded, drifted
from descartes_server.ide.index import is_lisp_file
from descartes_server.lsp import ext, uris
from descartes_server.state import ServerState, Snapshot
from descartes_server.state.server_state import Change
from descartes_server.state.workshop import Workshop

_TYPING_SECONDS = 0.3
_TOGETHER_SECONDS = 0.05


def register(state: ServerState) -> None:
    watch = _Watch(state)
    state.on_document(watch.document_changed)
    state.on_workshop(watch.workshop_changed)
    state.on_attached(watch.follow)
    state.on_file(watch.file_changed)


class _Watch:
    """Asks about one text at a time, and again when something happened meanwhile."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._at_work: set[str] = set()
        self._stale: set[str] = set()
        """Texts whose known states may be of an earlier time."""
        self._reading = asyncio.Lock()
        """One file that is not open at a time: a checkout may change thousands."""

    def follow(self) -> None:
        attachment = self._state.attachment
        assert attachment is not None
        attachment.followers.append(self._heard)
        self._look_at_all()

    def document_changed(self, uri: str, change: Change) -> None:
        if _is_source(uri):
            if change != "changed":
                self._stale.add(uri)
            self._schedule(uri, _TYPING_SECONDS if change == "changed" else 0)

    def file_changed(self, path: str) -> None:
        """Take in that the file PATH, which is not open, was changed, made or removed on disk."""
        if _is_source(path):
            self._stale.add(uris.uri_of(path))
            self._schedule(uris.uri_of(path), _TOGETHER_SECONDS)

    def workshop_changed(self, before: Workshop, now: Workshop) -> None:
        keys = ("state", "pid")
        if any(before.lisp.get(key) != now.lisp.get(key) for key in keys):
            self._look_at_all()

    def _heard(self, method: str, params: dict[str, Any]) -> None:
        if method == ext.LISP_EVALUATED:
            self._look_at_all()

    def _look_at_all(self) -> None:
        """Look at the open texts, and at the files that are known to have drifted."""
        drifted = {uris.uri_of(path) for path in self._state.workshop.loaded}
        for uri in {*self._state.documents, *drifted}:
            if _is_source(uri):
                self._stale.add(uri)
                self._schedule(uri, _TOGETHER_SECONDS)

    def _schedule(self, uri: str, seconds: float) -> None:
        timer = self._timers.pop(uri, None)
        if timer is not None:
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._timers[uri] = loop.call_later(seconds, lambda: self._begin(uri))

    def _begin(self, uri: str) -> None:
        self._timers.pop(uri, None)
        if uri in self._at_work:
            self._schedule(uri, _TOGETHER_SECONDS)
            return
        self._at_work.add(uri)
        self._state.spawn(self._look_at(uri)).add_done_callback(lambda _: self._at_work.discard(uri))

    async def _look_at(self, uri: str) -> None:
        snapshot = self._state.snapshot()
        document = snapshot.documents.get(uri)
        if document is None:
            async with self._reading:
                await self._look_at_file(uri)
        elif document.real_path is not None:
            syntax = await snapshot.syntax(document)
            loop = asyncio.get_running_loop()
            units = await loop.run_in_executor(snapshot.executor, drift.units_in, syntax)
            await self._ask(snapshot, uri, document.real_path, units)

    async def _look_at_file(self, uri: str) -> None:
        """Find out about a file that is not open; only what has drifted in it is kept."""
        snapshot = self._state.snapshot()
        try:
            document = await snapshot.document(uri)
        except DescartesError:
            path = uris.path_of(uri)
            self._state.learn(self._state.workshop.with_loaded(uris.real(path) if path else "", None))
            return
        path_text = document.real_path or ""
        if not self._is_ours(path_text):
            return
        loop = asyncio.get_running_loop()
        syntax = await loop.run_in_executor(self._state.indexer, lambda: document.syntax)
        units = await loop.run_in_executor(self._state.indexer, drift.units_in, syntax)
        await self._ask(snapshot, uri, path_text, units)
        loaded = self._state.workshop.loaded.get(path_text)
        if uri not in self._state.documents and not drifted(syntax, loaded):
            self._state.learn(self._state.workshop.with_loaded(path_text, None))

    def _is_ours(self, path: str) -> bool:
        root = self._state.workshop.root
        return root is not None and path.startswith(f"{uris.real(root)}/")

    async def _ask(self, snapshot: Snapshot, uri: str, path: str, units: list[Unit]) -> None:
        """Ask the image about UNITS, all of the text URI, unless all is known already."""
        known = self._state.workshop.loaded.get(path, Loaded()).has
        if uri not in self._stale and all(unit.identity in known for unit in units):
            return
        self._stale.discard(uri)
        there = None
        if self._state.workshop.lisp.get("state") == "ready":
            descriptions = [unit.description() for unit in units]
            there = await snapshot.image.ask(lambda image: image.drift(path, descriptions))
        if there is None:
            self._state.learn(self._state.workshop.with_loaded(path, None))
            return
        has = {unit.identity: each for unit, each in zip(units, there.units, strict=True)}
        self._state.learn(self._state.workshop.with_loaded(path, Loaded(has, there.seen)))


def _is_source(uri: str) -> bool:
    return is_lisp_file(uri) and not uri.endswith(".asd")
