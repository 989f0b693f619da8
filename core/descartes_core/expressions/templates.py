"""Texts with `${…}` in them; `$${` stands for `${` itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from descartes_core.expressions.evaluation import evaluate
from descartes_core.expressions.filters import WrongValue, as_text
from descartes_core.expressions.parsing import LONGEST_BYTES, ExpressionError

_BEGINNING = re.compile(r"\$\$\{|\$\{")
_END = re.compile(r"""[^"'{}]+|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[{}"']""", re.DOTALL)


def has_expressions(text: str) -> bool:
    """Return whether `render` would change TEXT or look at anything."""
    return "${" in text


def render(text: str, names: Mapping[str, Any]) -> str:
    """Return TEXT with the value of each `${expression}` in its place; NAMES are known there.

    Errors: `ExpressionError`, with its place in TEXT.
    Example: render("on ${git.branch}", {"git": {"branch": "main"}}) -> "on main"
    """
    if len(text) > LONGEST_BYTES:
        raise ExpressionError(f"expected a text of at most {LONGEST_BYTES} characters, got more", text, 0)
    made = "".join(_pieces(text, names))
    if len(made) > LONGEST_BYTES:
        raise ExpressionError(f"expected to make at most {LONGEST_BYTES} characters, made more", text, 0)
    return made


def _pieces(text: str, names: Mapping[str, Any]) -> Iterator[str]:
    at = 0
    while found := _BEGINNING.search(text, at):
        yield text[at : found.start()]
        if found[0] == "$${":
            yield "${"
            at = found.end()
            continue
        start, end = found.end(), _end(text, found.end())
        if end is None:
            raise ExpressionError(
                "expected `}` behind `${`; write `$${` for the two signs", text, found.start()
            )
        yield _value(text, start, end, names)
        at = end + 1
    yield text[at:]


def _value(text: str, start: int, end: int, names: Mapping[str, Any]) -> str:
    try:
        return as_text(evaluate(text[start:end], names))
    except ExpressionError as error:
        raise error.within(text, start) from None
    except WrongValue as wrong:
        raise ExpressionError(str(wrong), text, start) from None


def _end(text: str, start: int) -> int | None:
    """Return where the `}` is that closes the expression that begins at START."""
    depth = 0
    for found in _END.finditer(text, start):
        if found[0] == "{":
            depth += 1
        elif found[0] == "}":
            if depth == 0:
                return found.start()
            depth -= 1
    return None
