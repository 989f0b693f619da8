"""When a form within another is evaluated, as far as the text tells: first of all, or some time, or often."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from descartes_server.ide import common_lisp, references
from descartes_server.ide.assigning import Kinds, is_set, is_special, may_set, sets
from descartes_server.ide.bindings import Binding
from descartes_server.ide.paths import Step, nodes_at, steps_at
from descartes_server.ide.roles import base_name, operator_of
from descartes_server.ide.scopes import binding_of, space_of
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import SymbolToken, Syntax
from descartes_server.ide.tree import Node, text_of

_FIRST = {
    **dict.fromkeys(
        ("progn", "prog1", "if", "when", "unless", "and", "or", "case", "ecase", "typecase", "etypecase"), 1
    ),
    **dict.fromkeys(("return", "multiple-value-list", "cond"), 1),
    **dict.fromkeys(("the", "return-from", "multiple-value-bind", "destructuring-bind"), 2),
}
"""By operator of the standard that is no function: which datum it evaluates, once, before all others."""
_LETS = frozenset(("let", "let*"))
_PASSING = frozenset(
    (*_LETS, "progn", "locally", "return", "return-from", "multiple-value-list", "multiple-value-bind", "the")
)
"""Operators of forms that pass on all values of the datum that they evaluate first."""
_MANY = """
floor ceiling truncate round ffloor fceiling ftruncate fround gethash values values-list get-properties
intern find-symbol read-line read-from-string parse-integer macroexpand macroexpand-1 subtypep
decode-float integer-decode-float decode-universal-time get-decoded-time array-displacement
compile compile-file rename-file ensure-directories-exist funcall apply eval pprint-dispatch
function-lambda-expression get-setf-expansion invoke-restart call-method
"""
_MANY_VALUED = frozenset(_MANY.split())
"""Functions of the standard that may return other than one value."""
_NOT_READ = frozenset(("declare", "symbol-macrolet", "macrolet"))
_CONSTANTS = frozenset(("number", "character", "string"))


class Order:
    """What SYNTAX tells of the forms in its tile SEGMENT at BASE; KINDS knows the program's names."""

    def __init__(self, syntax: Syntax, base: int, segment: Segment, kinds: Kinds) -> None:
        self._syntax, self._base, self._segment, self._kinds = syntax, base, segment, kinds

    def is_constant(self, node: Node) -> bool:
        """Return whether NODE has the same value wherever and however often it is evaluated."""
        if node.kind in _CONSTANTS:
            return True
        text = self._text(node)
        if node.kind == "prefix":
            (inner,) = node.children or (node,)
            is_function = text.startswith("#'") and self._names_function(inner)
            return is_function or (text.startswith("'") and inner.kind == "symbol")
        if node.kind != "symbol":
            return False
        if text.startswith(":"):
            return True
        binding = binding_of(self._syntax, self._symbol(node))
        if binding is not None:
            return self.is_steady(binding)
        standard = common_lisp.lookup(text)
        known = (*self._kinds(base_name(text)), *(standard.kinds if standard else ()))
        return "constant" in known

    def is_steady(self, binding: Binding) -> bool:
        """Return whether BINDING, of a variable, keeps its first value as long as it is seen."""
        if binding.kind == "variable" and self._operator_around(binding.start) not in _LETS:
            return False
        if is_special(binding.name, self._kinds):
            return False
        _, *uses = references.of_binding(self._syntax, binding)
        return all(self.is_only_read(each.start) for each in uses)

    def is_only_read(self, offset: int) -> bool:
        """Return whether the variable at OFFSET of the text is evaluated there, and nothing can set it."""
        steps = self._steps(offset)
        if not steps or space_of(self._syntax, offset) != "variable" or steps[-1].quoted:
            return False
        around = {each.operator for each in steps}
        if is_set(steps) or any(sets(each) for each in steps) or not around.isdisjoint(_NOT_READ):
            return False
        return not (steps[-1].role == "call" and may_set(steps[-1].operator, self._kinds))

    def is_first(self, let: Node, pair: Node, offset: int) -> bool:
        """Return whether the variable at OFFSET is the first that is evaluated behind PAIR, a binding of LET.

        It is evaluated once then, and before it only what is constant.
        """
        steps = [each for each in self._steps(offset) if each.node.start >= let.start]
        return all(self._goes_first(step, pair) for step in steps) and not self._in_template(let, offset)

    def passes_values(self, value: Node, offset: int) -> bool:
        """Return whether VALUE, in place of the variable at OFFSET, may give more values than that does."""
        step = self._steps(offset)[-1]
        is_last = step.operator in ("and", "or") and step.index == len(step.node.data) - 1
        if step.role != "call" or not (is_last or step.operator in _PASSING):
            return False
        operator = operator_of(self._segment, value)
        standard = common_lisp.lookup(operator)
        is_single = standard is not None and "function" in standard.kinds and operator not in _MANY_VALUED
        return value.kind == "list" and not is_single

    def _goes_first(self, step: Step, pair: Node) -> bool:
        data, index = step.node.data, step.index
        if step.role == "bindings":
            return self._constant(_values(data[:index], pair))
        if step.role in ("binding", "clause"):
            return index == (1 if step.role == "binding" else 0)
        if step.role != "call":
            return False
        if step.operator in _LETS:
            return index == 1 or self._body_is_next(data, index, pair)
        if step.operator in ("setf", "setq"):
            return index == 2 and data[1].kind == "symbol"
        if _FIRST.get(step.operator) == index:
            return True
        return index > 0 and self._is_function(step.operator) and self._constant(data[1:index])

    def _body_is_next(self, data: tuple[Node, ...], index: int, pair: Node) -> bool:
        """Return whether datum INDEX of a `let` is the first of its body, and its values are constant."""
        pairs = data[1].data
        if any(self._binds_dynamically(each) for each in pairs):
            return False
        forms = [each for each in data[2:index] if operator_of(self._segment, each) != "declare"]
        return not forms and self._constant(_values(pairs, pair))

    def _binds_dynamically(self, pair: Node) -> bool:
        name = self._text(pair.data[0] if pair.data else pair)
        return name.startswith("*") or is_special(name, self._kinds)

    def _is_function(self, operator: str) -> bool:
        standard = common_lisp.lookup(operator)
        known = standard.kinds if standard else self._kinds(operator)
        return not {"function", "generic"}.isdisjoint(known) and "macro" not in known

    def _in_template(self, let: Node, offset: int) -> bool:
        inner = nodes_at(self._segment, offset - self._base + 1)
        return any(each.kind in ("prefix", "vector", "feature") for each in inner if each.start > let.start)

    def _constant(self, nodes: Iterable[Node]) -> bool:
        return all(self.is_constant(each) for each in nodes)

    def _names_function(self, node: Node) -> bool:
        """Return whether NODE, a symbol, names a function that is not bound around it."""
        return node.kind == "symbol" and binding_of(self._syntax, self._symbol(node)) is None

    def _operator_around(self, offset: int) -> str:
        """Return the operator of the form whose bindings OFFSET stands in."""
        steps = self._steps(offset)
        return steps[-3].operator if len(steps) > 2 and steps[-1].role == "binding" else ""

    def _steps(self, offset: int) -> list[Step]:
        return steps_at(self._segment, offset - self._base + 1)

    def _symbol(self, node: Node) -> SymbolToken:
        return SymbolToken(self._text(node), self._base + node.start, self._base + node.end)

    def _text(self, node: Node) -> str:
        return text_of(self._segment, node)


def _values(pairs: Sequence[Node], pair: Node) -> list[Node]:
    """Return the values of PAIRS, bindings of a `let`: only those behind PAIR where it is one of them."""
    starts = [each.start for each in pairs]
    behind = pairs[starts.index(pair.start) + 1 :] if pair.start in starts else pairs
    return [each.data[1] for each in behind if each.kind == "list" and len(each.data) > 1]
