"""The rules of the settings: expressions over a tool call and its run, in order, the first that is true.

Pure. A rule that cannot be decided never lets a call through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from descartes_core.config.table import PolicyRule
from descartes_core.expressions import ExpressionError, UnknownName, evaluate, parse
from descartes_core.expressions.evaluation import holds

KNOWN: Mapping[str, frozenset[str]] = {
    "tool": frozenset({"name", "args", "arguments"}),
    "run": frozenset({"id", "agent", "task", "model", "level"}),
}
"""What a `when` may speak of; what lies in the arguments of a call differs from tool to tool."""


def matching(rules: Sequence[PolicyRule], names: Mapping[str, Any]) -> tuple[PolicyRule, str] | None:
    """Return the first of RULES that is true of NAMES and why it decides, None when none is.

    A rule that is no expression, or makes no sense of these values, asks; an argument that the call does
    not have makes its condition false.
    """
    for number, rule in enumerate(rules, 1):
        try:
            check(rule.when)
        except ExpressionError as error:
            return _undecided(rule, number, error)
        try:
            if holds(evaluate(rule.when, names)):
                return rule, rule.reason or f"the rule {rule.when!r} says so"
        except UnknownName:
            continue
        except ExpressionError as error:
            return _undecided(rule, number, error)
    return None


def check(when: str) -> None:
    """Refuse WHEN if it is no condition: no expression, or about something that there never is.

    Errors: `ExpressionError`, `UnknownName`.
    """
    for first, second, offset in _paths(when):
        if first not in KNOWN:
            known = ", ".join(sorted(KNOWN))
            raise UnknownName(f"there is no name {first!r}; there are {known}", when, offset)
        if second is not None and second not in KNOWN[first]:
            known = ", ".join(sorted(KNOWN[first]))
            raise UnknownName(f"{first} has no {second!r}; there are {known}", when, offset)


def _undecided(rule: PolicyRule, number: int, error: ExpressionError) -> tuple[PolicyRule, str]:
    asks = PolicyRule(when=rule.when, then="ask")
    return asks, f"rule {number} of policy.rules cannot be decided: {error.message}"


def _paths(when: str) -> Iterator[tuple[str, str | None, int]]:
    """Yield the first two names of each path in WHEN, and where the second, or only, one stands."""
    for tree in parse(when).find_data("path"):
        first: Any = tree.children[0]
        steps: list[Any] = tree.children[1:]
        second = steps[0].children[0] if steps and steps[0].data == "name" else None
        place = first if second is None or str(first) not in KNOWN else second
        yield str(first), None if second is None else str(second), place.start_pos
