"""Finds out what the image has of the open texts; lenses and diagnostics are made of that elsewhere.

The image is asked when a text is opened, when anybody has evaluated, compiled or loaded something, and when
a definition appears that was not asked about; a keystroke in a known definition asks nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from descartes_server.ide import drift
from descartes_server.ide.drift_marks import Loaded
from descartes_server.ide.index import is_lisp_file
from descartes_server.lsp import ext
from descartes_server.state import ServerState
from descartes_server.state.server_state import Change
from descartes_server.state.workshop import Workshop

_TYPING_SECONDS = 0.3
_TOGETHER_SECONDS = 0.05


def register(state: ServerState) -> None:
    watch = _Watch(state)
    state.on_document(watch.document_changed)
    state.on_workshop(watch.workshop_changed)
    state.on_attached(watch.follow)


class _Watch:
    """Asks about one text at a time, and again when something happened meanwhile."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._at_work: set[str] = set()
        self._stale: set[str] = set()
        """Texts whose known states may be of an earlier time."""

    def follow(self) -> None:
        attachment = self._state.attachment
        assert attachment is not None
        attachment.followers.append(self._heard)
        self._look_at_all()

    def document_changed(self, uri: str, change: Change) -> None:
        if change == "closed":
            self._forget(uri)
        elif _is_source(uri):
            if change != "changed":
                self._stale.add(uri)
            self._schedule(uri, _TYPING_SECONDS if change == "changed" else 0)

    def workshop_changed(self, before: Workshop, now: Workshop) -> None:
        keys = ("state", "pid")
        if any(before.lisp.get(key) != now.lisp.get(key) for key in keys):
            self._look_at_all()

    def _heard(self, method: str, params: dict[str, Any]) -> None:
        if method == ext.LISP_EVALUATED:
            self._look_at_all()

    def _look_at_all(self) -> None:
        for uri in self._state.documents:
            if _is_source(uri):
                self._stale.add(uri)
                self._schedule(uri, _TOGETHER_SECONDS)

    def _forget(self, uri: str) -> None:
        if (timer := self._timers.pop(uri, None)) is not None:
            timer.cancel()
        self._stale.discard(uri)

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
        path = document.real_path if document else None
        if document is None or path is None:
            return
        if snapshot.workshop.lisp.get("state") != "ready":
            self._state.learn(self._state.workshop.with_loaded(path, None))
            return
        syntax = await snapshot.syntax(document)
        loop = asyncio.get_running_loop()
        units = await loop.run_in_executor(snapshot.executor, drift.units_in, syntax)
        known = snapshot.workshop.loaded.get(path, Loaded()).has
        if uri not in self._stale and all(unit.identity in known for unit in units):
            return
        self._stale.discard(uri)
        descriptions = [unit.description() for unit in units]
        there = await snapshot.image.ask(lambda image: image.drift(path, descriptions))
        if there is None:
            self._state.learn(self._state.workshop.with_loaded(path, None))
            return
        has = {unit.identity: each for unit, each in zip(units, there.units, strict=True)}
        self._state.learn(self._state.workshop.with_loaded(path, Loaded(has, there.seen)))


def _is_source(uri: str) -> bool:
    return is_lisp_file(uri) and not uri.endswith(".asd")
