"""What a selection grows to, step by step: word, form, the lists around it, the top-level form, the text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import pairwise

from descartes_server.ide.lexer import Lexeme
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import Span, Syntax
from descartes_server.ide.tree import Node, tree

LIMIT = 200
"""Steps of one answer; what lies between the innermost ones and the top-level form is left out."""

_ATOMS = frozenset({"symbol", "number", "string", "character", "broken", "comment", "block"})
_WORD_SIGNS = frozenset("*%+/<=>!?-_")


def at_each(syntax: Syntax, offsets: Iterable[int]) -> list[list[Span]]:
    """Return the `selections` of each of OFFSETS."""
    return [selections(syntax, offset) for offset in offsets]


def selections(syntax: Syntax, offset: int) -> list[Span]:
    """Return the stretches around OFFSET, the innermost first, the whole text last.

    Each holds OFFSET, or has it as an edge, and holds the one before it and more.
    """
    inner: list[Span] = []
    outer = [Span(0, len(syntax.text))]
    for base, segment in syntax.around(offset):
        inner += _shifted(_inside(segment, offset - base), base)
        outer += _shifted(_whole(segment, after_line=starts_line(syntax.text, base)), base)
    inner = _growing(inner, offset)[: LIMIT - len(outer)]
    return _growing([*inner, *outer], offset) or outer[:1]


def _growing(spans: Iterable[Span], offset: int) -> list[Span]:
    """Return those of SPANS around OFFSET that hold each other, the smallest first."""
    found: list[Span] = []
    around = {each for each in spans if each.start <= offset <= each.end and each.start < each.end}
    for span in sorted(around, key=lambda each: (each.end - each.start, -each.start)):
        if not found or (
            span.start <= found[-1].start and found[-1].end <= span.end and _length(span) > _length(found[-1])
        ):
            found.append(span)
    return found


def _length(span: Span) -> int:
    return span.end - span.start


def _shifted(spans: Iterable[Span], base: int) -> Iterator[Span]:
    return (Span(each.start + base, each.end + base) for each in spans)


def _inside(segment: Segment, offset: int) -> Iterator[Span]:
    """Yield the stretches of the tile around OFFSET, in no order that is promised."""
    atom = _atom_at(segment, offset)
    if atom is not None:
        yield from _of_atom(segment.text, atom, offset)
        yield from _prefixed(segment, atom[1], atom[2])
        if atom[0] in ("comment", "block"):
            yield from (block for block in _comment_blocks(segment) if block.start <= atom[1] < block.end)
    # What does not close ends with the last word or at OFFSET, not with the blanks before the next form.
    last = max(segment.lexemes[-1][2] if segment.lexemes else 0, offset)
    for node in _nodes_at(segment, offset, atom):
        end = min(node.end, last)
        yield Span(node.start, end)
        if node.kind in ("list", "vector"):
            start = segment.text.index("(", node.start)
            yield Span(start, end)
            yield Span(start + 1, end if start in segment.stack else end - 1)
            yield from _prefixed(segment, start, end)


def _whole(segment: Segment, *, after_line: bool) -> Iterator[Span]:
    """Yield the tile's form, with its prefixes, and with the comment right before it."""
    if segment.root is None:
        return
    start, end = segment.root
    end = segment.lexemes[-1][2] if segment.stack else end
    yield Span(start, end)
    yield Span(min(start, segment.prefix_start), end)
    yield Span(start_with_comment(segment, after_line=after_line), end)


def start_with_comment(segment: Segment, *, after_line: bool) -> int:
    """Return where the tile's form begins with its prefixes and the comment right before it.

    AFTER_LINE: the tile begins a line, so that a comment in its first one is not that of the form before.
    """
    start = min(segment.root[0] if segment.root else 0, segment.prefix_start)
    for block in _comment_blocks(segment):
        first_line = not set(segment.text[: block.start]) & set("\r\n")
        if _adjoins(segment.text, block.end, start) and (after_line or not first_line):
            return block.start
    return start


def starts_line(text: str, offset: int) -> bool:
    """Return whether a line of TEXT begins at OFFSET."""
    return offset == 0 or text[offset - 1] in "\r\n"


def _atom_at(segment: Segment, offset: int) -> Lexeme | None:
    """Return the word, string or comment that OFFSET lies in or touches; of two the one that begins there."""
    found = [lexeme for lexeme in segment.lexemes if lexeme[0] in _ATOMS and lexeme[1] <= offset <= lexeme[2]]
    return found[-1] if found else None


def _of_atom(text: str, atom: Lexeme, offset: int) -> Iterator[Span]:
    yield Span(atom[1], atom[2])
    inner = _contents(text, atom)
    if inner is not None:
        yield inner
        if inner.start <= offset <= inner.end:
            yield _word(text, inner, offset)


def _contents(text: str, atom: Lexeme) -> Span | None:
    """Return what stands between the marks of a string or comment."""
    kind, start, end = atom
    if kind == "comment":
        first = start
        while first < end and text[first] in ";#!":
            first += 1
        words = text[first:end]
        return Span(end - len(words.lstrip()), first + len(words.rstrip())) if words.strip() else None
    opened, closed = ("#|", "|#") if text.startswith("#|", start) else ('"', '"')
    if kind not in ("string", "block", "broken") or not text.startswith(opened, start):
        return None
    return Span(start + len(opened), end - (0 if kind == "broken" else len(closed)))


def _word(text: str, within: Span, offset: int) -> Span:
    start = end = offset
    while start > within.start and _is_of_word(text[start - 1]):
        start -= 1
    while end < within.end and _is_of_word(text[end]):
        end += 1
    return Span(start, end)


def _is_of_word(character: str) -> bool:
    return character.isalnum() or character in _WORD_SIGNS


def _prefixed(segment: Segment, start: int, end: int) -> Iterator[Span]:
    """Yield what stands from START to END with one more of its prefixes each time: `#P`, `#S`, `'`."""
    index = bisect_left(segment.lexemes, start, key=lambda lexeme: lexeme[1])
    for kind, begin, stop in reversed(segment.lexemes[:index]):
        if kind != "prefix" or stop != start:
            return
        start = begin
        yield Span(start, end)


def _nodes_at(segment: Segment, offset: int, atom: Lexeme | None) -> Iterator[Node]:
    """Yield the nodes of the tile's form around OFFSET, outermost first; where two touch, that of ATOM."""
    node = tree(segment)
    while node is not None and node.start <= offset <= node.end:
        yield node
        touched = [each for each in node.children if each.start <= offset <= each.end]
        exact = [each for each in touched if atom is not None and each.start <= atom[1] < each.end]
        found = exact or touched
        node = found[-1] if found else None


def _comment_blocks(segment: Segment) -> Iterator[Span]:
    """Yield the comments of the tile that have lines of their own, those on adjoining lines as one."""
    block: Span | None = None
    for (_, _, before), (kind, start, end) in pairwise([("comment", 0, 0), *segment.lexemes]):
        if kind not in ("comment", "block"):
            continue
        if block is not None and before == block.end and _adjoins(segment.text, block.end, start):
            block = Span(block.start, end)
        else:
            if block is not None:
                yield block
            own_line = before == 0 or set(segment.text[before:start]) & set("\r\n")
            block = Span(start, end) if own_line else None
    if block is not None:
        yield block


def _adjoins(text: str, end: int, start: int) -> bool:
    """Return whether at most one line end and blanks stand between END and START."""
    between = text[end:start]
    return (
        end <= start
        and not between.strip()
        and between.replace("\r\n", "\n").replace("\r", "\n").count("\n") <= 1
    )
