"""The stopped threads of the image: which there are, who waits for one to be left, and the log of both.

A thread may be stopped at several levels; each (thread, level) is a debugger of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
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
from descartes_server.operations.visits import Visits

Publish = Callable[[str, Mapping[str, Any]], None]
StopKey = tuple[int, int]
"""(thread, level)"""
Post = Callable[[str, Mapping[str, Any], Record | None], asyncio.Future[list[Event]]]

LEFT_KNOWN = 200
"""How many stops that were left are known still."""

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
        self._stops: dict[StopKey, shapes.Debugger] = {}
        self._recalled: dict[StopKey, Event] = {}
        """Stops that are in the log as entered and not as left, and were not announced to this hub yet."""
        self._left: dict[StopKey, shapes.Debugger] = {}
        """The last stops that were left: when a connection is lost, that is how its stops end."""
        self._lost: dict[StopKey, shapes.Debugger] = {}
        """Those of a connection that is made again."""
        self._waiters: set[_Waiter] = set()
        self.visits = Visits()
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
        earlier = known or self._earlier(debugger)
        debugger = msgspec.structs.replace(debugger, since=earlier.since if earlier else came)
        outer = self._around(debugger) if known is None and earlier is not None else []
        self._stops |= {(each.thread, each.level): each for each in (*outer, debugger)}
        try:
            for each in outer:
                await self._note_entered(each, self.record_of(each))
            if known is None:
                await self._note_entered(debugger, record)
        finally:
            self._resolve(lambda waiter: waiter.left and waiter.thread == stop.thread, debugger)
            self._changed()

    async def left(self, thread: int, level: int) -> None:
        """Take note that (THREAD, LEVEL) was left, and every deeper level with it."""
        gone = sorted(key for key in self._stops if key[0] == thread and key[1] >= level)
        left = [(key, self._stops.pop(key)) for key in reversed(gone)]
        self._left = dict([*(self._left | dict(left)).items()][-LEFT_KNOWN:])
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

    async def clear(self, *, coming_back: bool = False) -> None:
        """Take note that the image is gone, and every stop with it; COMING_BACK: that may be for a while."""
        for thread in {thread for thread, _ in self._stops}:
            await self.left(thread, 1)
        self._lost, self._left = (self._left if coming_back else {}), {}
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

    def _earlier(self, debugger: shapes.Debugger) -> shapes.Debugger | None:
        """Return what was known of DEBUGGER before connection or hub was lost; None when it is new."""
        found = self._before((debugger.thread, debugger.level))
        same = found and (found.evaluation, found.condition.type) == (
            debugger.evaluation,
            debugger.condition.type,
        )
        return found if same else None

    def _around(self, inner: shapes.Debugger) -> list[shapes.Debugger]:
        """Return the levels that INNER, known before, is nested in: its thread is there still.

        The image says why a thread stopped at its innermost level only.
        """
        keys = [(inner.thread, level) for level in range(1, inner.level)]
        return [found for key in keys if key not in self._stops and (found := self._before(key))]

    def _before(self, key: StopKey) -> shapes.Debugger | None:
        if key in self._lost:
            return self._lost[key]
        return _from_log(self._recalled[key]) if key in self._recalled else None

    async def _note_entered(self, debugger: shapes.Debugger, record: Record | None) -> None:
        self._lost.pop((debugger.thread, debugger.level), None)
        recalled = self._recalled.pop((debugger.thread, debugger.level), None)
        if recalled is None or recalled.data.get("evaluation") != debugger.evaluation:
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


def _from_log(event: Event) -> shapes.Debugger | None:
    """Return the stop that EVENT tells of; None when it is of another version."""
    frames = zip_longest(event.data.get("frames") or (), event.data.get("places") or ())
    shown = [
        {"index": index, "description": text, "restartable": False, "location": place}
        for index, (text, place) in enumerate(frames)
    ]
    data = {"since": event.at, **event.data, "frames": shown}
    try:
        return msgspec.convert(data, shapes.Debugger)
    except msgspec.ValidationError:
        return None


def _age(debugger: shapes.Debugger) -> tuple[str, int]:
    return debugger.since or "", debugger.level


def _summary(debugger: shapes.Debugger) -> dict[str, Any]:
    """Return what the log keeps of DEBUGGER: of its frames what they call and where they are."""
    data: dict[str, Any] = msgspec.to_builtins(debugger)
    frames = data["frames"]
    return data | {
        "frames": [frame["description"] for frame in frames],
        "places": [frame["location"] for frame in frames],
    }
