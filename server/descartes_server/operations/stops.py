"""Stopped threads in their wire shape: frames with places in files, and the form to mark in the editor.

Reads the files that frames point into; changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import descartes_swank as swank
from descartes_core.errors import DescartesError
from descartes_server.ide.syntax import Syntax
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations import restart_arguments
from descartes_server.operations.evaluations import Record, condition_shape
from descartes_server.operations.parsed import parsed
from descartes_server.operations.texts import SourceText, read_file

_VALUES = ("USE-VALUE", "STORE-VALUE")
_GIVING_UP = frozenset({"ABORT", "TOPLEVEL", "TERMINATE-THREAD", "KILL-THREAD", "EXIT", "QUIT"})


def in_order(restarts: Iterable[shapes.Restart]) -> list[shapes.Restart]:
    """Return RESTARTS as a person looks for them: first those that put a value in, last those that give up.

    Between them, and among those of one name, the innermost comes first, as the image has them; so does the
    index of each stay the image's.
    Example: 0 CONTINUE, 1 ABORT, 2 USE-VALUE -> 2 USE-VALUE, 0 CONTINUE, 1 ABORT
    """
    return sorted(restarts, key=_rank)


def _rank(restart: shapes.Restart) -> int:
    name = restart.name.upper()
    if name in _VALUES:
        return _VALUES.index(name)
    return len(_VALUES) + (name in _GIVING_UP)


def restart_shape(restart: swank.Restart) -> shapes.Restart:
    """Return RESTART in its wire shape."""
    return shapes.Restart(
        index=restart.index,
        name=restart.name,
        description=restart.description,
        arguments=[shapes.RestartArgument(name=a.name, kind=a.kind) for a in restart.arguments],
        interactive=restart.interactive,
    )


def origin_of(record: Record | None) -> shapes.Origin:
    """Return who caused a stop of the evaluation RECORD; None is a thread nobody here started."""
    if record is None:
        return shapes.Origin(kind="background")
    if record.run is not None:
        return shapes.Origin(kind="agent", name=record.by.name, run=record.run)
    return shapes.Origin(kind="human", name=record.by.name)


class Places:
    """Turns the session's locations into ranges, reading each file once."""

    def __init__(self, known: SourceText | None = None) -> None:
        self._sources: dict[Path, SourceText | None] = {known.path: known} if known else {}
        self.forms: list[str] = []
        """The top-level forms that places were found in, innermost frame first."""

    async def locate(self, location: swank.Location | None) -> shapes.Location | None:
        """Return where LOCATION is, or None when no file says."""
        if location is None or location.file is None or location.offset is None:
            return None
        source = await self._source(Path(location.file))
        if source is None:
            return None
        syntax = await parsed(source)
        if (form := syntax.form_at(location.offset, "toplevel")) is not None:
            self.forms.append(source.text[form.start : form.end])
        return source.location(location.offset, _form_end(syntax, location.offset))

    async def _source(self, path: Path) -> SourceText | None:
        if path not in self._sources:
            try:
                self._sources[path] = await read_file(path)
            except DescartesError:
                self._sources[path] = None
        return self._sources[path]


def _form_end(syntax: Syntax, offset: int) -> int:
    """Return where the form that begins at OFFSET ends; the end of its line when none begins there."""
    text = syntax.text
    span = syntax.form_at(min(offset + 1, len(text)), "enclosing")
    if span is not None and span.start == offset:
        return span.end
    line_end = text.find("\n", offset)
    return len(text) if line_end < 0 else line_end


async def frame_shapes(frames: Sequence[swank.Frame], places: Places) -> list[shapes.Frame]:
    """Return FRAMES in their wire shape, with the places that PLACES finds."""
    return [
        shapes.Frame(
            index=frame.index,
            description=frame.description,
            restartable=frame.restartable,
            location=await places.locate(frame.location),
        )
        for frame in frames
    ]


async def debugger_shape(stop: swank.Stop, record: Record | None, workspace: Path) -> shapes.Debugger:
    """Return STOP, caused by the evaluation RECORD, as every door shows it.

    Its location is the innermost frame's in WORKSPACE, else the form that was evaluated.
    """
    places = Places(record.source if record else None)
    frames = await frame_shapes(stop.frames, places)
    texts = [*places.forms, record.code if record else ""]
    condition = condition_shape(stop.condition)
    assert condition is not None
    return shapes.Debugger(
        thread=stop.thread,
        level=stop.level,
        condition=condition,
        restarts=in_order(restart_arguments.named(restart_shape(each), texts) for each in stop.restarts),
        frames=frames,
        frame_count=stop.frame_count,
        origin=origin_of(record),
        evaluation=stop.evaluation,
        location=_marked(frames, workspace) or _asked_for(record),
        stepping=_stepping_shape(stop.stepping),
        breakpoint=stop.breakpoint,
    )


def _stepping_shape(stepping: swank.Stepping | None) -> shapes.Stepping | None:
    if stepping is None:
        return None
    return shapes.Stepping(
        form=stepping.form,
        arguments=None if stepping.arguments is None else list(stepping.arguments),
        done=stepping.done,
        values=list(stepping.values),
    )


def _marked(frames: Sequence[shapes.Frame], workspace: Path) -> shapes.Location | None:
    inside = SourceText(workspace, "").uri + "/"
    own = (frame.location for frame in frames if frame.location and frame.location.uri.startswith(inside))
    return next(own, None)


def _asked_for(record: Record | None) -> shapes.Location | None:
    """Return the form that RECORD evaluates, or the first line of the file that it compiles or loads."""
    if record is None or record.source is None:
        return None
    if record.kind == "eval" and record.span is None:
        return None
    first_line = (0, len(record.source.text.partition("\n")[0].rstrip()))
    return record.source.location(*(record.span or first_line))
