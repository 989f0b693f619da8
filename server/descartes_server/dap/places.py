"""Places as the protocol has them: paths, and columns in UTF-16 units that begin where the client says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from descartes_core.errors import DescartesError, InvalidParams
from descartes_server.dap.arguments import Initialize
from descartes_server.operations.texts import SourceText, path_of, read_file


class Places:
    """Turns locations of the hub (1-based, code points) into those of one client, and back."""

    def __init__(self, client: Initialize) -> None:
        self.first_line = 1 if client.lines_start_at1 else 0
        self.first_column = 1 if client.columns_start_at1 else 0
        self._uris = client.path_format == "uri"

    async def of(self, location: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the fields source, line, column, endLine and endColumn for LOCATION; none without a file."""
        if location is None:
            return {"line": 0, "column": 0}
        start, end = location["range"]["start"], location["range"]["end"]
        path = path_of(location["uri"])
        text = await _text(path)
        return {
            "source": self.source(path),
            "line": self._line(start),
            "column": self._column(start, text),
            "endLine": self._line(end),
            "endColumn": self._column(end, text),
        }

    def source(self, path: Path) -> dict[str, Any]:
        """Return PATH as the protocol's `Source`."""
        return {"name": path.name, "path": path.as_uri() if self._uris else str(path)}

    def path(self, given: str) -> Path:
        """Return the absolute path that a client names. Errors: `InvalidParams` for anything else."""
        path = path_of(given)
        if not path.is_absolute():
            raise InvalidParams(f"expected an absolute path as the source, got {given[:200]!r}")
        return path

    def line(self, line: int) -> int:
        """Return the client's LINE, counted from 0."""
        return line - self.first_line

    def column(self, column: int, text: str) -> int:
        """Return the client's COLUMN in the line TEXT as code points from 0."""
        return from_utf16(text, column - self.first_column)

    def _line(self, position: Mapping[str, int]) -> int:
        return position["line"] - 1 + self.first_line

    def _column(self, position: Mapping[str, int], text: SourceText | None) -> int:
        column = position["column"] - 1
        if text is not None and position["line"] <= text.lines.line_count:
            column = to_utf16(text.lines.line_text(position["line"] - 1), column)
        return column + self.first_column


def to_utf16(line: str, column: int) -> int:
    """Return the UTF-16 units before code point COLUMN of LINE: to_utf16("😀(", 1) -> 2."""
    return column + sum(character > "\uffff" for character in line[:column])


def from_utf16(line: str, units: int) -> int:
    """Return how many code points of LINE lie before UNITS UTF-16 units: from_utf16("😀(", 2) -> 1."""
    for column, character in enumerate(line):
        if units <= 0:
            return column
        units -= 2 if character > "\uffff" else 1
    return len(line)


async def _text(path: Path) -> SourceText | None:
    try:
        text = await read_file(path)
    except DescartesError:
        return None
    # Lines of plain ASCII, nearly all, need no look at their text.
    return None if await asyncio.to_thread(text.text.isascii) else text
