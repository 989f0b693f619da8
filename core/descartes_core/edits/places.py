"""Places of a text and what comes there instead, as offsets in code points. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from descartes_core.agents.tools.texts import Text
from descartes_core.errors import InvalidParams


class Edit(NamedTuple):
    """NEW takes the place of what stands from START up to, not including, END."""

    start: int
    end: int
    new: str


class FileText:
    """The text of a file as searches see it: PLAIN, in which each line end is one newline."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.plain = text.content.replace("\r\n", "\n")

    @cached_property
    def _returns(self) -> list[int]:
        """Where in the plain text the newlines are that have a carriage return before them in the file."""
        found = re.finditer("\r\n", self.text.content)
        return [each.start() - number for number, each in enumerate(found)]

    def in_file(self, edits: Iterable[Edit]) -> list[Edit]:
        """Return EDITS of the plain text as edits of the file, whose line ends what is new gets too.

        Those that change nothing are left out.
        """
        newline, content = self.text.newline, self.text.content
        found = [
            Edit(self._offset(each.start), self._offset(each.end), _with(newline, each.new)) for each in edits
        ]
        return [each for each in found if content[each.start : each.end] != each.new]

    def _offset(self, plain: int) -> int:
        return plain + bisect_left(self._returns, plain)


class Lines:
    """The lines of CONTENT by number, from 0; only a newline ends one."""

    def __init__(self, content: str) -> None:
        self.content = content
        self.starts = [0, *(each.end() for each in re.finditer("\n", content))]

    def of(self, offset: int) -> int:
        """Return the line in which OFFSET is."""
        return bisect_right(self.starts, offset) - 1

    def start(self, line: int) -> int:
        """Return the offset at which LINE begins; behind the last one, the end of the text."""
        return self.starts[line] if line < len(self.starts) else len(self.content)

    def offset(self, line: int, column: int) -> int:
        """Return the offset of LINE and COLUMN, both from 1; beyond a line's end is its end."""
        number = min(max(line - 1, 0), len(self.starts))
        end = self.start(number + 1)
        if end > self.start(number) and self.content[end - 1] == "\n":
            end -= 1
        return min(self.start(number) + max(column - 1, 0), end)


def ordered(edits: Iterable[Edit], path: str) -> list[Edit]:
    """Return EDITS of the file PATH in their order. Errors: `InvalidParams` when two of them overlap."""
    found = sorted(edits)
    for one, other in pairwise(found):
        if other.start < one.end or other[:2] == one[:2]:
            raise InvalidParams(
                f"Expected changes that do not overlap, two of {path!r} do; join them into one", path=path
            )
    return found


def applied(content: str, edits: Sequence[Edit]) -> str:
    """Return CONTENT with EDITS, which are in order, in their places."""
    pieces: list[str] = []
    at = 0
    for each in edits:
        pieces += [content[at : each.start], each.new]
        at = each.end
    return "".join([*pieces, content[at:]])


def _with(newline: str, text: str) -> str:
    plain = text.replace("\r\n", "\n")
    return plain if newline == "\n" else plain.replace("\n", newline)
