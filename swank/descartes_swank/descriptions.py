"""What the image says of a stopped thread, in the forms of `lisp/debugger.lisp` or in Swank's own event."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .debugger import (
    ArgumentKind,
    Condition,
    Frame,
    FrameDetail,
    Local,
    Restart,
    RestartArgument,
    Stepping,
    Stop,
)
from .forms import Value
from .locations import FRAME, Location, Place, place
from .messages import Debug


@dataclass(frozen=True, slots=True)
class Described:
    """An answer of `describe-stop`: STOP without the locations of its frames, and where those are."""

    stop: Stop
    places: tuple[Place | None, ...]

    def located(self, locations: list[Location | None]) -> Stop:
        """Return the stop with LOCATIONS, one for each frame."""
        return replace(self.stop, frames=with_locations(self.stop.frames, locations))


def with_locations(frames: tuple[Frame, ...], locations: list[Location | None]) -> tuple[Frame, ...]:
    return tuple(replace(frame, location=location) for frame, location in zip(frames, locations, strict=True))


def read_stop(thread: int, level: int, form: Value) -> Described:
    """Return what FORM, the answer of `describe-stop` without its `:ok`, says about (THREAD, LEVEL)."""
    condition, restarts, frames, frame_count, evaluation, client, package, *more = form
    stepping, breakpoint, number = more
    entries, places = read_frames(frames)
    stop = Stop(
        thread,
        level,
        _condition(condition),
        tuple(_restart(restart) for restart in restarts or []),
        entries,
        frame_count,
        evaluation,
        client,
        package,
        _stepping(stepping),
        breakpoint,
        number,
    )
    return Described(stop, places)


def _stepping(form: Value) -> Stepping | None:
    if form is None:
        return None
    call, arguments, done, values = form
    known = None if arguments == ":unknown" else tuple(arguments or [])
    return Stepping(call, known, done, tuple(values or []))


def plain_stop(entry: Debug, evaluation: str | None) -> Stop:
    """Return the stop of EVALUATION as far as Swank's own event ENTRY tells it."""
    assert isinstance(entry.thread, int)
    condition = Condition(entry.condition.type, entry.condition.message)
    restarts = tuple(
        Restart(index, restart.name, restart.description, (), interactive=False)
        for index, restart in enumerate(entry.restarts)
    )
    return Stop(entry.thread, entry.level, condition, restarts, (), 0, evaluation)


def with_frames(stop: Stop, frames: tuple[Frame, ...]) -> Stop:
    """Return STOP with FRAMES, which are all there are."""
    return replace(stop, frames=frames, frame_count=len(frames))


def with_place(detail: FrameDetail, location: Location) -> FrameDetail:
    """Return DETAIL of a frame that is at LOCATION."""
    return replace(detail, location=location)


def read_frames(form: Value) -> tuple[tuple[Frame, ...], tuple[Place | None, ...]]:
    """Return the frames of FORM, each (INDEX TEXT RESTARTABLE LOCATION), and where they are."""
    frames = tuple(
        Frame(index, text, restartable is True, None) for index, text, restartable, _ in form or []
    )
    return frames, tuple(place(location, FRAME) for *_, location in form or [])


def read_detail(form: Value) -> tuple[FrameDetail, Place | None]:
    """Return what FORM, the answer of `frame-detail` without its `:ok`, says, and where the frame is."""
    variables, catch_tags, location, package = form
    found = tuple(Local(str(name), str(value), number or 0) for name, value, number in variables or [])
    return FrameDetail(found, tuple(catch_tags or []), None, package), place(location, FRAME)


def _condition(form: Value) -> Condition:
    kind, message, references = form
    return Condition(kind, message, read_references(references))


def read_references(form: Value) -> tuple[str, ...]:
    """Return references as SBCL gives them in words.

    Example: [[":sbcl", ":node", "Package Locks"]] -> ("SBCL manual, node Package Locks",)
    """
    return tuple(_reference(item) for item in form or [] if isinstance(item, list))


_BOOKS = {":sbcl": "SBCL manual", ":ansi-cl": "ANSI Common Lisp", ":amop": "AMOP"}


def _reference(form: list[Value]) -> str:
    book, *where = form
    words = [".".join(map(str, item)) if isinstance(item, list) else str(item).lstrip(":") for item in where]
    return ", ".join([_BOOKS.get(str(book), str(book).lstrip(":")), " ".join(words)])


def _restart(form: Value) -> Restart:
    index, name, description, lambda_list, interactive = form
    return Restart(index, name, description, _arguments(lambda_list), interactive is True)


_KINDS: dict[str, ArgumentKind] = {
    "&OPTIONAL": "optional",
    "&REST": "rest",
    "&BODY": "rest",
    "&KEY": "key",
}


def _arguments(lambda_list: Value) -> tuple[RestartArgument, ...]:
    kind: ArgumentKind = "required"
    arguments: list[RestartArgument] = []
    for item in lambda_list or []:
        if item.startswith("&"):
            kind = _KINDS.get(item, kind)
        else:
            arguments.append(RestartArgument(item, kind))
    return tuple(arguments)
