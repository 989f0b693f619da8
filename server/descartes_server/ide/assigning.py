"""Which forms give a place a new value, as far as the text tells."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from descartes_server.ide import common_lisp
from descartes_server.ide.paths import Step
from descartes_server.ide.roles import base_name

Kinds = Callable[[str], Collection[str]]
"""Tells what the program defines by a name in lower case: `function`, `macro`, `variable`, `slot`."""

_SETTING = {
    "incf": 1, "decf": 1, "pop": 1, "remf": 1, "push": 2, "pushnew": 2, "check-type": 1, "assert": 2,
    "ccase": 1, "ctypecase": 1,
}  # fmt: skip
"""By operator: the number of the datum that is a place and gets a value."""
_PAIRS = frozenset(("setf", "setq", "psetf", "psetq"))
_ALL = frozenset(("rotatef", "shiftf", "multiple-value-setq"))


def is_set(steps: Sequence[Step]) -> bool:
    """Return whether the datum at the end of STEPS is a place that gets a value."""
    return sets(steps[-2] if len(steps) > 1 and steps[-1].role == "names" else steps[-1])


def sets(step: Step) -> bool:
    """Return whether the datum that STEP goes into gets a value, or a part of it does."""
    if step.operator in _PAIRS:
        return step.index % 2 == 1
    return step.operator in _ALL or _SETTING.get(step.operator) == step.index


def is_special(name: str, kinds: Kinds) -> bool:
    """Return whether the program defines a variable, constant or symbol macro NAME that a binding changes."""
    return not {"variable", "constant", "symbol-macro"}.isdisjoint(kinds(base_name(name)))


def may_set(operator: str, kinds: Kinds) -> bool:
    """Return whether a call of OPERATOR, which is none of the standard's, may set what it is given.

    A macro of the program may; a name that nothing here defines may where it ends as `incf` does, or begins
    as macros that bind do.
    """
    if not operator or common_lisp.lookup(operator) is not None:
        return False
    known = kinds(operator)
    if known:
        return "macro" in known
    return operator.endswith("f") or operator.startswith(("with-", "do", "def"))
