"""The words of Lisp text: a total scanner that gives lexemes for any text and never fails.

It knows no nesting but that of `#| |#`. Where a string, a block comment or a `|symbol|` does not end,
it stops at the next parenthesis in column 0, so that what follows is still read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

LexemeKind = Literal[
    "open", "close", "symbol", "number", "string", "character", "prefix", "comment", "block", "broken"
]
Lexeme = tuple[LexemeKind, int, int]
"""Kind, start and end. `broken` is a string, block comment or `|symbol|` that does not end."""

_STOP = r"""\ \t\n\r\f\x0b()"';`,"""
_WORD = rf"[^{_STOP}|\\]"
_BAR = r"\|[^|\\]*+(?:\\.[^|\\]*+)*+\|"
_REST = rf"{_WORD}*+(?:(?:\\.|{_BAR}){_WORD}*+)*+"
_DELIMITED = rf"(?=[{_STOP}]|\Z)"
_LEXEME = re.compile(
    rf"""
    (?P<open>\()
  | (?P<close>\))
  | (?P<symbol>[A-Za-z&*:%<>=/!?$_~^@{{}}\[\]]{_WORD}*+(?![|\\]))
  | (?P<comment>;[^\n\r]*+|\A\#![^\n\r]*+)
  | (?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+")
  | (?P<block>\#\|)
  | (?P<character>\#\\(?:[\w+*^$%&!<>=?/~.:@\[\]{{}}-]{_WORD}*+|.))
  | (?P<number>(?:[+-]?(?:\d++/\d++|\d++\.?|\d*\.\d++(?:[esfdlESFDL][+-]?\d++)?
        |\d++(?:\.\d*+)?[esfdlESFDL][+-]?\d++)|\#(?:[xXbBoO]|\d++[rR])[+-]?[\w/]++|\#\*[01]*+){_DELIMITED})
  | (?P<prefix>\#'|,@|,\.|['`,]|\#!?[+-]|\#\.|\#\d++[=]|\#\d*+[A-Za-z]?(?=[("])|\#\d*+[pP](?=\#?"))
  | (?P<escaped>\#:{_REST}|\#\d++\#|\#{_REST}|(?:{_WORD}|\\.|{_BAR}){_REST})
  | (?P<broken>"|\||\\)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"#\||\|#")
_RESTART = re.compile(r"(?<=[\n\r])\(")
_DEFINER = re.compile(r"(?<=[\n\r])\((?:def|in-package\b|[^\s()\"]*:def)", re.IGNORECASE)
_CHECKED = frozenset({"string", "block", "broken", "escaped"})
_LINE_END = re.compile(r"[\n\r]")


def lexemes(text: str, start: int = 0) -> Iterator[Lexeme]:
    """Yield the lexemes of TEXT from START on, in order, without overlap; white space is left out.

    Example: list(lexemes("(a)")) -> [("open", 0, 1), ("symbol", 1, 2), ("close", 2, 3)]
    """
    position, length = start, len(text)
    while position < length:
        for match in _LEXEME.finditer(text, position):
            kind = match.lastgroup
            begin, end = match.span()
            if kind in _CHECKED:
                lexeme = _checked(text, kind or "broken", begin, end)
                yield lexeme
                if lexeme[2] != end:
                    position = lexeme[2]
                    break
            else:
                yield kind, begin, end  # type: ignore[misc]
        else:
            return


def restart_after(text: str, start: int) -> int:
    """Return the first parenthesis in column 0 of TEXT after START, or the end of the text."""
    found = _RESTART.search(text, start)
    return found.start() if found else len(text)


def is_definer(text: str, offset: int) -> bool:
    """Return whether a form that defines something starts at OFFSET, in column 0 but not at the start."""
    return _DEFINER.match(text, offset) is not None


def _checked(text: str, kind: str, start: int, end: int) -> Lexeme:
    if kind == "block":
        return _block(text, start)
    if kind == "broken":
        return _broken(text, start)
    if kind == "string":
        return _string(text, start, end)
    if text.find("|", start, end) >= 0 and _RESTART.search(text, start, end):
        return _broken(text, text.index("|", start, end), start)
    return "symbol", start, end


def _string(text: str, start: int, end: int) -> Lexeme:
    """A string that runs over a definition in column 0 and ends in the middle of a word has no end of
    its own: its last quote begins the next string."""
    if end - start < 8 or end >= len(text) or text[end] in " \t\n\r\f\x0b();'`,\"":
        return "string", start, end
    found = _DEFINER.search(text, start, end)
    return ("broken", start, found.start()) if found else ("string", start, end)


def _block(text: str, start: int) -> Lexeme:
    depth = 0
    for edge in _BLOCK_EDGE.finditer(text, start):
        depth += 1 if text[edge.start()] == "#" else -1
        if depth == 0:
            return "block", start, edge.end()
    return "broken", start, restart_after(text, start)


def _broken(text: str, mark: int, start: int | None = None) -> Lexeme:
    """The rest of a string without end reaches the next form; of a symbol without end, its line's end."""
    if text[mark] == '"':
        return "broken", mark, restart_after(text, mark)
    found = _LINE_END.search(text, mark)
    return "broken", mark if start is None else start, found.start() if found else len(text)
