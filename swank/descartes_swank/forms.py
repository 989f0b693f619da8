"""The values that Lisp forms become in Python, where Python has no type of its own for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

Value: TypeAlias = Any
"""None, bool, int, float, Fraction, str, Symbol, Char, Unreadable, list, Vector, Cons or Tagged.

`Any`, because what a reply holds is decided by the other side: a reader of replies checks what it uses.
"""

Form: TypeAlias = Any
"""A `Value` on its way to the Lisp; tuples stand for lists too."""


class Symbol(str):
    """A symbol as Lisp printed it: `Symbol("swank::foo")`, `Symbol(":ok")`, `Symbol("|Foo Bar|")`.

    Equal to the `str` of the same letters, so that `form[0] == ":ok"` reads well; `isinstance` tells
    them apart.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Symbol({str(self)!r})"


class Char(str):
    """A character object: `#\\a` is `Char("a")`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Char({str(self)!r})"


class Unreadable(str):
    """What Lisp prints for an object that has no syntax, whole: `Unreadable("#<PACKAGE \\"X\\">")`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Unreadable({str(self)!r})"


class Vector(tuple[Value, ...]):
    """A simple vector: `#(1 2)` is `Vector((1, 2))`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Vector({super().__repr__()})"


@dataclass(frozen=True, slots=True)
class Cons:
    """A list that does not end in nil: `(a b . c)` is `Cons((a, b), c)`; ITEMS is never empty."""

    items: tuple[Value, ...]
    tail: Value


@dataclass(frozen=True, slots=True)
class Tagged:
    """A form behind a reader macro that has no meaning here: `#P"x"` is `Tagged("#P", "x")`."""

    tag: str
    value: Value


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a text is not one whole form, and the OFFSET (code points) where that showed first."""

    message: str
    offset: int


def plist(form: Value) -> dict[str, Value]:
    """Return the property list FORM as a dict from its keys as printed; what is no list gives an empty one.

    The first of two equal keys wins, as in Lisp; a key without value is left out.
    Example: plist([Symbol(":name"), "x", Symbol(":id"), 0]) -> {":name": "x", ":id": 0}
    """
    if not isinstance(form, list):
        return {}
    pairs = list(zip(form[::2], form[1::2], strict=False))
    return {str(key): value for key, value in reversed(pairs) if isinstance(key, str)}
