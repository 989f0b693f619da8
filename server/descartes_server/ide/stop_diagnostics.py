"""The stopped forms and the compiler's notes of a file as diagnostics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from descartes_server.ide.actions import BREAKPOINT_CODE, STOP_CODE
from descartes_server.ide.lenses import condition
from descartes_server.ide.stops import Breakpoint, Mark, Note, Severity, Stop
from descartes_server.ide.text import LineIndex


def stop_marks(stops: Iterable[Stop], lines: LineIndex) -> Iterator[Mark]:
    """Yield an error for each of STOPS over its form; its restarts are offered as code actions."""
    for stop in stops:
        start, end = lines.offset(*stop.start), lines.offset(*stop.end)
        names = ", ".join(restart.name for restart in stop.restarts)
        message = f"Stopped: {condition(stop)}\nRestarts: {names}"
        severity: Severity = "information" if stop.steppable else "error"
        yield Mark(start, max(start, end), message, severity, STOP_CODE, stop.key)


def breakpoint_marks(breakpoints: Iterable[Breakpoint], lines: LineIndex) -> Iterator[Mark]:
    """Yield why those of BREAKPOINTS stop nothing that are not set."""
    for each in breakpoints:
        if not each.verified and each.message:
            start, end = lines.offset(*each.start), lines.offset(*each.end)
            message = f"The breakpoint is not set: {each.message}"
            severity: Severity = "information" if each.waits else "warning"
            yield Mark(start, max(start, end), message, severity, BREAKPOINT_CODE, {"id": each.id})


def note_marks(notes: Iterable[Note], lines: LineIndex) -> Iterator[Mark]:
    """Yield a mark for each of NOTES."""
    for note in notes:
        start, end = lines.offset(*note.start), lines.offset(*note.end)
        message = "\n".join([note.message, *(f"See {reference}" for reference in note.references)])
        yield Mark(start, max(start, end), message, note.severity, note.code)
