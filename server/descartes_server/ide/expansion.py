"""Which form a person wants expanded, and the local macros that are visible there."""

from __future__ import annotations

from dataclasses import dataclass

from descartes_server.ide.paths import Step, steps_at
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import Span, Syntax

_LOCAL = {
    "macrolet": "macrolet",
    "symbol-macrolet": "symbol-macrolet",
    "flet": "flet",
    "labels": "flet",
}


@dataclass(frozen=True, slots=True)
class Surrounding:
    """Local definitions: KIND is macrolet, symbol-macrolet or flet, BINDINGS the text of their list."""

    kind: str
    bindings: str


def form_to_expand(syntax: Syntax, offset: int) -> Span | None:
    """Return the list that starts or ends at OFFSET, else the innermost one around it.

    Example: in `(let ((a 1)) (when a b))` at the parenthesis before `when` that is `(when a b)`
    """
    text = syntax.text
    if text[offset : offset + 1] == "(":
        return syntax.form_at(offset + 1, "enclosing")
    if text[offset - 1 : offset] == ")":
        return syntax.form_at(offset, "last")
    return syntax.form_at(offset, "enclosing")


def surroundings(syntax: Syntax, offset: int) -> list[Surrounding]:
    """Return the local macros and functions whose bodies OFFSET lies in, the outermost first."""
    for base, segment in syntax.around(offset):
        steps = steps_at(segment, offset - base)
        if steps:
            return [found for step in steps if (found := _of_step(segment, step)) is not None]
    return []


def _of_step(segment: Segment, step: Step) -> Surrounding | None:
    kind = _LOCAL.get(step.operator)
    if kind is None or step.role != "call" or step.index < 2:
        return None
    bindings = step.node.data[1]
    return Surrounding(kind, segment.text[bindings.start : bindings.end])
