"""Lines of Lisp that move to another column together."""

from __future__ import annotations

import re

from descartes_server.ide.indent_walk import width
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import Syntax

_WHITE = re.compile(r"(?<=\n)[ \t]*(?=[^ \t\r\n])")


def column_of(syntax: Syntax, offset: int) -> int:
    """Return the column that OFFSET of SYNTAX is shown in."""
    line, characters = syntax.lines.position(offset)
    return width(syntax.lines.line_text(line)[:characters])


def moved(segment: Segment, start: int, end: int, shift: int) -> str:
    """Return what stands from START to END of SEGMENT, its lines but the first SHIFT columns further right.

    Lines within strings and comments of several lines stay, and empty ones.
    """
    kept = [(first, last) for kind, first, last in segment.lexemes if kind in ("string", "block")]

    def white(match: re.Match[str]) -> str:
        at = start + match.start()
        inside = any(first < at < last for first, last in kept)
        return match[0] if inside else " " * max(0, width(match[0]) + shift)

    return _WHITE.sub(white, segment.text[start:end])
