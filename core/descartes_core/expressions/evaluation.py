"""A bounded walk over the tree of an expression: JSON values in, a JSON value out.

Nothing is reached but by the names and indexes of maps and lists; nothing is called but the filters.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from descartes_core.expressions.filters import FILTERS, WrongValue, kind
from descartes_core.expressions.parsing import LONGEST_BYTES, ExpressionError, UnknownName, parse

if TYPE_CHECKING:
    from lark import Tree

DEEPEST = 64
MOST_STEPS = 10_000
LARGEST_NUMBER = 2**63 - 1


def evaluate(text: str, names: Mapping[str, Any]) -> Any:
    """Return the value of the expression TEXT, in which NAMES are known; JSON values both.

    Errors: `ExpressionError`; `UnknownName`.
    Example: evaluate("task.priority > 5", {"task": {"priority": 7}}) -> True
    """
    return _Walk(text, names).value(parse(text), 0)


def holds(value: Any) -> bool:
    """Return whether VALUE counts as true: null, false, 0 and what is empty do not."""
    return bool(value)


class _Walk:
    def __init__(self, text: str, names: Mapping[str, Any]) -> None:
        self._text = text
        self._names = names
        self._steps = 0

    def value(self, tree: Any, depth: int) -> Any:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise self._error(f"expected at most {MOST_STEPS} steps", tree)
        if depth > DEEPEST:
            raise self._error(f"expected at most {DEEPEST} levels", tree)
        result = getattr(self, f"_{tree.data}")(tree, depth + 1)
        if isinstance(result, int) and not isinstance(result, bool) and abs(result) > LARGEST_NUMBER:
            raise self._error("expected a number of 64 bits, got a larger one", tree)
        if isinstance(result, str) and len(result) > LONGEST_BYTES:
            raise self._error(f"expected at most {LONGEST_BYTES} characters, got more", tree)
        return result

    def _choice(self, tree: Tree[Any], depth: int) -> Any:
        condition, yes, no = tree.children
        return self.value(yes if holds(self.value(condition, depth)) else no, depth)

    def _either(self, tree: Tree[Any], depth: int) -> bool:
        return any(holds(self.value(each, depth)) for each in tree.children)

    def _both(self, tree: Tree[Any], depth: int) -> bool:
        return all(holds(self.value(each, depth)) for each in tree.children)

    def _negation(self, tree: Tree[Any], depth: int) -> bool:
        return not holds(self.value(tree.children[0], depth))

    def _minus(self, tree: Tree[Any], depth: int) -> Any:
        return -self._number(self.value(tree.children[0], depth), tree, "-")

    def _comparison(self, tree: Tree[Any], depth: int) -> bool:
        left, sign, right = tree.children
        one, other = self.value(left, depth), self.value(right, depth)
        match str(sign):
            case "==":
                return self._same(one, other, tree)
            case "!=":
                return not self._same(one, other, tree)
            case "contains":
                return self._contains(one, other, sign, tree)
            case order:
                return self._ordered(one, other, order, sign)

    def _contains(self, whole: Any, part: Any, sign: Any, tree: Tree[Any]) -> bool:
        if isinstance(whole, str) and isinstance(part, str):
            return part in whole
        if isinstance(whole, list):
            return any(self._same(each, part, tree) for each in whole)
        if isinstance(whole, Mapping) and isinstance(part, str):
            return part in whole
        raise self._error(f"{kind(whole)} cannot contain {kind(part)}", sign)

    def _ordered(self, one: Any, other: Any, order: str, sign: Any) -> bool:
        if not (_is_number(one) and _is_number(other)) and not (
            isinstance(one, str) and isinstance(other, str)
        ):
            raise self._error(f"{kind(one)} and {kind(other)} have no order", sign)
        match order:
            case "<":
                return bool(one < other)
            case "<=":
                return bool(one <= other)
            case ">":
                return bool(one > other)
            case _:
                return bool(one >= other)

    def _same(self, one: Any, other: Any, tree: Tree[Any], depth: int = 0) -> bool:
        """Return whether two values are the same; 1 is 1.0 and never true."""
        self._steps += 1
        if self._steps > MOST_STEPS or depth > DEEPEST:
            raise self._error("expected values that can be compared in fewer steps", tree)
        if isinstance(one, list) and isinstance(other, list):
            pairs = zip(one, other, strict=False)
            return len(one) == len(other) and all(self._same(a, b, tree, depth + 1) for a, b in pairs)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            return one.keys() == other.keys() and all(
                self._same(one[key], other[key], tree, depth + 1) for key in one
            )
        if isinstance(one, bool) or isinstance(other, bool):
            return one is other
        return bool(one == other)

    def _sum(self, tree: Tree[Any], depth: int) -> Any:
        return self._folded(tree, depth, self._add)

    def _product(self, tree: Tree[Any], depth: int) -> Any:
        return self._folded(tree, depth, self._multiply)

    def _folded(self, tree: Tree[Any], depth: int, combine: Any) -> Any:
        first, *rest = tree.children
        result = self.value(first, depth)
        for sign, each in zip(rest[::2], rest[1::2], strict=True):
            try:
                result = combine(result, self.value(each, depth), sign)
            except OverflowError:
                raise self._error("expected a number of 64 bits, got a larger one", sign) from None
            if isinstance(result, int | float) and abs(result) > 1e308:
                raise self._error("expected a number of 64 bits, got a larger one", sign)
            if isinstance(result, str | list) and len(result) > LONGEST_BYTES:
                raise self._error(f"expected at most {LONGEST_BYTES} characters, got more", sign)
        return result

    def _add(self, one: Any, other: Any, sign: Any) -> Any:
        if sign == "+" and isinstance(one, str) and isinstance(other, str):
            return one + other
        if sign == "+" and isinstance(one, list) and isinstance(other, list):
            return one + other
        left, right = self._number(one, sign, sign), self._number(other, sign, sign)
        return left + right if sign == "+" else left - right

    def _multiply(self, one: Any, other: Any, sign: Any) -> Any:
        left, right = self._number(one, sign, sign), self._number(other, sign, sign)
        if sign == "*":
            return left * right
        if right == 0:
            raise self._error("expected a divisor, got 0", sign)
        whole = isinstance(left, int) and isinstance(right, int) and left % right == 0
        return left // right if whole else left / right

    def _piped(self, tree: Tree[Any], depth: int) -> Any:
        first, *filters = tree.children
        if len(filters) and filters[0].children[0] == "default":
            try:
                result = self.value(first, depth)
            except UnknownName:
                result = None
        else:
            result = self.value(first, depth)
        for each in filters:
            result = self._filtered(result, each, depth)
        return result

    def _filtered(self, value: Any, tree: Tree[Any], depth: int) -> Any:
        name, *given = tree.children
        function = FILTERS.get(str(name))
        if function is None:
            raise self._error(
                f"there is no filter {str(name)!r}; there are {', '.join(sorted(FILTERS))}", name
            )
        words = [self.value(each, depth) for each in given]
        self._steps += 1
        try:
            return function(value, *words)
        except WrongValue as wrong:
            raise self._error(str(wrong), name) from None
        except TypeError:
            raise self._error(f"{name} does not take {len(words)} values", name) from None

    def _path(self, tree: Tree[Any], depth: int) -> Any:
        first, *steps = tree.children
        value, said = self._named(self._names, str(first), first, ""), str(first)
        for step in steps:
            if step.data == "name":
                key = str(step.children[0])
                value, said = self._named(value, key, step.children[0], said), f"{said}.{key}"
            else:
                index = self.value(step.children[0], depth)
                value, said = self._indexed(value, index, step, said), f"{said}[…]"
        return value

    def _named(self, value: Any, key: str, token: Any, said: str) -> Any:
        if isinstance(value, Mapping):
            if key in value:
                return value[key]
            near = difflib.get_close_matches(key, [each for each in value if isinstance(each, str)], n=1)
            meant = f"; did you mean {near[0]!r}?" if near else _there_is(value)
            who = f"{said} has no" if said else "there is no name"
            raise self._error(f"{who} {key!r}{meant}", token, UnknownName)
        raise self._error(f"{said} is {kind(value)} and has no {key!r}", token, UnknownName)

    def _indexed(self, value: Any, index: Any, step: Tree[Any], said: str) -> Any:
        if isinstance(value, Mapping) and isinstance(index, str):
            if index in value:
                return value[index]
            raise self._error(f"{said} has no {index!r}", step, UnknownName)
        if isinstance(value, list) and isinstance(index, int) and not isinstance(index, bool):
            if -len(value) <= index < len(value):
                return value[index]
            raise self._error(f"{said} has {len(value)} elements and no {index}", step, UnknownName)
        raise self._error(f"{said} is {kind(value)} and cannot be asked for {kind(index)}", step, UnknownName)

    def _list(self, tree: Tree[Any], depth: int) -> list[Any]:
        return [self.value(each, depth) for each in tree.children]

    def _integer(self, tree: Tree[Any], depth: int) -> int:
        digits = str(tree.children[0])
        if len(digits) > 19:
            raise self._error("expected a number of 64 bits, got a larger one", tree)
        return int(digits)

    def _decimal(self, tree: Tree[Any], depth: int) -> float:
        return float(str(tree.children[0]))

    def _string(self, tree: Tree[Any], depth: int) -> str:
        return _unquoted(str(tree.children[0]))

    def _true(self, tree: Tree[Any], depth: int) -> bool:
        return True

    def _false(self, tree: Tree[Any], depth: int) -> bool:
        return False

    def _null(self, tree: Tree[Any], depth: int) -> None:
        return None

    def _number(self, value: Any, place: Any, sign: str) -> Any:
        if not _is_number(value):
            raise self._error(f"{sign} takes numbers, got {kind(value)}", place)
        return value

    def _error(
        self, what: str, place: Any, error: type[ExpressionError] = ExpressionError
    ) -> ExpressionError:
        meta = getattr(place, "meta", place)
        return error(what, self._text, getattr(meta, "start_pos", None) or 0)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _there_is(value: Mapping[str, Any]) -> str:
    known = sorted(str(each) for each in value)
    return f"; there are {', '.join(known[:12])}" if known else ""


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def _unquoted(word: str) -> str:
    """Return the text that WORD, in quotes, stands for. Example: _unquoted('"a\\\\n"') -> "a\\n" """
    found, escaped = [], False
    for each in word[1:-1]:
        if escaped:
            found.append(_ESCAPES.get(each, each))
            escaped = False
        elif each == "\\":
            escaped = True
        else:
            found.append(each)
    return "".join(found)
