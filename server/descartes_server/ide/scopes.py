"""Which lexical binding a symbol means: by where it stands, called or not, quoted, in a template or none."""

from __future__ import annotations

from descartes_server.ide.bindings import Binding
from descartes_server.ide.paths import Step, nodes_at, steps_at
from descartes_server.ide.roles import base_name, operator_of
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import SymbolToken, Syntax
from descartes_server.ide.tree import Node


def binding_of(syntax: Syntax, symbol: SymbolToken) -> Binding | None:
    """Return the lexical binding that SYMBOL means, if one does.

    A local function counts where the symbol is called or quoted with `#'`, a variable elsewhere. What is
    written `*so*` is bound dynamically, and is the same variable everywhere.
    """
    if ":" in symbol.text or (len(symbol.text) > 2 and symbol.text[0] == symbol.text[-1] == "*"):
        return None
    before = syntax.text[max(0, symbol.start - 2) : symbol.start]
    if before.endswith("'") and before != "#'":
        return None
    if (own := _bound_here(syntax, symbol)) is not None:
        return own
    called = before.endswith("(") or before == "#'"
    if not called and _is_no_variable(syntax, symbol.start):
        return None
    for binding in syntax.bindings_at(symbol.start):
        if base_name(binding.name) == base_name(symbol.text) and (
            (binding.kind in ("function", "macro")) == called
        ):
            # In a template or in quoted data the name is another symbol, which only looks the same.
            meant = _level(syntax, binding.start) == _level(syntax, symbol.start)
            return binding if meant else None
    return None


_NO_VARIABLES = {"the": 1, "block": 1, "return-from": 1, "go": 1, "check-type": 2, "function": 1}
"""Which datum of a form with that operator names a type, a block, a tag or a function."""
_CASES = frozenset(("case", "ecase", "ccase", "typecase", "etypecase", "ctypecase", "handler-case"))
_TAGGED = {"tagbody": 1, "prog": 2, "prog*": 2}
"""From which datum on a symbol that stands there by itself is a tag."""


def _is_no_variable(syntax: Syntax, offset: int) -> bool:
    """Return whether what stands at OFFSET, and is not called, is a type, class, key, block or tag."""
    base, segment = syntax.around(offset)[0]
    steps = steps_at(segment, offset - base + 1)
    if steps and steps[-1].index >= _TAGGED.get(steps[-1].operator, 1_000_000):
        return True
    return any(_names_no_variable(segment.text, steps, position) for position in range(len(steps)))


def _names_no_variable(text: str, steps: list[Step], position: int) -> bool:
    """Return whether the list at POSITION of STEPS takes the datum that is gone into for no variable."""
    step, inner = steps[position], steps[position + 1 :]
    if _NO_VARIABLES.get(step.operator) == step.index:
        return True
    if not inner:
        return False
    if step.operator == "declare":
        return inner[0].index == (1 if inner[0].operator in ("type", "ftype") else 0)
    if step.operator in _CASES and step.index >= 2:
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


def _level(syntax: Syntax, offset: int) -> int | None:
    """Return how many templates OFFSET stands in, each backquote without its comma; None in quoted data."""
    level, quoted = 0, False
    base, segment = syntax.around(offset)[0]
    for node in nodes_at(segment, offset - base + 1):
        sign = segment.text[node.start] if node.kind == "prefix" else ""
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
