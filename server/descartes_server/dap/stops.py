"""Which threads are stopped, as one client was told: what is new in the hub's list becomes events.

A stop is one thread at one level; the client sees the deepest of each thread. Frames have their ids for as
long as their stop is not left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from descartes_core.errors import DebuggerStale
from descartes_server.dap.refusals import NotStopped

Debugger = dict[str, Any]
"""As in interface.md."""


@dataclass(eq=False)
class Stop:
    """One stop; `debugger` is what the hub says of it."""

    debugger: Debugger
    frame_ids: dict[int, int] = field(default_factory=dict)
    looked_at: bool = False
    """Whether the client has asked for its stack."""

    @property
    def thread(self) -> int:
        return int(self.debugger["thread"])

    @property
    def level(self) -> int:
        return int(self.debugger["level"])

    @property
    def key(self) -> dict[str, int]:
        """The parameters that name it in operations."""
        return {"thread": self.thread, "level": self.level}

    @property
    def evaluation(self) -> str | None:
        found = self.debugger.get("evaluation")
        return found if isinstance(found, str) else None

    @property
    def restarts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.debugger["restarts"]
        return found

    def restarts_there(self) -> str:
        """Return its restarts in one line.

        Example: "0 USE-VALUE, 1 ABORT"
        """
        return ", ".join(f"{each['index']} {each['name']}" for each in self.restarts)

    def same_as(self, debugger: Debugger) -> bool:
        """Return whether DEBUGGER, of the same thread and level, is this stop and not the next one there."""
        return _identity(self.debugger) == _identity(debugger)


@dataclass(frozen=True)
class Frame:
    """The frame INDEX of STOP."""

    stop: Stop
    index: int

    @property
    def key(self) -> dict[str, int]:
        """The parameters that name it in operations."""
        return {**self.stop.key, "frame": self.index}


class Stops:
    """The stops that the client knows. ENTERED and LEFT are called for what it is to be told."""

    def __init__(
        self,
        entered: Callable[[Stop], None],
        left: Callable[[Stop], None],
        gone: Callable[[Stop], None],
    ) -> None:
        """LEFT is called when a thread runs again, GONE for every stop that was left, nested or not."""
        self._entered, self._left, self._gone = entered, left, gone
        self._stops: dict[tuple[int, int], Stop] = {}
        self._shown: dict[int, Stop] = {}
        self._last_id = 0
        self._frames: dict[int, Frame] = {}
        self._held = 0
        self._held_back: Sequence[Debugger] | None = None

    def all(self) -> list[Stop]:
        """Return the stop of each stopped thread, the deepest where there are several."""
        return [self._shown[thread] for thread in sorted(self._shown)]

    def is_stopped(self, thread: int) -> bool:
        """Return whether THREAD is stopped."""
        return thread in self._shown

    def stands(self, stop: Stop) -> bool:
        """Return whether the thread of STOP is stopped there, and no deeper."""
        return self._shown.get(stop.thread) is stop

    def of(self, thread: int, level: int | None = None) -> Stop:
        """Return the stop of THREAD. Errors: `NotStopped`; `DebuggerStale` when it is not at LEVEL."""
        found = self._shown.get(thread)
        if found is None:
            there = ", ".join(str(each) for each in sorted(self._shown)) or "none"
            raise NotStopped(f"thread {thread} is not stopped; stopped threads: {there}; pause it first")
        if level not in (None, found.level):
            raise DebuggerStale(f"thread {thread} is not stopped at level {level} but at {found.level}")
        return found

    def frame(self, id: int) -> Frame:
        """Return the frame of ID. Errors: `DebuggerStale` when its stop was left."""
        found = self._frames.get(id)
        if found is None:
            raise DebuggerStale(f"there is no frame {id} any more; ask for the stack of a stopped thread")
        return found

    def was_left(self, id: int) -> bool:
        """Return whether ID is that of a frame whose stop was left."""
        return 0 < id <= self._last_id and id not in self._frames

    def frame_id(self, stop: Stop, index: int) -> int:
        """Return the id of the frame INDEX of STOP, the same one as long as STOP is not left."""
        if index not in stop.frame_ids:
            self._last_id += 1
            stop.frame_ids[index] = self._last_id
            self._frames[stop.frame_ids[index]] = Frame(stop, index)
        return stop.frame_ids[index]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Tell the client nothing for the time of the block: what follows from a request comes after it."""
        self.hold()
        try:
            yield
        finally:
            self.release()

    def hold(self) -> None:
        """Tell the client nothing until `release`, called as often."""
        self._held += 1

    def release(self) -> None:
        """Tell what was held back."""
        self._held -= 1
        held_back, self._held_back = self._held_back, None
        if self._held == 0 and held_back is not None:
            self.update(held_back)
        elif self._held:
            self._held_back = held_back

    def forget(self, stop: Stop) -> None:
        """Take note that STOP was left by this client, which knows it."""
        for key in [key for key in self._stops if key[0] == stop.thread and key[1] >= stop.level]:
            self._drop(self._stops[key])
        self._shown.pop(stop.thread, None)

    def update(self, debuggers: Sequence[Debugger]) -> None:
        """Take in DEBUGGERS, all there are now."""
        if self._held:
            self._held_back = debuggers
            return
        there = {(each["thread"], each["level"]): each for each in debuggers}
        for key, stop in list(self._stops.items()):
            if key not in there or not stop.same_as(there[key]):
                self._drop(stop)
        for key, debugger in there.items():
            if key in self._stops:
                self._stops[key].debugger = debugger
            else:
                self._stops[key] = Stop(debugger)
        self._show()

    def _show(self) -> None:
        deepest: dict[int, Stop] = {}
        for (thread, _), stop in sorted(self._stops.items(), key=lambda item: item[0]):
            deepest[thread] = stop
        shown, self._shown = self._shown, deepest
        for thread, stop in shown.items():
            if thread not in deepest:
                self._left(stop)
        for thread, stop in deepest.items():
            if shown.get(thread) is not stop:
                self._entered(stop)

    def _drop(self, stop: Stop) -> None:
        self._stops.pop((stop.thread, stop.level), None)
        for id in stop.frame_ids.values():
            self._frames.pop(id, None)
        self._gone(stop)


def _identity(debugger: Debugger) -> tuple[Any, ...]:
    first = debugger["frames"][0]["description"] if debugger["frames"] else None
    return debugger["condition"], debugger.get("evaluation"), debugger["frameCount"], first
