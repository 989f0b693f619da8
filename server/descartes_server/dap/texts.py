"""Lisp text that a client typed, taken apart without a Lisp."""

from __future__ import annotations

from descartes_core.errors import InvalidParams
from descartes_server.ide.lexer import Lexeme, lexemes

SKIPPED = frozenset({"comment", "block"})


def forms(text: str) -> list[str]:
    """Return the text of each form in TEXT. Errors: `InvalidParams` when one does not end, or ends twice.

    Example: forms("x '(1 2) #'car") -> ["x", "'(1 2)", "#'car"]
    """
    found: list[str] = []
    depth, start = 0, -1
    for kind, begin, end in lexemes(text):
        if kind in SKIPPED:
            continue
        start = begin if start < 0 else start
        depth += (kind == "open") - (kind == "close")
        _check(text, kind, depth)
        if depth == 0 and kind != "prefix":
            found.append(text[start:end])
            start = -1
    if depth > 0 or start >= 0:
        raise InvalidParams(f"expected forms that end, got {text[:60]!r}; close what is open")
    return found


def form(text: str) -> str:
    """Return the only form in TEXT. Errors: `InvalidParams` when there are none or several."""
    found = forms(text)
    if len(found) != 1:
        raise InvalidParams(f"expected one form, got {len(found)} in {text[:60]!r}")
    return found[0]


def is_name(text: str) -> bool:
    """Return whether TEXT is one word, such as a variable, that can be looked at without effects."""
    words: list[Lexeme] = list(lexemes(text))
    return len(words) == 1 and words[0][0] in ("symbol", "number", "string", "character")


def _check(text: str, kind: str, depth: int) -> None:
    if depth < 0:
        raise InvalidParams(f"expected forms, got a parenthesis too many in {text[:60]!r}")
    if kind == "broken":
        raise InvalidParams(f"expected forms that end, got {text[:60]!r}; close the string or comment in it")
