"""Which column each line of Lisp begins in: changes of leading white space only, so that no code changes.

A line that stands where a good programmer may have put it is left alone: where styles differ (the clauses of
`loop`, lambda lists, bodies of macros that nobody knows) every usual column is right. Lines that begin inside
strings and block comments are never touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from descartes_server.ide import lambda_list
from descartes_server.ide.indent_rules import Bodies, is_known
from descartes_server.ide.indent_walk import TAB, Line, Walk, width
from descartes_server.ide.index import WorkspaceIndex
from descartes_server.ide.roles import base_name
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import Syntax
from descartes_server.ide.text import LineIndex

__all__ = ["TAB", "Line", "column_at", "known", "lines", "operators", "width"]


def lines(
    syntax: Syntax, bodies: Bodies, chosen: Sequence[range] | None = None, tab: int = TAB
) -> list[Line]:
    """Return the lines of SYNTAX that do not begin where they should, in order; of the CHOSEN ones only.

    BODIES: what is known of macros, see `known`. Of a form that is not closed nothing is changed, unless
    lines were chosen. TAB: the columns of a tab. Concurrency: for a worker thread.
    """
    facts = hash((frozenset(bodies.items()), tab))
    found: list[Line] = []
    for base, segment in zip(syntax.bases, syntax.segments, strict=True):
        line, column = syntax.lines.position(base)
        if chosen is None:
            changed = _whole(segment, column, bodies, facts, tab)
        else:
            shifted = [range(each.start - line, each.stop - line) for each in chosen]
            changed = _part(segment, column, bodies, shifted, tab)
        found += [Line(line + each.line, base + each.start, base + each.end, each.column) for each in changed]
    return found


def column_at(syntax: Syntax, offset: int, bodies: Bodies, tab: int = TAB) -> int | None:
    """Return the column of a datum that begins the line of OFFSET; None inside a string or comment."""
    for base, segment in syntax.around(offset)[:1]:
        return Walk(segment, syntax.lines.position(base)[1], bodies, (), tab).column_at(offset - base)
    return 0


def operators(syntax: Syntax) -> set[str]:
    """Return the operators in SYNTAX that the standard does not have, as they are written."""
    found: set[str] = set()
    for segment in syntax.segments:
        if "operators" not in segment.memory:
            segment.memory["operators"] = frozenset(_operators(segment))
        found |= segment.memory["operators"]
    return found


def known(names: Iterable[str], index: WorkspaceIndex, package: str, asked: Mapping[str, int]) -> Bodies:
    """Return what is known of the operators NAMES in PACKAGE, by the image, which was ASKED, or by INDEX."""
    bodies: dict[str, int | None] = {}
    for name in names:
        if name in asked:
            bodies[base_name(name)] = None if asked[name] < 0 else asked[name]
        elif defined := [each for each in index.lookup(name, package) if each.kind in _CALLED]:
            if defined[0].kind != "macro":
                bodies[base_name(name)] = None
            elif (before := _before_body(defined[0].detail)) is not None:
                bodies[base_name(name)] = before
    return bodies


_CALLED = ("macro", "function", "generic", "method")


def _before_body(parameters: str) -> int | None:
    kinds = [parameter.kind for parameter in lambda_list.read(parameters)]
    return kinds.index("body") if "body" in kinds else None


def _operators(segment: Segment) -> Iterator[str]:
    before = None
    for kind, start, end in segment.lexemes:
        if kind == "symbol" and before == "open" and segment.text[start] not in ":#&":
            text = segment.text[start:end]
            if not is_known(base_name(text)):
                yield text
        before = kind


def _sound(segment: Segment) -> bool:
    return not segment.strays and all(lexeme[0] != "broken" for lexeme in segment.lexemes)


def _part(segment: Segment, column: int, bodies: Bodies, chosen: Sequence[range], tab: int) -> list[Line]:
    """Return those of the CHOSEN lines of the tile that are to be changed."""
    count = LineIndex(segment.text).line_count
    pieces = [range(max(0, each.start), min(count, each.stop)) for each in chosen]
    if not _sound(segment) or not any(pieces):
        return []
    inside = frozenset(line for piece in pieces for line in piece)
    return Walk(segment, column, bodies, inside, tab).lines()


def _whole(segment: Segment, column: int, bodies: Bodies, facts: int, tab: int) -> list[Line]:
    """Return the lines of the whole tile, found once for what is known of macros; FACTS is its digest."""
    kept = segment.memory.get("indentation")
    if kept is None or kept[0] != (column, facts):
        is_closed = not segment.stack and _sound(segment)
        kept = (column, facts), Walk(segment, column, bodies, None, tab).lines() if is_closed else []
        segment.memory["indentation"] = kept
    found: list[Line] = kept[1]
    return found
