"""LSP positions, in the negotiated encoding, to offsets in code points and back: here and nowhere else.

A place past a line's end means its end, one past the text the text's end, one inside a character its start.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal

from lsprotocol import types

from descartes_server.ide.text import LineIndex

Encoding = Literal["utf-8", "utf-16", "utf-32"]
ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")


class Positions:
    """The places of one text in one encoding. Lines of plain ASCII, nearly all, cost nothing."""

    def __init__(self, lines: LineIndex, encoding: Encoding) -> None:
        self.lines = lines
        self.encoding: Encoding = encoding
        self._plain = encoding == "utf-32" or lines.text.isascii()
        self._units: dict[int, list[int] | None] = {}

    def offset(self, position: types.Position) -> int:
        """Return the offset of POSITION.

        Example: in "é😀(" with utf-16, offset(Position(0, 3)) -> 2
        """
        return self.lines.offset(position.line, self.column(position.line, position.character))

    def position(self, offset: int) -> types.Position:
        """Return the position of OFFSET, which is clamped into the text."""
        line, column = self.lines.position(offset)
        return types.Position(line=line, character=self.character(line, column))

    def range(self, start: int, end: int) -> types.Range:
        """Return the range from offset START up to, not including, END."""
        return types.Range(start=self.position(start), end=self.position(end))

    def span(self, range_: types.Range) -> tuple[int, int]:
        """Return start and end of RANGE_ as offsets; an end before the start becomes the start."""
        start = self.offset(range_.start)
        return start, max(start, self.offset(range_.end))

    def column(self, line: int, character: int) -> int:
        """Return the code points before unit CHARACTER of LINE."""
        units = self._of_line(line)
        if units is None:
            return character
        return max(0, bisect_right(units, character) - 1)

    def character(self, line: int, column: int) -> int:
        """Return the units before code point COLUMN of LINE."""
        units = self._of_line(line)
        if units is None:
            return column
        return units[min(column, len(units) - 1)]

    def _of_line(self, line: int) -> list[int] | None:
        """Return the units before each code point of LINE and before its end, None when they are the same."""
        if self._plain or not 0 <= line < self.lines.line_count:
            return None
        if line not in self._units:
            text = self.lines.line_text(line)
            self._units[line] = None if text.isascii() else _units(text, self.encoding)
        return self._units[line]


def _units(text: str, encoding: Encoding) -> list[int]:
    total, before = 0, [0]
    for character in text:
        total += width(character, encoding)
        before.append(total)
    return before


def width(character: str, encoding: Encoding) -> int:
    """Return how many units CHARACTER takes: width("😀", "utf-16") -> 2, width("é", "utf-8") -> 2."""
    if encoding == "utf-16":
        return 2 if character > "\uffff" else 1
    if encoding == "utf-8":
        return len(character.encode("utf-8", "replace"))
    return 1


def length(text: str, encoding: Encoding) -> int:
    """Return how many units TEXT takes."""
    return len(text) if text.isascii() else sum(width(character, encoding) for character in text)
