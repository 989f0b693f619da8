"""The compiler's notes of each file, from one compilation to the next and through the person's typing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from descartes_server.ide.stops import Note
from descartes_server.ide.text import LineIndex
from descartes_server.lsp import from_hub, uris
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
    document = snapshot.documents.get(params["uri"])
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
    start = _common(old.text, new.text)
    end = _common_end(old.text, new.text, start)
    shift = len(new.text) - len(old.text)
    kept = []
    for note in notes:
        first, last = old.offset(*note.start), old.offset(*note.end)
        if last < start:
            kept.append(note)
        elif first >= len(old.text) - end:
            where = new.position(first + shift), new.position(last + shift)
            kept.append(replace(note, start=where[0], end=where[1]))
    return kept


def _common(one: str, other: str) -> int:
    """Return how many characters ONE and OTHER begin with alike, found by halving."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_end(one: str, other: str, start: int) -> int:
    low, high = 0, min(len(one), len(other)) - start
    while low < high:
        middle = (low + high + 1) // 2
        if one[len(one) - middle : len(one) - low] == other[len(other) - middle : len(other) - low]:
            low = middle
        else:
            high = middle - 1
    return low


def _real(snapshot: Snapshot, uri: Any) -> str | None:
    if (opened := snapshot.documents.get(uri)) is not None:
        return opened.real_path
    path = uris.path_of(uri) if isinstance(uri, str) else None
    return uris.real(path) if path else None
