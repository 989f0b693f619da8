"""Stopped threads: what a stop shows, and which stops there are, as a state machine without input or output.

A stop is named by its thread and level. Nothing here sends anything: `Debugger` is told what happened and
says what is to be done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .locations import Location

StopId: TypeAlias = tuple[int, int]
"""(thread, level)"""

ArgumentKind: TypeAlias = Literal["required", "optional", "rest", "key"]


@dataclass(frozen=True, slots=True)
class Condition:
    """Why a thread stopped; TYPE is `interrupt` where somebody interrupted it."""

    type: str
    message: str
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RestartArgument:
    name: str
    kind: ArgumentKind


@dataclass(frozen=True, slots=True)
class Restart:
    """A way out of a stop. INTERACTIVE: without arguments it asks for them."""

    index: int
    name: str
    description: str
    arguments: tuple[RestartArgument, ...]
    interactive: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """A call on the stack; INDEX 0 is the innermost of the user's."""

    index: int
    description: str
    restartable: bool
    location: Location | None


@dataclass(frozen=True, slots=True)
class Local:
    name: str
    value: str
    id: int


@dataclass(frozen=True, slots=True)
class FrameDetail:
    """What a frame holds; PACKAGE is the one its function was written in."""

    locals: tuple[Local, ...]
    catch_tags: tuple[str, ...]
    location: Location | None
    package: str


@dataclass(frozen=True, slots=True)
class Stepping:
    """Where a thread that steps has stopped, as text: before the call FORM with ARGUMENTS.

    ARGUMENTS is None where the compiler kept them from being known. DONE is the call that ended last since
    the step was asked for, with its VALUES; None when there was none.
    """

    form: str
    arguments: tuple[str, ...] | None
    done: str | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stop:
    """A thread stopped at a level: 1 for an error, 2 for an error while at 1, and so on."""

    thread: int
    level: int
    condition: Condition
    restarts: tuple[Restart, ...]
    frames: tuple[Frame, ...]
    """The first of them; `Lisp.frames` gives the others."""
    frame_count: int
    evaluation: str | None
    """The evaluation that stopped; None for a thread that nobody's evaluation runs in."""
    client: str | None = None
    package: str = "COMMON-LISP-USER"
    stepping: Stepping | None = None
    breakpoint: str | None = None
    """The breakpoint that it stopped at."""
    number: int | None = None
    """Which of all stops it is, to the image: a thread stops at the same level again and again."""

    @property
    def id(self) -> StopId:
        return (self.thread, self.level)


# What is to be done


@dataclass(frozen=True, slots=True)
class Describe:
    """Ask the stopped thread what it shows, then call `Debugger.described` with VISIT."""

    thread: int
    level: int
    visit: int


@dataclass(frozen=True, slots=True)
class AbortRequest:
    """End a request of our own that stopped; nobody is to see it."""

    thread: int
    level: int


@dataclass(frozen=True, slots=True)
class Announce:
    """Show STOP: new, or once more what its thread is waiting at."""

    stop: Stop


@dataclass(frozen=True, slots=True)
class Leave:
    """Show (THREAD, LEVEL) no more."""

    thread: int
    level: int


Effect: TypeAlias = Describe | AbortRequest | Announce | Leave


@dataclass(slots=True)
class _Level:
    level: int
    visit: int
    silent: bool
    stop: Stop | None = None
    # True from when a nested level was entered until Swank sends this one again.
    covered: bool = False
    announced: bool = False
    # True from when a nested level was shown until this one is shown again.
    hidden: bool = False


@dataclass(slots=True)
class Debugger:
    """Which threads are stopped, and where.

    Invariant: the levels of a thread rise; only the last one can be waiting for a request.
    """

    _threads: dict[int, list[_Level]] = field(default_factory=dict)
    _visits: int = 0
    _unseen: set[StopId] = field(default_factory=set)
    """Levels around the first one that was heard of: entered when nobody listened."""

    @property
    def stops(self) -> dict[StopId, Stop]:
        """Return all stops that are shown; a parent level is one of them while a nested one is open."""
        return {
            (thread, level.level): level.stop
            for thread, levels in self._threads.items()
            for level in levels
            if level.announced and level.stop is not None
        }

    def waiting(self, thread: int, level: int) -> Stop | None:
        """Return the stop (THREAD, LEVEL) when its thread waits there for a request, else None."""
        shown = [entry for entry in self._threads.get(thread, []) if not entry.silent]
        if shown and shown[-1].level == level and shown[-1].announced and not shown[-1].covered:
            return shown[-1].stop
        return None

    def coming_back(self, thread: int, level: int) -> bool:
        """Tell whether THREAD is about to wait at LEVEL again: what was nested has been left a moment ago."""
        levels = self._threads.get(thread, [])
        return bool(levels) and levels[-1].level == level and levels[-1].announced and levels[-1].covered

    def entered(self, thread: int, level: int, *, silent: bool) -> list[Effect]:
        """Take note of `:debug`. SILENT: a request of our own stopped. The same event twice has no effect."""
        effects = self._drop(thread, level + 1)
        levels = self._threads.setdefault(thread, [])
        if levels and levels[-1].level == level:
            return effects + self._entered_again(thread, levels[-1])
        if not levels:
            self._unseen.update((thread, outer) for outer in range(1, level))
        self._unseen.discard((thread, level))
        self._visits += 1
        entry = _Level(level, self._visits, silent)
        for parent in levels:
            parent.covered = parent.covered or not silent
        levels.append(entry)
        effects.append(AbortRequest(thread, level) if silent else Describe(thread, level, entry.visit))
        return effects

    def _entered_again(self, thread: int, entry: _Level) -> list[Effect]:
        if not entry.covered:
            return []
        entry.covered = False
        if entry.stop is not None:
            return self._announce(thread, entry)
        self._visits += 1
        entry.visit = self._visits
        return [Describe(thread, entry.level, entry.visit)]

    def described(self, visit: int, stop: Stop) -> list[Effect]:
        """Take STOP as the answer to the `Describe` with VISIT, unless the thread has gone on meanwhile."""
        for entry in self._threads.get(stop.thread, []):
            if entry.visit == visit and entry.stop is None and not entry.silent:
                entry.stop = stop
                if not entry.covered:
                    return self._announce(stop.thread, entry)
        return []

    def _announce(self, thread: int, entry: _Level) -> list[Effect]:
        """Show ENTRY, unless it is what was shown last of THREAD."""
        if entry.stop is None or (entry.announced and not entry.hidden):
            return []
        entry.announced, entry.hidden = True, False
        for parent in self._threads[thread]:
            parent.hidden = parent.hidden or parent.level < entry.level
        return [Announce(entry.stop)]

    def silence(self, visit: int, thread: int) -> list[Effect]:
        """Take the stop of VISIT for a request of ours after all: it turned out to be nobody's."""
        for entry in self._threads.get(thread, []):
            if entry.visit == visit:
                entry.silent = True
                return [AbortRequest(thread, entry.level)]
        return []

    def left(self, thread: int, level: int) -> list[Effect]:
        """Take note of `:debug-return`; of a level that was never heard of somebody may know all the same."""
        unseen = self._unseen & {(thread, level)}
        self._unseen -= unseen
        return [*self._drop(thread, level), *(Leave(*each) for each in unseen)]

    def lost(self) -> list[Effect]:
        """Take note that the Lisp is gone: nothing is stopped any more."""
        self._unseen.clear()
        return [effect for thread in list(self._threads) for effect in self._drop(thread, 0)]

    def _drop(self, thread: int, lowest: int) -> list[Effect]:
        levels = self._threads.get(thread, [])
        effects: list[Effect] = []
        while levels and levels[-1].level >= lowest:
            entry = levels.pop()
            if entry.announced:
                effects.append(Leave(thread, entry.level))
        if not levels:
            self._threads.pop(thread, None)
        return effects
