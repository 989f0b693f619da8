"""Lines of Lisp that move to another column together."""

from __future__ import annotations

from descartes_server.ide.indent_walk import width
from descartes_server.ide.segments import Segment


def moved(segment: Segment, start: int, end: int, shift: int) -> str:
    """Return what stands from START to END of SEGMENT, its lines but the first SHIFT columns further right.

    Lines within strings and comments of several lines stay.
    """
    text = segment.text
    kept = {
        offset
        for kind, first, last in segment.lexemes
        if kind in ("string", "block")
        for offset in range(max(first + 1, start), min(last, end))
    }
    pieces, place = [], start
    for each in range(start + 1, end):
        if text[each - 1] == "\n" and each not in kept:
            rest = text[each:end]
            white = rest[: len(rest) - len(rest.lstrip(" \t"))]
            pieces += [text[place:each], " " * max(0, width(white) + shift)]
            place = each + len(white)
    return "".join([*pieces, text[place:end]])
