"""Semantic tokens of a text, as objects and as the numbers that LSP sends; kept between keystrokes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from descartes_server.ide.colours import Entry, Painter
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import Syntax

TOKEN_TYPES = (
    "namespace", "type", "class", "parameter", "variable", "property", "function", "method", "macro",
    "keyword", "comment", "string", "number", "operator",
)  # fmt: skip
TOKEN_MODIFIERS = ("declaration", "readonly", "static", "documentation", "defaultLibrary")
Unit = Literal["utf-8", "utf-16", "utf-32"]


class Token(NamedTuple):
    """A word on one line; TYPE and MODIFIERS are of `TOKEN_TYPES` and `TOKEN_MODIFIERS`."""

    start: int
    length: int
    type: str
    modifiers: tuple[str, ...]


def tokens(syntax: Syntax, known: Mapping[str, str] | None = None) -> tuple[Token, ...]:
    """Return the tokens of the text in order, without overlap, none longer than its line.

    Shapes: known maps symbols as written in the text, in lower case, to `function`, `macro`, `generic`,
    `special-operator`, `variable`, `constant`, `class` or `type`. Pass the same object while it is unchanged:
    what was found for a form is kept with it.
    """
    known = known if known is not None else _NOTHING
    found: list[Token] = []
    for base, segment in zip(syntax.bases, syntax.segments, strict=True):
        relative = _remembered(segment, known)
        kept = segment.memory.get("tokens at")
        if kept is None or kept[0] != base or kept[1] is not relative:
            placed = [Token(base + start, length, kind, more) for start, length, kind, more in relative]
            kept = segment.memory["tokens at"] = base, relative, placed
        found.extend(kept[2])
    return tuple(found)


def encoded(syntax: Syntax, known: Mapping[str, str] | None = None, unit: Unit = "utf-16") -> list[int]:
    """Return the tokens as five numbers each, as LSP's `semanticTokens` sends them, in UNIT.

    Fast after a keystroke: the numbers of unchanged forms are kept.
    """
    known = known if known is not None else _NOTHING
    numbers: list[int] = []
    line = column = last_line = last_column = 0
    for segment in syntax.segments:
        data, lines, tail, end_line, end_column = _numbers(segment, known, unit)
        if data:
            first = len(numbers)
            numbers.extend(data)
            token_line, token_column = line + data[0], data[1] + (0 if data[0] else column)
            numbers[first] = token_line - last_line
            numbers[first + 1] = token_column - (0 if numbers[first] else last_column)
            last_line = line + end_line
            last_column = end_column + (0 if end_line else column)
        line, column = line + lines, tail + (0 if lines else column)
    return numbers


_NOTHING: Mapping[str, str] = {}
_TYPE_NUMBER = {name: number for number, name in enumerate(TOKEN_TYPES)}


def _remembered(segment: Segment, known: Mapping[str, str]) -> list[Entry]:
    kept = segment.memory.get("tokens")
    if kept is None or kept[0] is not known:
        kept = segment.memory["tokens"] = (
            known,
            list(_single_lines(segment, Painter(segment, known).paint())),
        )
    found: list[Entry] = kept[1]
    return found


def _width(text: str, unit: Unit) -> int:
    if unit == "utf-32" or text.isascii():
        return len(text)
    return len(text.encode("utf-8" if unit == "utf-8" else "utf-16-le", "surrogatepass")) // (
        1 + (unit == "utf-16")
    )


def _numbers(segment: Segment, known: Mapping[str, str], unit: Unit) -> tuple[list[int], int, int, int, int]:
    """The tile's tokens as numbers, the first relative to the tile's start; its line ends, the width after
    the last of them, and line and column of the last token."""
    kept = segment.memory.get("numbers")
    if kept is not None and kept[0] is known and kept[1] == unit:
        found: tuple[list[int], int, int, int, int] = kept[2]
        return found
    text, plain = segment.text, unit == "utf-32" or segment.text.isascii()
    data: list[int] = []
    line = line_start = last_line = last_column = 0
    position = 0
    for start, length, kind, modifiers in _remembered(segment, known):
        if "\n" in text[position:start] or "\r" in text[position:start]:
            line, line_start = _advance(text, position, start, line)
        position = start
        column = start - line_start if plain else _width(text[line_start:start], unit)
        width = length if plain else _width(text[start : start + length], unit)
        data += (line - last_line, column - (0 if line > last_line else last_column))
        data += (width, _TYPE_NUMBER[kind], _modifier_bits(modifiers))
        last_line, last_column = line, column
    line, line_start = _advance(text, position, len(text), line, line_start)
    result = data, line, _width(text[line_start:], unit), last_line, last_column
    segment.memory["numbers"] = known, unit, result
    return result


def _advance(text: str, position: int, end: int, line: int, line_start: int = 0) -> tuple[int, int]:
    stretch = text[position:end].replace("\r\n", " \n").replace("\r", "\n")
    ends = stretch.count("\n")
    return line + ends, position + stretch.rindex("\n") + 1 if ends else line_start


def _modifier_bits(modifiers: tuple[str, ...]) -> int:
    return sum(1 << TOKEN_MODIFIERS.index(modifier) for modifier in modifiers)


def _single_lines(segment: Segment, entries: Iterator[Entry]) -> Iterator[Entry]:
    text = segment.text
    for entry in entries:
        start, length, kind, modifiers = entry
        stretch = text[start : start + length]
        if "\n" not in stretch and "\r" not in stretch:
            yield entry
            continue
        for piece in stretch.replace("\r", "\n").split("\n"):
            if piece:
                yield start, len(piece), kind, modifiers
            start += len(piece) + 1
