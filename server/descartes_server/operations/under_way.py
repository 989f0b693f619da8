"""The one attempt to get an image that is under way: one is started here, or connected to elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from descartes_core.errors import LispNotRunning


class UnderWay:
    """Nothing is under way when it is made; false then. Used on one event loop."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._may_be_given_up = False

    def __bool__(self) -> bool:
        return self._task is not None and not self._task.done()

    def begin(self, work: Coroutine[Any, Any, None], name: str, *, may_be_given_up: bool = False) -> None:
        """Do WORK, which goes on whoever asked for it: it is everybody's until it is done or given up."""
        self._task = asyncio.create_task(work, name=name)
        self._task.add_done_callback(_noticed)
        self._may_be_given_up = may_be_given_up

    async def outcome(self) -> None:
        """Answer when what is under way is done. Errors: its own; `LispNotRunning` when it was given up."""
        task = self._task
        if task is None:
            return
        await asyncio.wait({task})
        if task.cancelled():
            raise LispNotRunning(
                "the connection to the Lisp was given up before it was made; connect again, "
                "or start one with lisp.start"
            )
        task.result()

    def give_up(self) -> None:
        """End what is under way, if that can be given up."""
        if self._task is not None and self._may_be_given_up:
            self._task.cancel()

    async def over(self) -> None:
        """Answer when nothing is under way any more: what can be given up is."""
        self.give_up()
        if self._task is not None:
            await asyncio.wait({self._task})


def _noticed(task: asyncio.Task[None]) -> None:
    """Whoever waits gets the error; that nobody does any more is no failure."""
    if not task.cancelled():
        task.exception()
