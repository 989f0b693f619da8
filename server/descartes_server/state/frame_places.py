"""The places of stopped frames, which the hub counts in files, in the texts that an editor has not saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from descartes_server.ide.stops import place
from descartes_server.ide.text import LineIndex
from descartes_server.lsp import uris
from descartes_server.state.documents import Document, Documents
from descartes_server.state.shift import Shift


def in_texts(value: Any, documents: Documents) -> Any:
    """Return VALUE of the hub with the frames in it at their places in DOCUMENTS."""
    unsaved = {each.real_path: each for each in documents.values() if each.base is not None}
    return _Moving(unsaved).value(value) if unsaved else value


class _Moving:
    def __init__(self, unsaved: Mapping[str | None, Document]) -> None:
        self._unsaved = unsaved
        self._shifts: dict[str, Shift] = {}

    def value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if not isinstance(value, dict):
            return value
        if "restartable" in value or "catchTags" in value:  # a Frame, a FrameDetail
            return {**value, "location": self._location(value.get("location"))}
        moved = {key: self.value(each) for key, each in value.items()}
        where, frames = value.get("location"), value.get("frames") or ()
        # A form that was sent to be evaluated, and no frame, is counted in the text it was sent from.
        if where and any(isinstance(each, dict) and each.get("location") == where for each in frames):
            moved["location"] = self._location(where)
        return moved

    def _location(self, location: Any) -> Any:
        path = uris.path_of(location["uri"]) if location else None
        document = self._unsaved.get(uris.real(path)) if path else None
        if document is None or document.base is None:
            return location
        if document.uri not in self._shifts:
            self._shifts[document.uri] = Shift(LineIndex(document.base), document.lines)
        ends = location["range"]["start"], location["range"]["end"]
        moved = self._shifts[document.uri].form(place(ends[0]), place(ends[1]))
        start, end = ({"line": line + 1, "column": column + 1} for line, column in moved)
        return {**location, "range": {"start": start, "end": end}}
