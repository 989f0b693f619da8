"""The progress of an operation that lasts, which a person sees and can cancel."""

from __future__ import annotations

import asyncio
from typing import Any

from descartes_server.state import ServerState

SHOWN_AFTER_S = 0.1
"""How long an operation lasts before it shows: sooner it would only flicker, and make the answer late."""


class Progress:
    """Shows the task that makes it as TITLE, under the client's TOKEN if there is one, until `end`.

    CANCELS has the tasks by the tokens with which a client cancels them. A client that gave a token waits for
    progress and is shown it at once. Used on the server's loop.
    """

    def __init__(
        self, state: ServerState, title: str, token: Any, cancels: dict[Any, asyncio.Task[Any]]
    ) -> None:
        self._state = state
        self._cancels = cancels
        self._work = asyncio.current_task()
        self._outcome: str | None = None
        self._token: Any = None
        self._showing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        if token is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(SHOWN_AFTER_S, self._begin, title)
        else:
            state.client.begin_progress_under(token, title)
            self._begun(token)

    def end(self, outcome: str) -> None:
        """End it, saying OUTCOME; what has not begun does not begin any more."""
        self._outcome = outcome
        if self._timer is not None:
            self._timer.cancel()
        if self._showing is not None:
            self._showing.cancel()
        if self._token is not None:
            self._cancels.pop(self._token, None)
            self._state.client.end_progress(self._token, outcome)

    def _begin(self, title: str) -> None:
        self._showing = self._state.spawn(self._show(title))

    async def _show(self, title: str) -> None:
        token = await self._state.client.begin_progress(title)
        if token is None:
            return
        if self._outcome is not None:  # it ended when the client's answer had just come
            self._state.client.end_progress(token, self._outcome)
        else:
            self._begun(token)

    def _begun(self, token: Any) -> None:
        self._token = token
        if self._work is not None:
            self._cancels[token] = self._work
