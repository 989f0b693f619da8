"""Principals, a clock that is set by hand, and short ways to write events, for tests of the log."""

from __future__ import annotations

from typing import Any

from descartes_core.model import NewEvent, Principal

PERSON = Principal(kind="human", id="ada", name="Ada", via="Emacs")
FIXER = Principal(kind="agent", id="run_f1", name="fixer")
TESTER = Principal(kind="agent", id="run_7e", name="tester")


class FakeClock:
    """A clock that stands still until it is told."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self.ms = now_ms

    def now_ms(self) -> int:
        return self.ms

    def advance(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)


def event(name: str = "tool.started", **fields: Any) -> NewEvent:
    """Return an event named NAME on the stream `test` unless FIELDS say otherwise."""
    fields = {"category": "tool_use", "stream": "test", "actor": FIXER, **fields}
    return NewEvent(name=name, **fields)
