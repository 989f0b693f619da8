"""What the hub tells, for the editor: as `descartes/…` notifications, or by the standard for others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from lsprotocol import types

from descartes_server.features.calls import Calls
from descartes_server.features.questions import Questions
from descartes_server.lsp import ext
from descartes_server.state import ServerState
from descartes_server.state.workshop import Workshop


def register(state: ServerState) -> None:
    news = _News(state)
    state.on_attached(news.follow)
    state.on_workshop(news.learnt)


class _News:
    """Passes on, in order, what comes from the hub."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._calls = Calls(state)
        self._questions = Questions(state, self._calls)
        self._queue: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    def follow(self) -> None:
        """Begin: the way to the hub is open."""
        attachment = self._state.attachment
        assert attachment is not None
        attachment.followers.append(lambda method, params: self._queue.put_nowait((method, params)))
        attachment.answer = self._questions.input_wanted
        self._state.spawn(self._pass_on())

    def learnt(self, before: Workshop, now: Workshop) -> None:
        """Ask the person about stops and questions of their own, where nothing else would show them."""
        if not self._state.client.abilities.takes_notifications:
            self._questions.ask_about_stops(now)
            self._questions.ask_about_runs(now)

    async def _pass_on(self) -> None:
        while True:
            method, params = await self._queue.get()
            if self._state.client.abilities.takes_notifications:
                if method in ext.NOTIFICATIONS:
                    converted = await self._calls.as_editor_counts(self._state.snapshot(), params)
                    self._state.client.tell(method, converted)
            else:
                self._tell_plainly(method, params)

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
