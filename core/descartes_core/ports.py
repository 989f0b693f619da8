"""What the core needs from a Lisp, a language and the clock, stated as protocols; the hub fills them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from descartes_core.model import Shape


class Clock(Protocol):
    """The time. A parameter everywhere, so that tests need not sleep."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970, UTC."""
        return time.time_ns() // 1_000_000


def new_id(kind: Literal["evt", "run", "int", "ses", "eval", "ins"]) -> str:
    """Return a fresh id, KIND, an underscore and 32 hexadecimal digits: `run_0f3c…`."""
    return f"{kind}_{uuid.uuid4().hex}"


@dataclass(frozen=True)
class Form:
    """A form at top level of a text: its NAME, empty when it defines nothing, and its offsets there."""

    name: str
    start: int
    end: int


class Forms(Protocol):
    """What top-level forms a text has. The core knows no language; the server does."""

    def forms(self, path: Path, text: str) -> Sequence[Form] | None:
        """Return the forms of TEXT, the text of the file PATH, in order; None when such files have none."""
        ...


class BodySnapshots(Protocol):
    """The files of the workspace, kept around what runs do to them. No failure of it stops a run."""

    async def run_begins(self, run: str, *, works: bool) -> None:
        """Keep the files before RUN does anything; WORKS: all of it is one step, as of a command."""
        ...

    async def run_ended(self, run: str) -> None:
        """Keep the files as RUN left them."""
        ...

    async def before_step(self, run: str, call: str, reason: str) -> None:
        """Keep the files before the tool call CALL of RUN may change them; waits while files are restored."""
        ...

    async def after_step(self, run: str, call: str) -> None:
        """Keep the files as the tool call CALL of RUN left them."""
        ...

    def abandon(self, run: str, call: str) -> None:
        """Let go of the tool call CALL of RUN, which is not going to end."""
        ...


class NoSnapshots:
    """Keeps nothing: for runs whose files nobody restores."""

    async def run_begins(self, run: str, *, works: bool) -> None:
        """See `BodySnapshots`."""

    async def run_ended(self, run: str) -> None:
        """See `BodySnapshots`."""

    async def before_step(self, run: str, call: str, reason: str) -> None:
        """See `BodySnapshots`."""

    async def after_step(self, run: str, call: str) -> None:
        """See `BodySnapshots`."""

    def abandon(self, run: str, call: str) -> None:
        """See `BodySnapshots`."""


class LispRestart(Shape, frozen=True, kw_only=True):
    """A way out of a stop, as an agent is shown it."""

    index: int
    name: str
    description: str


class LispResult(Shape, frozen=True, kw_only=True):
    """What became of an evaluation or compilation that a run asked for."""

    evaluation: str
    state: Literal["running", "done", "stopped", "aborted", "lost"]
    values: list[str] = []
    output: str = ""
    condition: str | None = None
    thread: int | None = None
    level: int | None = None
    restarts: list[LispRestart] = []
    notes: list[dict[str, Any]] = []
    success: bool | None = None


class LispPort(Protocol):
    """The live image as agents use it; RUN is the run that asks, CAUSE the event that has it ask.

    Errors: `DescartesError`.
    """

    async def evaluate(
        self, code: str, *, run: str, package: str | None = None, cause: str | None = None
    ) -> LispResult:
        """Evaluate CODE; answers when it is done or has stopped in the debugger."""
        ...

    async def compile_definition(
        self, path: str, name: str, *, run: str, cause: str | None = None
    ) -> LispResult:
        """Compile the top-level form that defines NAME in the file PATH, as it is on disk."""
        ...

    async def inspect(self, expression: str, *, run: str) -> str:
        """Return a readable description of the value of EXPRESSION and its parts."""
        ...

    async def restart(
        self,
        thread: int,
        level: int,
        *,
        run: str,
        name: str | None = None,
        index: int | None = None,
        arguments: Sequence[str] = (),
    ) -> LispResult:
        """Invoke a restart of the stop (THREAD, LEVEL); answers like `evaluate`."""
        ...
