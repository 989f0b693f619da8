"""One evaluation, from being asked for to its end, and the queues that keep one client's in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from .compilation import Note
from .debugger import Condition, StopId
from .forms import Value

State: TypeAlias = Literal["running", "done", "stopped", "aborted", "lost"]

OUTPUT_KEPT: Final = 1 << 20
"""Characters of output that an evaluation remembers; a listener gets all of it."""
RECENT_KEPT: Final = 1 << 14
"""Characters of output that are kept for the next report of what is done on the way."""


@dataclass(frozen=True, slots=True)
class Result:
    """What `Lisp.eval` gives: the printed values and the output."""

    values: list[str]
    output: str


def client_name(client: str, repl: str | None) -> str:
    """Return the name that the image knows CLIENT by in its REPL, which is a client of its own there."""
    return client if repl is None else f"{client}#{repl}"


@dataclass(slots=True, eq=False)
class Evaluation:
    """Something that the image was asked to do: evaluate, compile or load.

    Concurrency: changed on the event loop only, by its session.
    """

    id: str
    client: str = ""
    state: State = "running"
    values: list[str] = field(default_factory=list)
    output: str = ""
    output_bytes: int = 0
    """All that was written, as UTF-8, also what OUTPUT no longer holds."""
    package: str | None = None
    condition: Condition | None = None
    """Of the last stop."""
    stop: StopId | None = None
    """(thread, level) where it is stopped now."""
    duration_ms: int | None = None
    notes: tuple[Note, ...] = ()
    number: int | None = None
    """Of its result in its REPL, from 1."""
    success: bool | None = None
    """Of a compilation: whether the compiler was content."""
    report: Value = None
    """What else the image said of the outcome; who asked knows how to read it."""
    _recent: str = ""
    asked_package: str | None = None
    """The package that it was asked for in, as in a file; None: the client's own."""
    asked_policy: Mapping[str, int] = field(default_factory=dict)
    """The optimization qualities that a compilation was asked for with."""
    in_frame: bool = False
    """Whether it was asked for in a frame of a stopped thread."""
    frames_thread: int | None = None
    """The stopped thread that it was asked for in."""
    _pauses: list[asyncio.Future[None]] = field(default_factory=list)
    _ends: list[asyncio.Future[None]] = field(default_factory=list)
    _when_ended: list[Callable[[], None]] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return self.state in ("done", "aborted", "lost")

    async def settled(self) -> Evaluation:
        """Return this evaluation when it is done, aborted or lost."""
        if not self.ended:
            await _next(self._ends)
        return self

    async def paused_or_settled(self) -> Evaluation:
        """Return this evaluation at its first stop or end from now; at once when it is stopped or ended."""
        if self.state == "running":
            await _next(self._pauses)
        return self

    def when_ended(self, callback: Callable[[], None]) -> None:
        """Call CALLBACK on the loop as soon as it has ended; now, when it has."""
        if self.ended:
            callback()
        else:
            self._when_ended.append(callback)

    def write(self, text: str) -> None:
        """Take note of output."""
        self.output_bytes += len(text.encode("utf-8", "replace"))
        self._recent = (self._recent + text)[-RECENT_KEPT:]
        if (room := OUTPUT_KEPT - len(self.output)) > 0:
            self.output += text[:room]

    def take_recent(self) -> str:
        """Return the end of what was written since this was last asked."""
        recent, self._recent = self._recent, ""
        return recent

    def paused(self, stop: StopId, condition: Condition) -> None:
        """Take note that it stopped."""
        self.state, self.stop, self.condition = "stopped", stop, condition
        _wake(self._pauses)

    def resumed(self) -> None:
        """Take note that its stop was left."""
        self.state, self.stop = "running", None

    def finished(self, state: Literal["done", "aborted", "lost"]) -> None:
        """Take note of its end."""
        self.state, self.stop = state, None
        _wake(self._pauses)
        _wake(self._ends)
        callbacks, self._when_ended = self._when_ended, []
        for callback in callbacks:
            callback()


async def _next(waiting: list[asyncio.Future[None]]) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting.append(future)
    try:
        await future
    finally:
        if future in waiting:
            waiting.remove(future)


def _wake(waiting: list[asyncio.Future[None]]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)
    waiting.clear()


@dataclass(slots=True)
class Queues:
    """One queue for each client: an evaluation starts when the one before it has ended or stopped."""

    _waiting: dict[str, deque[tuple[Evaluation, Callable[[], None]]]] = field(default_factory=dict)
    _running: dict[str, Evaluation] = field(default_factory=dict)

    def add(self, evaluation: Evaluation, start: Callable[[], None]) -> None:
        """Call START now or when it is EVALUATION's turn."""
        self._waiting.setdefault(evaluation.client, deque()).append((evaluation, start))
        self._go_on(evaluation.client)

    def changed(self, evaluation: Evaluation) -> None:
        """Start the next one if EVALUATION stands in nobody's way any more."""
        if self._running.get(evaluation.client) is evaluation and evaluation.state != "running":
            del self._running[evaluation.client]
            self._go_on(evaluation.client)

    def withdraw(self, evaluation: Evaluation) -> bool:
        """Return whether EVALUATION was still waiting; it will not start."""
        waiting = self._waiting.get(evaluation.client, deque())
        for entry in waiting:
            if entry[0] is evaluation:
                waiting.remove(entry)
                return True
        return False

    def _go_on(self, client: str) -> None:
        waiting = self._waiting.get(client)
        while waiting and client not in self._running:
            evaluation, start = waiting.popleft()
            if evaluation.state == "running":
                self._running[client] = evaluation
                start()
        if not waiting:
            self._waiting.pop(client, None)
