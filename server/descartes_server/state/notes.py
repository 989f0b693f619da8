"""The compiler's notes of each file, from one compilation to the next and through the person's typing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from descartes_server.ide.stops import Note
from descartes_server.ide.text import LineIndex
from descartes_server.lsp import from_hub, uris
from descartes_server.state.shift import Shift
from descartes_server.state.snapshot import Snapshot
from descartes_server.state.workshop import Workshop


def after(
    snapshot: Snapshot, params: Mapping[str, Any], compilation: Mapping[str, Any], workshop: Workshop
) -> Workshop:
    """Return WORKSHOP after COMPILATION with PARAMS: its notes replace those of what was compiled."""
    found: dict[str, list[Note]] = {}
    if (own := _real(snapshot, params.get("uri"))) is not None:
        found[own] = _outside(snapshot, params, workshop.notes.get(own, ()))
    for uri in compilation.get("files") or ():
        if (path := _real(snapshot, uri)) is not None:
            found[path] = []
    for note in compilation["notes"]:
        path = _real(snapshot, note.get("uri")) or own
        if path is not None:
            found.setdefault(path, []).append(from_hub.note(note))
    for path, notes in found.items():
        workshop = workshop.with_notes(path, notes)
    return workshop


def _outside(snapshot: Snapshot, params: Mapping[str, Any], notes: Any) -> list[Note]:
    """Return those of NOTES that a compilation with PARAMS says nothing about: those of other forms."""
    document = snapshot.opened(params["uri"])
    position = params.get("position")
    if document is None or position is None:
        return []
    offset = document.lines.offset(position["line"] - 1, position["column"] - 1)
    span = document.syntax.form_at(offset, "toplevel")
    if span is None:
        return list(notes)
    places = ((note, document.lines.offset(*note.start)) for note in notes)
    return [note for note, place in places if not span.start <= place <= span.end]


def moved(notes: Any, old: LineIndex, new: LineIndex) -> list[Note]:
    """Return NOTES of the text OLD where they stand in NEW; those in what was changed are dropped."""
    shift = Shift(old, new)
    places = ((note, shift.place(old.offset(*note.start), old.offset(*note.end))) for note in notes)
    return [replace(note, start=where[0], end=where[1]) for note, where in places if where is not None]


def _real(snapshot: Snapshot, uri: Any) -> str | None:
    if (opened := snapshot.documents.get(uri)) is not None:
        return opened.real_path
    path = uris.path_of(uri) if isinstance(uri, str) else None
    return uris.real(path) if path else None
