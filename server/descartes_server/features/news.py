"""What the hub tells, for the editor: as `descartes/…` notifications, or by the standard for others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from lsprotocol import types

from descartes_server.features.calls import Calls
from descartes_server.features.questions import Questions
from descartes_server.lsp import ext
from descartes_server.state import ServerState
from descartes_server.state.workshop import Workshop

log = logging.getLogger(__name__)

MOST_WAITING = 10_000
"""Notifications that wait for an editor that does not read; more are left out, and asked for later."""


def register(state: ServerState) -> None:
    news = _News(state)
    state.on_attached(news.follow)
    state.on_workshop(news.learnt)


class _News:
    """Passes on, in order and as fast as the editor reads, what comes from the hub."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._calls = Calls(state)
        self._questions = Questions(state, self._calls)
        self._queue: asyncio.Queue[tuple[str, dict[str, Any], asyncio.Event]] = asyncio.Queue(MOST_WAITING)
        self._dropped = 0

    def follow(self) -> None:
        """Begin: the way to the hub is open."""
        attachment = self._state.attachment
        assert attachment is not None
        attachment.followers.append(self._take)
        attachment.deliver = self._deliver
        attachment.answer = self._questions.input_wanted
        self._state.spawn(self._pass_on())

    def learnt(self, before: Workshop, now: Workshop) -> None:
        """Ask the person about stops and questions of their own, where nothing else would show them."""
        if not self._state.client.abilities.takes_notifications:
            self._questions.ask_about_stops(now)
            self._questions.ask_about_runs(now)

    def _take(self, method: str, params: dict[str, Any]) -> None:
        try:
            self._queue.put_nowait((method, params, asyncio.Event()))
        except asyncio.QueueFull:
            self._dropped += 1

    async def _deliver(self, event: dict[str, Any]) -> None:
        passed_on = asyncio.Event()
        await self._queue.put((ext.EVENT, event, passed_on))
        await passed_on.wait()

    async def _pass_on(self) -> None:
        while True:
            method, params, passed_on = await self._queue.get()
            if self._state.client.abilities.takes_notifications:
                if method in ext.NOTIFICATIONS:
                    converted = await self._calls.as_editor_counts(self._state.snapshot(), params)
                    self._state.client.tell(method, converted)
            else:
                self._tell_plainly(method, params)
            await self._state.client.room()
            passed_on.set()
            if self._dropped and self._queue.empty():
                self._make_up_for_dropped()

    def _make_up_for_dropped(self) -> None:
        log.warning("the editor did not read; %d notifications were left out", self._dropped)
        self._dropped = 0
        if self._state.attachment is not None:
            self._state.attachment.learn_again()

    def _tell_plainly(self, method: str, params: Mapping[str, Any]) -> None:
        client = self._state.client
        if method == ext.LISP_OUTPUT and self._is_own(params.get("evaluation")):
            client.log_message(str(params["text"]))
        elif method == ext.LISP_EVALUATED and self._is_own(params.get("id")):
            values = ", ".join(params.get("values") or ()) or params.get("state", "")
            client.log_message(f"=> {values}", types.MessageType.Info)
        elif method == ext.LISP_STATUS:
            reason = f": {params['reason']}" if params.get("reason") else ""
            text = f"Lisp is {params['state']}{reason}"
            if params["state"] == "lost":
                client.show(text, types.MessageType.Warning)
            else:
                client.log_message(text, types.MessageType.Info)

    def _is_own(self, evaluation: Any) -> bool:
        """A thread that nobody here started is everybody's."""
        return evaluation is None or evaluation in self._state.own_evaluations
