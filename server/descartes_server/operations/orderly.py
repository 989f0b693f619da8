"""A queue of asynchronous steps done one after the other, so that what comes first is logged first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

Step = Callable[[], Awaitable[None]]


class Orderly:
    """Does the steps given to `post` in order; a step that fails is logged and does not stop the next."""

    def __init__(self, name: str) -> None:
        self._steps: asyncio.Queue[Step] = asyncio.Queue()
        self._at_work = False
        self._worker = asyncio.create_task(self._work(), name=name)

    def post(self, step: Step) -> None:
        """Have STEP done after everything posted before it."""
        self._steps.put_nowait(step)

    async def done(self) -> None:
        """Answer when everything posted until now is done."""
        if self._steps.empty() and not self._at_work:
            return
        reached = asyncio.get_running_loop().create_future()

        async def reach() -> None:
            if not reached.done():
                reached.set_result(None)

        self.post(reach)
        await reached

    async def close(self) -> None:
        """Do what is posted, then end."""
        await self.done()
        self._worker.cancel()

    async def _work(self) -> None:
        while True:
            step = await self._steps.get()
            self._at_work = True
            try:
                await step()
            except Exception:
                log.exception("a step of %s failed", self._worker.get_name())
            self._at_work = False
