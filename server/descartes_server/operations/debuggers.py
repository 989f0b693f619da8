"""The stopped threads of the image: which there are, who waits for one to be left, and the log of both.

A thread may be stopped at several levels; each (thread, level) is a debugger of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

import descartes_swank as swank
from descartes_core.errors import DebuggerStale
from descartes_core.model import Event
from descartes_core.ports import Clock
from descartes_core.store.times import iso
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations.evaluations import Evaluations, Record
from descartes_server.operations.stops import debugger_shape

Publish = Callable[[str, Mapping[str, Any]], None]
Post = Callable[[str, Mapping[str, Any], Record | None], asyncio.Future[list[Event]]]

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Waiter:
    thread: int
    level: int
    record: Record | None
    came: asyncio.Future[shapes.Debugger | None]
    left: bool = False
    """Whether the stop was left; what is announced before that is no news."""


class Debuggers:
    """All stops of one image. Used from the hub's loop only."""

    def __init__(
        self, evaluations: Evaluations, workspace: Path, publish: Publish, post: Post, clock: Clock
    ) -> None:
        self._evaluations = evaluations
        self._workspace = workspace
        self._publish = publish
        self._post = post
        self._clock = clock
        self._stops: dict[tuple[int, int], shapes.Debugger] = {}
        self._recalled: dict[tuple[int, int], Event] = {}
        """Stops that are in the log as entered and not as left, and were not announced to this hub yet."""
        self._waiters: set[_Waiter] = set()
        self.on_entered: list[Callable[[shapes.Debugger, Record | None], Awaitable[None]]] = []
        self.on_left: list[Callable[[shapes.Debugger], Awaitable[None]]] = []

    def __len__(self) -> int:
        """Return how many stops there are."""
        return len(self._stops)

    def all(self) -> list[shapes.Debugger]:
        """Return every stop, the newest first."""
        newest_first = [*reversed(self._stops.values())]
        return sorted(newest_first, key=_age, reverse=True)  # equal ones stay in this order

    def get(self, thread: int, level: int) -> shapes.Debugger:
        """Return the stop (THREAD, LEVEL). Errors: `DebuggerStale`, naming the stops there are."""
        found = self._stops.get((thread, level))
        if found is None:
            there = ", ".join(f"thread {t} at level {n}" for t, n in sorted(self._stops)) or "none"
            raise DebuggerStale(
                f"thread {thread} is not stopped at level {level} any more; stopped now: {there}"
            )
        return found

    def record_of(self, debugger: shapes.Debugger) -> Record | None:
        """Return the evaluation that stopped as DEBUGGER, if it is one of ours."""
        return self._evaluations.get(debugger.evaluation) if debugger.evaluation else None

    async def entered(self, stop: swank.Stop) -> None:
        """Take in STOP, new or announced again after a deeper level was left."""
        record = self._evaluations.get(stop.evaluation) if stop.evaluation else None
        came = iso(self._clock.now_ms())
        debugger = await debugger_shape(stop, record, self._workspace)
        known = self._stops.get(stop.id)
        recalled = self._recalled.get(stop.id) if known is None else None
        since = known.since if known else _recalled_since(recalled, debugger) or came
        debugger = msgspec.structs.replace(debugger, since=since)
        self._stops[stop.id] = debugger
        try:
            if known is None:
                await self._note_entered(debugger, record)
        finally:
            self._resolve(lambda waiter: waiter.left and waiter.thread == stop.thread, debugger)
            self._changed()

    async def left(self, thread: int, level: int) -> None:
        """Take note that (THREAD, LEVEL) was left, and every deeper level with it."""
        gone = sorted(key for key in self._stops if key[0] == thread and key[1] >= level)
        left = [(key, self._stops.pop(key)) for key in reversed(gone)]
        noted = [self._note_left(key, self.record_of(debugger)) for key, debugger in left]
        # An evaluation's end, logged after this, is waited for; where there is none, this is.
        if noted and any(each.thread == thread and each.record is None for each in self._waiters):
            await asyncio.wait(noted)
        try:
            for _, debugger in left:
                for notice in self.on_left:
                    await notice(debugger)
        finally:
            self._told_left(thread, level, bool(gone))

    def _told_left(self, thread: int, level: int, changed: bool) -> None:
        for waiter in self._waiters:
            waiter.left = waiter.left or (waiter.thread == thread and waiter.level >= level)
        if level == 1:
            self._resolve(lambda waiter: waiter.thread == thread and waiter.record is None, None)
        # A parent takes requests once it is announced again, which tells of this change as well.
        if changed and not any(key[0] == thread for key in self._stops):
            self._changed()

    def recall(self, stops: Mapping[tuple[int, int], Event]) -> None:
        """Take in STOPS, those that an earlier hub logged: announced again they are not logged again."""
        self._recalled = dict(stops)

    async def forget_recalled(self) -> None:
        """Log that the recalled stops nobody announced were left, while no hub listened."""
        recalled, self._recalled = self._recalled, {}
        for key in sorted(recalled, reverse=True):
            self._note_left(key, None)

    async def clear(self) -> None:
        """Take note that the image is gone, and every stop with it."""
        for thread in {thread for thread, _ in self._stops}:
            await self.left(thread, 1)
        await self.forget_recalled()

    def ended(self, record: Record) -> None:
        """Take note that the evaluation RECORD has ended."""
        self._resolve(lambda waiter: waiter.record is record, None)

    async def leave(
        self, thread: int, level: int, action: Callable[[], Awaitable[None]], wait_ms: int
    ) -> shapes.Leaving:
        """Do ACTION, which leaves (THREAD, LEVEL); answers at the next stop, the end, or after WAIT_MS."""
        inner = self.record_of(self.get(thread, level))
        # What a deeper level evaluates ends on the way to its parent; the thread's own is level 1's.
        record = self.record_of(self._stops.get((thread, 1)) or self.get(thread, level))
        # The stop of a thread that the evaluation started may outlive it.
        awaited = None if record is None or record.live is None or record.live.ended else record
        waiter = _Waiter(thread, level, awaited, asyncio.get_running_loop().create_future())
        self._waiters.add(waiter)
        try:
            await action()
            debugger = await asyncio.wait_for(waiter.came, wait_ms / 1000)
        except TimeoutError:
            debugger = None
        finally:
            self._waiters.discard(waiter)
        if debugger is not None:
            ended = inner is not None and inner is not record and not inner.running()
            return shapes.Leaving(debugger=debugger, evaluation=inner.wire() if inner and ended else None)
        return shapes.Leaving(evaluation=record.wire() if record else None)

    async def _note_entered(self, debugger: shapes.Debugger, record: Record | None) -> None:
        recalled = self._recalled.pop((debugger.thread, debugger.level), None)
        if _recalled_since(recalled, debugger) is None:
            if recalled is not None:
                self._note_left((debugger.thread, debugger.level), None)
            await self._post("lisp.debugger.entered", _summary(debugger), record)
        for notice in self.on_entered:
            await notice(debugger, record)

    def _note_left(self, key: tuple[int, int], record: Record | None) -> asyncio.Future[list[Event]]:
        thread, level = key
        noted = self._post("lisp.debugger.left", {"thread": thread, "level": level}, record)
        noted.add_done_callback(_logged)
        return noted

    def _resolve(self, concerns: Callable[[_Waiter], bool], debugger: shapes.Debugger | None) -> None:
        for waiter in self._waiters:
            if concerns(waiter) and not waiter.came.done():
                waiter.came.set_result(debugger)

    def _changed(self) -> None:
        self._publish("descartes/debugger/changed", {"debuggers": msgspec.to_builtins(self.all())})


def _logged(noted: asyncio.Future[list[Event]]) -> None:
    if not noted.cancelled() and (error := noted.exception()) is not None:
        log.error("that a stop was left is not in the history: %s", error)


def _recalled_since(recalled: Event | None, debugger: shapes.Debugger) -> str | None:
    """Return since when DEBUGGER is stopped by what the log has of it; None when RECALLED is another stop."""
    if recalled is None or recalled.data.get("evaluation") != debugger.evaluation:
        return None
    return str(recalled.data.get("since") or recalled.at)


def _age(debugger: shapes.Debugger) -> tuple[str, int]:
    return debugger.since or "", debugger.level


def _summary(debugger: shapes.Debugger) -> dict[str, Any]:
    """Return what the log keeps of DEBUGGER: everything but the frames' places."""
    data: dict[str, Any] = msgspec.to_builtins(debugger)
    data["frames"] = [frame.description for frame in debugger.frames]
    return data
