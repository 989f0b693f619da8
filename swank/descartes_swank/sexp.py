"""Read and print the S-expressions that Swank and its clients exchange.

The reader is our own, not `sexpdata`, for two reasons. Swank prints what `sexpdata` cannot tell apart or
fails on: `#<...>`, characters, ratios, dotted pairs, bars around a `)`, forms nested deeper than Python's
stack. And big replies block the event loop while they are read: completions, definitions, backtraces and
apropos lists of 0.5 to 1.7 MB took 3 to 17 ms instead of 31 to 268, 8 to 19 times less in the same run; what
is made of very short strings gains least (`benchmarks/reader.py` measures it again).

Short texts go to the general reader directly, longer ones to the fast reader, which gives up on rare syntax.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any, Final

from . import fast_reader, general_reader
from .forms import Char, Cons, Form, Problem, Symbol, Tagged, Unreadable, Value, Vector, plist

__all__ = [
    "Char", "Cons", "Form", "Problem", "Symbol", "Tagged", "Unreadable", "Value", "Vector",
    "plist", "read", "write",
]  # fmt: skip

# Up to this many characters the fast reader's preparations cost more than they save.
_SHORT: Final = 250


def read(text: str) -> tuple[Value, Problem | None]:
    """Return the form in TEXT and None, or what can be understood of it and the first problem; never raises.

    Example: read('(:ok "a" 1/2)') -> ([Symbol(":ok"), "a", Fraction(1, 2)], None)
    """
    if len(text) > _SHORT:
        try:
            return fast_reader.read(text), None
        except fast_reader.Odd:
            pass
    return general_reader.read(text)


# Python prints longer integers in decimal only on request, and then in quadratic time.
_LONGEST_DECIMAL_BITS: Final = 12_000
_CHARACTER_TO_NAME: Final = {
    code: name.capitalize()
    for name, code in general_reader.CHARACTER_NAMES.items()
    if name not in {"null", "linefeed", "escape", "altmode", "delete"}
}


def write(form: Form) -> str:
    """Return FORM as Lisp reads it: None and False as nil, True as t, a `Symbol` verbatim, a str as a string.

    Lists and tuples become lists; nothing is quoted for the evaluator. Any depth.
    Errors: `TypeError` for a value that no Lisp form stands for; `ValueError` for a NaN.
    Example: write([Symbol("swank:load-file"), 'a"b', 1.5, None]) -> '(swank:load-file "a\\"b" 1.5d0 nil)'
    """
    pieces: list[str] = []
    open_lists: list[tuple[Iterator[Form], str]] = [(iter((form,)), "")]
    gap = ""
    while open_lists:
        values, closing = open_lists[-1]
        for value in values:
            pieces.append(gap)
            write_atom = _ATOMS.get(type(value))
            if write_atom is None:
                opening, parts, ending = _opened(value)
                pieces.append(opening)
                open_lists.append((iter(parts), ending))
                gap = ""
                break
            pieces.append(write_atom(value))
            gap = " "
        else:
            open_lists.pop()
            pieces.append(closing)
            gap = " "
    return "".join(pieces)


def _opened(value: Form) -> tuple[str, Iterable[Form], str]:
    """Return what VALUE begins with, the forms inside it, and what it ends with."""
    if isinstance(value, Cons):
        return "(", [*value.items, _DOT, value.tail], ")"
    if isinstance(value, Vector):
        return "#(", value, ")"
    if isinstance(value, (list, tuple)):
        return ("(", value, ")") if value else ("nil", (), "")
    if isinstance(value, Tagged):
        return value.tag, (value.value,), ""
    return _atom(value), (), ""


def _atom(value: Form) -> str:
    if value is None or value is False:
        return "nil"
    if value is True:
        return "t"
    if isinstance(value, (Symbol, Unreadable)):
        return str(value)
    if isinstance(value, Char):
        return "#\\" + _CHARACTER_TO_NAME.get(value, value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, (int, Fraction)):
        return _rational(value)
    if isinstance(value, float):
        return _float(value)
    raise TypeError(
        f"No Lisp form stands for a {type(value).__name__}; send a number, string, symbol or list"
    )


def _string(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _rational(value: int | Fraction) -> str:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) <= _LONGEST_DECIMAL_BITS:
        return str(value)
    over = "" if isinstance(value, int) else f"/{value.denominator:x}"
    return f"#x{value.numerator:x}{over}"


def _float(value: float) -> str:
    if math.isnan(value):
        raise ValueError("A NaN has no Lisp syntax; send another number")
    if math.isinf(value):
        return f"#.sb-ext:double-float-{'positive' if value > 0 else 'negative'}-infinity"
    text = repr(value)
    return text.replace("e", "d") if "e" in text else f"{text}d0"


_DOT: Final = Symbol(".")
_ATOMS: Final[Mapping[type, Callable[[Any], str]]] = {
    str: _string,
    Symbol: str,
    int: _rational,
    bool: lambda value: "t" if value else "nil",
    type(None): lambda value: "nil",
}
"""How values of the types that nearly all are of are written, found without asking for each type in turn."""
