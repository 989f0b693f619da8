"""A stopped form and a compiler's note as the editor is shown them; places are 0-based lines and columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

DELIBERATE = frozenset({"breakpoint", "step", "interrupt"})
"""The types of conditions of stops that somebody wanted."""

Severity = Literal["error", "warning", "information", "hint"]
Place = tuple[int, int]


@dataclass(frozen=True)
class Restart:
    """One way out of a stop; PARAMETERS are the names of what it takes."""

    index: int
    name: str
    description: str
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stop:
    """A thread stopped at a level. PATH, START and END mark the form, where it is known.

    FRAME is the number of the frame that the form belongs to; CALL is that frame as it reads, `(AREA 2 3)`.
    """

    thread: int
    level: int
    condition_type: str
    message: str
    restarts: tuple[Restart, ...]
    evaluation: str | None = None
    origin: str = "human"
    run: str | None = None
    path: str | None = None
    start: Place = (0, 0)
    end: Place = (0, 0)
    frame: int | None = None
    call: str = ""
    callable_again: bool = False
    since: str | None = None
    """When it stopped."""
    told: tuple[Place, Place] | None = None
    """START and END as the hub said them; what the person types moves the others."""

    @property
    def steppable(self) -> bool:
        """Whether a person may want to go on step by step from here."""
        return self.condition_type in DELIBERATE

    @property
    def key(self) -> dict[str, int]:
        return {"thread": self.thread, "level": self.level}


@dataclass(frozen=True)
class Breakpoint:
    """A breakpoint at a place of a file; MESSAGE says why one that is not VERIFIED stops nothing."""

    id: str
    verified: bool
    path: str
    start: Place
    end: Place
    condition: str | None = None
    message: str | None = None
    waits: bool = False
    """Whether it will be set by itself: nothing is wrong with it."""
    told: tuple[Place, Place] | None = None
    """START and END as the hub said them."""


@dataclass(frozen=True)
class Note:
    """What the compiler said about a place."""

    severity: Severity
    message: str
    start: Place
    end: Place
    references: tuple[str, ...] = ()
    code: str = "compiler"


def place(position: Mapping[str, Any]) -> Place:
    """Return a 1-based `{line, column}` of the wire as a place: {"line": 1, "column": 3} -> (0, 2)."""
    return max(0, int(position["line"]) - 1), max(0, int(position["column"]) - 1)


@dataclass(frozen=True)
class Mark:
    """A stretch of a text with something to say about it; DATA comes back with the questions about it."""

    start: int
    end: int
    message: str
    severity: Severity
    code: str
    data: Mapping[str, Any] = field(default_factory=dict)
