"""A playback that this editor began: shown as progress, its document brought to the present entry."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from descartes_core.errors import DescartesError
from descartes_server.lsp import ext
from descartes_server.state import ServerState


def register(state: ServerState) -> None:
    playing = _Playing(state)
    state.on_attached(playing.follow)


class _Playing:
    """The playbacks of one editor, by run."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._tokens: dict[str, Any] = {}
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def follow(self) -> None:
        assert self._state.attachment is not None
        self._state.attachment.followers.append(self._heard)
        self._state.spawn(self._show_all())

    def _heard(self, method: str, params: dict[str, Any]) -> None:
        if method == ext.PLAYBACK and self._own(params["run"]):
            self._queue.put_nowait(params)

    def _own(self, run: str) -> list[str]:
        return [digits for digits in self._state.own_playbacks if run[4:].startswith(digits)]

    async def _show_all(self) -> None:
        while True:
            await self._show(await self._queue.get())

    async def _show(self, playback: Mapping[str, Any]) -> None:
        client, run = self._state.client, playback["run"]
        if run not in self._tokens:
            title = f"Playing {run[4:12]}"
            token = self._tokens[run] = await client.begin_progress(title)
            self._state.cancels[token] = lambda: self._state.spawn(self._stop(run))
        token = self._tokens[run]
        message = f"event {playback['at']}: {playback['title']}"
        if token is not None and playback["state"] != "ended":
            client.report_progress(token, message)
        await client.open_document(playback["uri"], at=_range(playback["range"]), quietly=True)
        if playback["state"] == "ended":
            self._state.own_playbacks.difference_update(self._own(run))
            self._state.cancels.pop(self._tokens.pop(run), None)
            if token is not None:
                client.end_progress(token, message)

    async def _stop(self, run: str) -> None:
        try:
            await (await self._state.attached()).call("history.playback", {"run": run, "action": "stop"})
        except DescartesError:
            return


def _range(wire: Mapping[str, Any]) -> dict[str, Any]:
    """Return WIRE, a range at the start of a line, as every editor counts."""
    return {end: {"line": wire[end]["line"] - 1, "character": 0} for end in ("start", "end")}
