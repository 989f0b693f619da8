"""The operations for a program that waits: a loop in a thread of its own, and what comes from it in a queue.

The terminal is read in the main thread, because only there Ctrl-C is noticed.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future, wait
from typing import Any

from descartes_server.cli.session import Session
from descartes_server.hub.door import Door

OUTPUT, INPUT, SETTLED = "output", "input", "settled"
POLL_S = 0.2
"""How often a wait in the main thread looks up, so that Ctrl-C reaches it on every system."""


class Link:
    """One client of the hub, used from the main thread. Use as a context manager."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.news: queue.Queue[tuple[str, Any]] = queue.Queue()
        """(OUTPUT, parameters), (INPUT, (parameters, future of the answer)), (SETTLED, nothing)."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hub", daemon=True)
        self._door: Door | None = None
        self._opened: Any = None

    def __enter__(self) -> Link:
        self._thread.start()
        self._opened = self._session.door(notifications=True)
        door: Door = self._run(self._opened.__aenter__()).result()
        door.client.on_notification(self._heard)
        door.client.on_request(self._asked)
        self._door = door
        return self

    def __exit__(self, *failure: object) -> None:
        self._run(self._opened.__aexit__(None, None, None)).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def begin(self, operation: str, params: Mapping[str, Any]) -> Future[dict[str, Any]]:
        """Return the result of OPERATION as it will be; SETTLED comes after all that it told meanwhile."""
        assert self._door is not None
        answer = self._run(self._door.call(operation, params))
        answer.add_done_callback(lambda _: self.news.put((SETTLED, None)))
        return answer

    def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of OPERATION. Errors: its own."""
        assert self._door is not None
        answer: Future[dict[str, Any]] = self._run(self._door.call(operation, params))
        while not answer.done():
            wait([answer], timeout=POLL_S)
        return answer.result()

    def answer(self, future: asyncio.Future[str | None], text: str | None) -> None:
        """Give TEXT to a program that reads; None gives its question up."""

        def settle() -> None:
            if not future.done():
                future.set_result(text)

        self._loop.call_soon_threadsafe(settle)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _heard(self, method: str, params: dict[str, Any]) -> None:
        if method == "descartes/lisp/output":
            self.news.put((OUTPUT, params))

    async def _asked(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        future: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self.news.put((INPUT, (params, future)))
        return {"text": await future}
