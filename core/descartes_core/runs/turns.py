"""Which runs may work now: at most as many as the settings say, the others in the order they came in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from descartes_core.model import Event


class Turns:
    """The runs at work and those that wait; LIMIT says how many may work, as it is when asked.

    A run that is paused, or waits for an answer, holds up no other; when it goes on it does so at once.
    Runs above a run (who spawned it, and so on) do not count for it: they may be waiting for it. So the
    child of the youngest run at work always has a turn, and no set of runs waits for each other for ever.
    """

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._working: set[str] = set()
        self._waiting: dict[str, asyncio.Event] = {}
        self._above: dict[str, frozenset[str]] = {}

    def enter(self, run: str, parent: str | None, *, begun: bool = False, rests: bool = False) -> bool:
        """Note RUN, spawned by the run PARENT, and return whether it may work now; one that has BEGUN may.

        RESTS: it is paused.
        """
        own = frozenset() if parent is None else frozenset({parent})
        self._above[run] = own | self._above.get(parent or "", frozenset())
        if begun or self._may(run):
            if not rests:
                self._working.add(run)
            return True
        self._waiting[run] = asyncio.Event()
        return False

    async def turn(self, run: str) -> None:
        """Return when RUN may work."""
        if run in self._waiting:
            await self._waiting[run].wait()

    def leave(self, run: str) -> None:
        """Forget RUN, which has ended, and let others have their turn."""
        self._working.discard(run)
        self._waiting.pop(run, None)
        self._above.pop(run, None)
        self.look()

    def heard(self, events: Sequence[Event]) -> None:
        """Take in EVENTS of the log: runs that rest, and that go on."""
        for event in events:
            if event.run not in self._above or event.run in self._waiting:
                continue
            if event.data.get("phase") == "recovering" or event.data.get("from") == "idle":
                continue
            if event.name in ("run.status", "run.phase"):
                resting = event.data.get("to") == "paused" or event.data.get("phase") == "waiting"
                (self._working.discard if resting else self._working.add)(event.run)
                if resting:
                    self.look()

    def look(self) -> None:
        """Give a turn to everybody who may have one now."""
        for run in [each for each in self._waiting if self._may(each)]:
            if self._may(run):
                self._working.add(run)
                self._waiting.pop(run).set()

    def _may(self, run: str) -> bool:
        return len(self._working - self._above[run]) < self._limit()
