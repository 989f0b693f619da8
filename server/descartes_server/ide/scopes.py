"""Which lexical binding a symbol means: by where it stands, called or not, quoted, in a template or none."""

from __future__ import annotations

from typing import Literal

from descartes_server.ide.bindings import Binding
from descartes_server.ide.paths import Step, nodes_at, steps_at
from descartes_server.ide.roles import base_name, operator_of
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import SymbolToken, Syntax
from descartes_server.ide.tree import Node

Space = Literal["variable", "function"]


def binding_of(syntax: Syntax, symbol: SymbolToken) -> Binding | None:
    """Return the lexical binding that SYMBOL means, if one does.

    A local function counts where the symbol is called or quoted with `#'`, a variable where one is evaluated
    or declared. What is written `*so*` is bound dynamically, and is the same variable everywhere.
    """
    if ":" in symbol.text or (len(symbol.text) > 2 and symbol.text[0] == symbol.text[-1] == "*"):
        return None
    if (own := _bound_here(syntax, symbol)) is not None:
        return own
    space = space_of(syntax, symbol.start)
    if space is None:
        return None
    for binding in syntax.bindings_at(symbol.start):
        if base_name(binding.name) == base_name(symbol.text) and (
            (binding.kind in ("function", "macro")) == (space == "function")
        ):
            # In a template or in quoted data the name is another symbol, which only looks the same.
            meant = _level(syntax, binding.start) == _level(syntax, symbol.start)
            return binding if meant else None
    return None


_NAMING = {"block": 1, "return-from": 1, "go": 1, "the": 1, "check-type": 2}
"""Which datum of a call of that operator names a block, a tag or a type."""
_TAGGED = {"tagbody": 1, "prog": 2, "prog*": 2}
"""From which datum on a symbol that stands there by itself is a tag."""


def space_of(syntax: Syntax, offset: int) -> Space | None:
    """Return what a symbol at OFFSET names; None for a type, class, key, block, tag or part of a syntax."""
    base, segment = syntax.around(offset)[0]
    before = syntax.text[max(0, offset - 2) : offset]
    if before == "#'":
        return "function"
    if before.endswith("'"):
        return None
    inside = offset - base + 1
    commas = [each.start for each in nodes_at(segment, inside) if _sign(segment, each) == ","]
    # What a comma stands before is evaluated, whatever the template around it is.
    steps = [each for each in steps_at(segment, inside) if not commas or each.node.start > commas[-1]]
    if not steps:
        return "variable"
    if any(_is_naming(segment.text, steps, position) for position in range(len(steps))):
        return None
    return _space_in(steps[-1], steps[-2].operator if len(steps) > 1 else "", tagged=not commas)


def _space_in(step: Step, outer: str, *, tagged: bool) -> Space | None:
    """Return what the datum of STEP, a list in a form of OUTER, names; TAGGED: it may be a tag there."""
    role, index = step.role, step.index
    if role == "call":
        first_tag = _TAGGED.get(step.operator) if tagged else None
        if first_tag is not None and index >= first_tag:
            return None
        return "function" if index == 0 else "variable"
    if role == "names":
        if outer == "declare":
            return "variable" if index >= (2 if step.operator in ("type", "ftype") else 1) else None
        return "variable" if outer == "multiple-value-setq" else None
    if role == "bindings":
        return "variable" if outer == "once-only" else None
    if role in ("functions", "slots", "lambda-list"):
        return None
    named_first = role in ("binding", "function", "parameter", "case", "slot", "handler")
    return None if named_first and index == 0 else "variable"


def _is_naming(text: str, steps: list[Step], position: int) -> bool:
    """Return whether the list at POSITION of STEPS takes the datum that is gone into for a name or a type."""
    step, inner = steps[position], steps[position + 1 :]
    if step.role == "call" and _NAMING.get(step.operator) == step.index:
        return True
    if not inner:
        return False
    if step.operator == "declare":
        return inner[0].index == (1 if inner[0].operator in ("type", "ftype") else 0)
    if inner[0].role in ("case", "handler"):
        return inner[0].index == 0
    if step.operator == "handler-bind" and step.index == 1:
        return len(inner) > 1 and inner[1].index == 0
    return step.operator == "defmethod" and len(inner) > 1 and _is_specializer(text, inner[0], inner[1])


def _is_specializer(text: str, parameters: Step, parameter: Step) -> bool:
    """Return whether what is gone into is the class of `(x class)`; behind a `&` word it is a default."""
    before = parameters.node.data[: parameters.index]
    return (
        parameters.role == "lambda-list"
        and (parameter.role, parameter.index) == ("parameter", 1)
        and not any(text[each.start] == "&" for each in before)
    )


def _sign(segment: Segment, node: Node) -> str:
    return segment.text[node.start] if node.kind == "prefix" else ""


def _level(syntax: Syntax, offset: int) -> int | None:
    """Return how many templates OFFSET stands in, each backquote without its comma; None in quoted data."""
    level, quoted = 0, False
    base, segment = syntax.around(offset)[0]
    for node in nodes_at(segment, offset - base + 1):
        sign = _sign(segment, node)
        level += {"`": 1, ",": -1}.get(sign, 0)
        quoted = (quoted or sign == "'" or _quotes(segment, node)) and sign != ","
    return None if quoted else level


def _quotes(segment: Segment, node: Node) -> bool:
    return node.kind == "vector" or (node.kind == "list" and operator_of(segment, node) == "quote")


_BINDING_ROLES = frozenset(("lambda-list", "parameter", "bindings", "binding", "function", "names", "spec"))


def _bound_here(syntax: Syntax, symbol: SymbolToken) -> Binding | None:
    """Return the binding that SYMBOL itself makes, which is seen from the end of the form around it."""
    for base, segment in syntax.around(symbol.start):
        steps = steps_at(segment, symbol.start - base + 1)
        if not steps or (steps[-1].role not in _BINDING_ROLES and steps[-1].operator not in _BINDERS):
            continue
        for step in reversed(steps):
            for binding in syntax.bindings_at(base + step.node.end - 1):
                if binding.start == symbol.start:
                    return binding
    return None


_BINDERS = frozenset(("loop", "destructuring-bind", "multiple-value-bind"))
