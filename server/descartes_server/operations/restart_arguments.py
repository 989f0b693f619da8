"""What the arguments of a restart are called, where the text of its form is at hand.

SBCL shows the clauses of `restart-case` with one parameter `TEMP` whatever their source says, or with one
`&rest`; a form to fill in wants the names the programmer gave.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from descartes_server.ide import lambda_list
from descartes_server.operations import lisp_shapes as shapes


def is_anonymous(restart: shapes.Restart) -> bool:
    """Return whether the image knows no better than that RESTART takes something."""
    return [each.name for each in restart.arguments] == ["TEMP"]


def named(restart: shapes.Restart, texts: Iterable[str]) -> shapes.Restart:
    """Return RESTART with the parameters that its clause has in the first of TEXTS that has one.

    Example: USE-VALUE with `TEMP`, in a text with `(use-value (value) …)` -> USE-VALUE with `VALUE`
    """
    if not is_anonymous(restart):
        return restart
    clause = re.compile(rf"\(\s*(?:[^\s()]*:)?{re.escape(restart.name)}\s+(?=\()", re.IGNORECASE)
    for text in texts:
        for hit in clause.finditer(text):
            found = _arguments(text[hit.end() :])
            if found:
                return msgspec.structs.replace(restart, arguments=found)
    return _with_its_standard_name(restart)


def _with_its_standard_name(restart: shapes.Restart) -> shapes.Restart:
    """Return RESTART, whose text is not at hand, with the parameter that the standard gives it."""
    if restart.name.upper() not in ("USE-VALUE", "STORE-VALUE"):
        return restart
    (argument,) = restart.arguments
    return msgspec.structs.replace(restart, arguments=[msgspec.structs.replace(argument, name="VALUE")])


def _arguments(text: str) -> list[shapes.RestartArgument]:
    found: list[shapes.RestartArgument] = []
    for each in lambda_list.read(text):
        # What is made of the other arguments means nothing in the frame.
        others = {argument.name for argument in found}
        default = None if others & _symbols(each.default or "") else each.default
        name = _name(text[each.start : each.end])
        found.append(shapes.RestartArgument(name=name, kind=each.kind, default=default))
    return found


def _symbols(form: str) -> set[str]:
    return {word.upper() for word in re.findall(r"[^\s()'`,\"#]+", form)}


def _name(parameter: str) -> str:
    """Return the variable of PARAMETER: `value` and `(value 1)` -> `VALUE`."""
    return parameter.lstrip("(").split()[0].rstrip(")").upper()
