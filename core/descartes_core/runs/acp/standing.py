"""The status of a run whose agent works by itself: thinking, running while calls are open, or paused.

Fills the port `Control`: what executes a call, or asks about one, says so here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from descartes_core.errors import Cancelled, InvalidTransition
from descartes_core.model import Principal, RunStatus
from descartes_core.runs.machine import RunEvent
from descartes_core.runs.statuses import Statuses


class Standing:
    """What the run does now, told to its STATUSES. Several calls and questions may be open at once."""

    def __init__(self, statuses: Statuses, status: RunStatus = "initializing") -> None:
        """STATUS is the one that the run has when it begins, or is taken up again."""
        self._statuses = statuses
        self._status = status
        self._calls: set[str] = set()
        self._questions: list[str] = []
        self._held = 0
        self._frozen = False
        self._paused: dict[str, Any] | None = {} if status == "paused" else None
        self._paused_by: Principal | None = None
        self._resumed_by: Principal | None = None
        self._goes_on = asyncio.Event()
        self._goes_on.set()
        self._changing = asyncio.Lock()
        self._stopping = False

    @property
    def pausing(self) -> bool:
        """Whether somebody wants the run to pause, or it does."""
        return self._paused_by is not None

    async def begin(self) -> None:
        """Note that the agent is at work."""
        await self._settle()
        if not self.pausing:
            await self._statuses.phase(None)

    def stay_paused(self, by: Principal) -> None:
        """Note that BY had paused the run before it was taken up again."""
        self._paused_by = by
        self._goes_on.clear()

    async def opened(self, call: str) -> None:
        """Note that CALL is being executed."""
        self._calls.add(call)
        await self._settle()

    async def closed(self, call: str) -> None:
        """Note that CALL has its result."""
        self._calls.discard(call)
        await self._settle()

    async def boundary(self) -> None:
        """See `Control`: where what the agent asks for may begin, or the next thing it is told."""
        if self._stopping:
            raise Cancelled("The run was stopped")
        if self._goes_on.is_set() or self._frozen:
            return
        self._held += 1
        try:
            await self._settle(by=self._paused_by)
            await self._goes_on.wait()
        finally:
            self._held -= 1
        if self._stopping:
            raise Cancelled("The run was stopped")
        await self._settle(by=self._resumed_by)

    async def thinking(self) -> None:
        """See `Control`; what the agent does shows it."""

    async def acting(self) -> None:
        """See `Control`; what the agent does shows it."""

    @asynccontextmanager
    async def waiting(self, question: str) -> AsyncIterator[None]:
        """See `Control`."""
        self._questions.append(question)
        try:
            await self._settle()
            yield
        finally:
            self._questions.remove(question)
            await self._settle()

    def say(self, text: str) -> None:
        """See `Control`; the agent speaks for itself."""

    async def pause(self, by: Principal) -> None:
        """Pause as BY wants it at the next boundary."""
        self._paused_by = by
        self._goes_on.clear()
        if self._status != "paused":
            await self._statuses.phase("pausing", by=by)

    async def freeze(self, by: Principal) -> None:
        """Note that BY had the agent's processes stopped where they are."""
        self._frozen, self._paused_by = True, by
        await self._settle(by=by)

    async def resume(self, by: Principal) -> None:
        """Go on as BY wants it.

        Errors: `InvalidTransition` when the run is not paused by anybody but waits for an answer.
        """
        if self._paused_by is None and self._questions:
            raise InvalidTransition(
                "The run waits for an answer; answer its intervention", **{"from": "paused", "to": "running"}
            )
        self._frozen, self._paused_by, self._resumed_by = False, None, by
        held = self._held
        self._goes_on.set()
        if not held and self._status != "paused":
            await self._statuses.phase(None, by=by)
        await self._settle(by=by, resuming=True)

    def stop(self) -> None:
        """Hold nothing up any more: the run ends."""
        self._stopping = True
        self._goes_on.set()

    def _pause(self, resuming: bool) -> dict[str, Any] | None:
        """Return what is told of the pause that the run is in now, None when it is in none."""
        if self._frozen:
            return {"mode": "forced"}
        if self._held and not resuming:
            return {"mode": "cooperative"}
        if self._questions:
            return {"phase": "waiting", "intervention": self._questions[0]}
        return None

    async def _settle(self, *, by: Principal | None = None, resuming: bool = False) -> None:
        """Take the status to where it belongs now; BY wants it so."""
        async with self._changing:
            if self._stopping:
                return
            pause = self._pause(resuming)
            if self._paused is not None and self._paused != pause:
                self._status = await self._statuses.advance("resume", by=by)
                self._paused = None
            if pause is None:
                await self._work()
            elif self._paused is None:
                await self._enter(pause, by)

    async def _work(self) -> None:
        if self._calls and self._status != "running":
            event: RunEvent = "ready" if self._status == "initializing" else "act"
            self._status = await self._statuses.advance(event)
        elif not self._calls and self._status != "thinking":
            self._status = await self._statuses.advance("think")

    async def _enter(self, pause: dict[str, Any], by: Principal | None) -> None:
        if self._status == "initializing":
            self._status = await self._statuses.advance("ready")
        self._status = await self._statuses.advance("pause", by=by, **pause)
        self._paused = pause
