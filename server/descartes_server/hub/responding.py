"""What a hub asks of its client: each question has one answer, or is withdrawn."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from descartes_core import errors
from descartes_server.hub import messages

log = logging.getLogger(__name__)

Answer = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class Responding:
    """The questions under way. SPAWN starts the work on one, SEND takes its answer to the hub."""

    def __init__(self, spawn: Spawn, send: Callable[[messages.ClientResponse], None]) -> None:
        self.answer: Answer | None = None
        """Answers a question by its method and parameters; None refuses all of them."""
        self._spawn = spawn
        self._send = send
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def begin(self, request: messages.HubRequest) -> None:
        """Work on REQUEST until it is answered."""
        key = request.request_id
        self._under_way[key] = self._spawn(self._respond(request))
        self._under_way[key].add_done_callback(lambda _: self._under_way.pop(key, None))

    def withdraw(self, key: str) -> None:
        """Stop working on the question KEY, to which nobody wants an answer any more."""
        if (task := self._under_way.get(key)) is not None:
            task.cancel()

    def withdraw_all(self) -> None:
        """Stop working on every question: the hub is gone, and the next one asks again what is still read."""
        for task in self._under_way.values():
            task.cancel()

    async def _respond(self, request: messages.HubRequest) -> None:
        result, error = None, None
        try:
            if self.answer is None:
                raise errors.NotFound(f"this client has no answer to {request.method!r}")
            result = await self.answer(request.method, request.params)
        except errors.DescartesError as refusal:
            error = refusal.as_json()
        except Exception:
            log.exception("could not answer %s", request.method)
            error = errors.DescartesError(f"the client failed to answer {request.method!r}").as_json()
        self._send(messages.ClientResponse(request_id=request.request_id, result=result, error=error))
