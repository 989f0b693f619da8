"""The wire shapes of the live image: LispStatus, Evaluation, Compilation, Debugger and their parts.

Positions are 1-based lines and columns in code points, ends exclusive; the LSP door converts them.
"""

from __future__ import annotations

from typing import Literal

from descartes_core.model import Shape

ImageState = Literal["stopped", "starting", "ready", "lost"]
EvaluationState = Literal["running", "done", "stopped", "aborted", "lost"]
Severity = Literal["error", "warning", "information", "hint"]


class Position(Shape, frozen=True, kw_only=True):
    """A place in a text: LINE and COLUMN count from 1, columns in code points."""

    line: int
    column: int


class Range(Shape, frozen=True, kw_only=True):
    """From START up to, not including, END."""

    start: Position
    end: Position


class Location(Shape, frozen=True, kw_only=True):
    """A RANGE in the file URI."""

    uri: str
    range: Range


class Document(Shape, frozen=True, kw_only=True):
    """The sender's own text of the file that an operation is about; it counts before the disk's."""

    version: int
    text: str


class LispStatus(Shape, frozen=True, kw_only=True):
    """The image as everybody sees it; everything but STATE may be missing while it is not ready."""

    state: ImageState
    implementation: str | None = None
    version: str | None = None
    pid: int | None = None
    host: str | None = None
    port: int | None = None
    package: str | None = None
    started_in_ms: int | None = None
    stops: int = 0
    attached: bool = False
    """Whether somebody else started it, or it runs elsewhere; what editors ask of it goes through the hub."""
    remote: str | None = None
    """The command that leads to it, when that is not a connection from here."""
    reconnecting: bool = False
    """Whether it was lost and is tried again and again."""
    reason: str | None = None
    """Why the image was lost or did not start, one sentence."""


class StopKey(Shape, frozen=True, kw_only=True):
    """The address of a stop: valid until that level is left."""

    thread: int
    level: int


class Condition(Shape, frozen=True, kw_only=True):
    """What stopped a thread."""

    type: str
    message: str
    references: list[str] = []


class RestartArgument(Shape, frozen=True, kw_only=True):
    """One parameter of a restart's lambda list, KIND required, optional, rest or key.

    DEFAULT is the Lisp text whose value in the frame it has when it is left out, where that is known.
    """

    name: str
    kind: str
    default: str | None = None


class Restart(Shape, frozen=True, kw_only=True):
    """A way out of a stop; NAME without the star SLIME puts before it."""

    index: int
    name: str
    description: str
    arguments: list[RestartArgument] = []
    interactive: bool = False


class Frame(Shape, frozen=True, kw_only=True):
    """A frame of the stack, numbered from the innermost of the user's."""

    index: int
    description: str
    restartable: bool
    location: Location | None = None


class Origin(Shape, frozen=True, kw_only=True):
    """Who caused a stop."""

    kind: Literal["human", "agent", "background"]
    name: str | None = None
    run: str | None = None


class Stepping(Shape, frozen=True, kw_only=True):
    """Where a thread that steps stands: before the call FORM with ARGUMENTS, which may be unknown.

    DONE is the call that ended last since the step was asked for, with its VALUES.
    """

    form: str
    arguments: list[str] | None = None
    done: str | None = None
    values: list[str] = []


class Breakpoint(Shape, frozen=True, kw_only=True):
    """A breakpoint at a function (SYMBOL) or at the form at RANGE of URI.

    MESSAGE says why one that is not VERIFIED stops nothing.
    LOCATION is the function's definition, or the form.
    """

    id: str
    verified: bool
    message: str | None = None
    symbol: str | None = None
    uri: str | None = None
    range: Range | None = None
    location: Location | None = None
    condition: str | None = None
    hits: int = 0


class Debugger(Shape, frozen=True, kw_only=True):
    """One thread that is stopped at one level."""

    thread: int
    level: int
    condition: Condition
    restarts: list[Restart]
    frames: list[Frame]
    frame_count: int
    origin: Origin
    evaluation: str | None = None
    location: Location | None = None
    stepping: Stepping | None = None
    breakpoint: str | None = None
    """The id of the breakpoint it stopped at."""
    since: str | None = None
    """When it stopped, UTC, as events have it."""


class Evaluation(Shape, frozen=True, kw_only=True):
    """What became of an evaluation so far."""

    id: str
    state: EvaluationState
    values: list[str] = []
    output: str = ""
    package: str | None = None
    condition: Condition | None = None
    debugger: StopKey | None = None
    duration_ms: int = 0
    output_bytes: int = 0
    output_file: str | None = None
    repl: str | None = None
    number: int | None = None
    """Of its result in its REPL: `#v3` there is the first value of result 3."""


class Note(Shape, frozen=True, kw_only=True):
    """What the compiler said about a place in a file."""

    severity: Severity
    message: str
    uri: str | None = None
    range: Range | None = None
    references: list[str] = []


class Compilation(Shape, frozen=True, kw_only=True):
    """The outcome of a compilation or load; STATE is `stopped` when it stopped in the debugger."""

    success: bool
    duration_ms: int
    notes: list[Note] = []
    state: EvaluationState = "done"
    debugger: StopKey | None = None
    condition: Condition | None = None
    evaluation: str | None = None
    output: str = ""
    message: str | None = None
    """Why something was not loaded, or not as an editor shows it; one sentence."""
    system: str | None = None
    files: list[str] = []
    """URIs of the files that were compiled or loaded, in that order, of an operation on a system."""


class Local(Shape, frozen=True, kw_only=True):
    """A local variable of a frame; EARLIER are its other values at earlier visits there, the newest first.

    ID is its number in the frame, as `inspector.open` takes it for `local`.
    """

    name: str
    value: str
    id: int
    earlier: list[str] = []


class FrameDetail(Shape, frozen=True, kw_only=True):
    """The inside of one frame."""

    locals: list[Local]
    catch_tags: list[str]
    package: str | None = None
    location: Location | None = None


class Leaving(Shape, frozen=True, kw_only=True):
    """Where an operation that leaves a stop has got to: the next stop, or the evaluation."""

    debugger: Debugger | None = None
    evaluation: Evaluation | None = None
