"""White space at the ends of lines and of a text, where an editor wants it gone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from descartes_server.ide.edits import Edit, line_end
from descartes_server.ide.syntax import Syntax


@dataclass(frozen=True, slots=True)
class Wanted:
    """TRAILING white space is removed, a FINAL_NEWLINE added, and all FINAL_NEWLINES but one removed."""

    trailing: bool = False
    final_newline: bool = False
    final_newlines: bool = False


def edits(syntax: Syntax, wanted: Wanted) -> Iterator[Edit]:
    """Yield what is to be changed in SYNTAX, in order, without overlap; strings and characters are kept."""
    text = syntax.text
    end = len(text.rstrip("\r\n"))
    if wanted.trailing:
        for line in range(syntax.lines.line_count):
            start, stop = syntax.lines.line_span(line)
            if (edit := _trailing(syntax, start, stop)) is not None:
                yield edit
    newline = line_end(text)
    final = text[end:]
    if wanted.final_newlines and final.count("\n") > 1 and _kept_to(syntax, end) <= end:
        yield Edit(end + len(newline), len(text), "")
    elif wanted.final_newline and text and not final:
        yield Edit(end, end, newline)


def _trailing(syntax: Syntax, start: int, end: int) -> Edit | None:
    stripped = start + len(syntax.text[start:end].rstrip(" \t"))
    stripped = max(stripped, min(end, _kept_to(syntax, stripped)))
    return Edit(stripped, end, "") if stripped < end else None


def _kept_to(syntax: Syntax, offset: int) -> int:
    """Return the end of the word that begins before OFFSET, when that may hold white space."""
    for base, segment in syntax.around(offset):
        index = bisect_right(segment.lexemes, offset - base, key=lambda lexeme: lexeme[1]) - 1
        if index >= 0 and segment.lexemes[index][0] != "comment":
            return base + segment.lexemes[index][2]
    return 0
