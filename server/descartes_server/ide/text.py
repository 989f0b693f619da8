"""Lines of a text: offsets in code points to (line, column) and back; no other unit is known here."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

_LINE_END = re.compile(r"\r\n|\n|\r")


class LineIndex:
    """The line starts of one text, found once; lines end at `\\n`, `\\r\\n` or a lone `\\r`."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def starts(self) -> list[int]:
        """Return the offset at which each line starts; the first is 0, and there is at least one line."""
        if "\r" in self.text:
            return [0, *(match.end() for match in _LINE_END.finditer(self.text))]
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    @property
    def line_count(self) -> int:
        """Return the number of lines; a text that ends with a line end has an empty last line."""
        return len(self.starts)

    def position(self, offset: int) -> tuple[int, int]:
        """Return line and column of OFFSET, which is clamped into the text.

        Units: 0-based, code points.
        Example: LineIndex("a\\nbc").position(3) -> (1, 1)
        """
        offset = min(max(offset, 0), len(self.text))
        line = bisect_right(self.starts, offset) - 1
        return line, offset - self.starts[line]

    def offset(self, line: int, column: int) -> int:
        """Return the offset of COLUMN in LINE; a column past the end means the end of the line's text.

        Example: LineIndex("a\\nbc").offset(0, 9) -> 1
        """
        if line < 0:
            return 0
        if line >= len(self.starts):
            return len(self.text)
        start, end = self.line_span(line)
        return min(start + max(column, 0), end)

    def line_span(self, line: int) -> tuple[int, int]:
        """Return start and end of LINE without its line end."""
        start = self.starts[line]
        if line + 1 == len(self.starts):
            return start, len(self.text)
        end = self.starts[line + 1] - 1
        if self.text[end] == "\n" and end > start and self.text[end - 1] == "\r":
            end -= 1
        return start, end

    def line_text(self, line: int) -> str:
        """Return the text of LINE without its line end."""
        start, end = self.line_span(line)
        return self.text[start:end]
