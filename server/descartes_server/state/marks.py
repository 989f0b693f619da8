"""What is marked in the open files, through the person's typing and from one word of the hub to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from descartes_server.ide.stops import Breakpoint, Stop
from descartes_server.ide.text import LineIndex
from descartes_server.state import notes, results
from descartes_server.state.documents import Document, Documents
from descartes_server.state.shift import Shift
from descartes_server.state.workshop import Workshop

Marked = TypeVar("Marked", Stop, Breakpoint)


def moved(workshop: Workshop, path: str, old: LineIndex, new: LineIndex) -> Workshop:
    """Return WORKSHOP after the text OLD of the file PATH became NEW.

    A note or result in what was edited goes; a stop and a breakpoint stay whatever is done to their form.
    """
    if known := workshop.notes.get(path):
        workshop = workshop.with_notes(path, notes.moved(known, old, new))
    if shown := workshop.results.get(path):
        workshop = workshop.with_results(path, results.moved(shown, old, new))
    shift = Shift(old, new)
    if any(each.path == path for each in workshop.stops):
        workshop = replace(workshop, stops=_in(path, shift, workshop.stops))
    if any(each.path == path for each in workshop.breakpoints):
        workshop = replace(workshop, breakpoints=_in(path, shift, workshop.breakpoints))
    return workshop


def _in(path: str, shift: Shift, marks: Sequence[Marked]) -> tuple[Marked, ...]:
    return tuple(_after(shift, each) if each.path == path else each for each in marks)


def as_heard(before: Workshop, now: Workshop, documents: Documents) -> Workshop:
    """Return NOW, with stops and breakpoints as the hub tells them, at their places in DOCUMENTS.

    What was in BEFORE already and is told as it was then stays where it has moved to.
    """
    if now.stops is not before.stops:
        now = replace(now, stops=_heard(before.stops, now.stops, documents))
    if now.breakpoints is not before.breakpoints:
        now = replace(now, breakpoints=_heard(before.breakpoints, now.breakpoints, documents))
    return now


def _heard(before: Sequence[Marked], now: Sequence[Marked], documents: Documents) -> tuple[Marked, ...]:
    known = {_identity(each): each for each in before}
    found = []
    for each in now:
        same = known.get(_identity(each))
        found.append(replace(each, start=same.start, end=same.end) if same else _in_text(each, documents))
    return tuple(found)


def _identity(mark: Stop | Breakpoint) -> tuple[Any, ...]:
    told = mark.path, mark.told
    return (mark.id, *told) if isinstance(mark, Breakpoint) else (mark.thread, mark.level, mark.since, *told)


def _in_text(mark: Marked, documents: Documents) -> Marked:
    """Return MARK, heard of for the first time, where it stands in a text that is not saved."""
    opened = (each for each in documents.values() if each.real_path == mark.path and each.base is not None)
    document = next(opened, None)
    if document is None or document.base is None or not _is_the_files(mark, document):
        return mark
    return _after(Shift(LineIndex(document.base), document.lines), mark)


def _is_the_files(mark: Stop | Breakpoint, document: Document) -> bool:
    """Return whether the place of MARK was counted in the file, not in the text of DOCUMENT."""
    if isinstance(mark, Stop) and mark.frame is None:
        return False  # it is the form that was evaluated, as it was sent
    text = document.text[document.lines.offset(*mark.start) : document.lines.offset(*mark.end)]
    return isinstance(mark, Stop) or not (text.startswith("(") and text.endswith(")"))


def _after(shift: Shift, mark: Marked) -> Marked:
    start, end = shift.form(mark.start, mark.end)
    return replace(mark, start=start, end=end)
