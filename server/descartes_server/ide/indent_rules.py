"""Where Lisp programmers expect the parts of a form: the standard's operators, conventions, learned bodies.

A rule says of each argument how far it stands to the right of its form's parenthesis when it begins a line,
and what a list there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from descartes_server.ide import common_lisp

Style = Literal[
    "call", "plain", "data", "lambda-list", "bindings", "binding", "functions", "function", "clause", "slots"
]
"""What a list is: a `call` has an operator, `plain` looks like a call and has none, `data` are equals."""

BODY = 2
"""Columns from a form's parenthesis to its body."""
FAR = 4
"""Columns to what comes before the body, when it begins a line of its own."""

Bodies = Mapping[str, int | None]
"""By macro, base name in lower case: how many arguments come before its body; None for one without a body."""


@dataclass(frozen=True, slots=True)
class Place:
    """An argument. OFFSET counts from the form's parenthesis; None is below its neighbours."""

    offset: int | None
    style: Style = "call"


@dataclass(frozen=True, slots=True)
class Rule:
    """The arguments of a form: some DISTINGUISHED ones, then REST.

    BODY: of the rest only the first has its offset, the others stand below it. AFTER_LIST: the last
    distinguished argument is the first list behind the name, however many words come before it.
    """

    distinguished: tuple[Place, ...]
    rest: Place
    body: bool = False
    after_list: bool = False

    def place(self, argument: int) -> Place:
        """Return the place of ARGUMENT, counted from 0."""
        return self.distinguished[argument] if argument < len(self.distinguished) else self.rest


CALL = Rule((), Place(None))
FUNCTION = Rule((Place(FAR, "lambda-list"),), Place(BODY), body=True)
"""`(name (parameters) body…)`, as in `flet`; the clauses of `handler-case` are alike."""
INNER: dict[Style, Rule] = {
    "function": FUNCTION,
    "clause": Rule((), Place(1)),
    "binding": Rule((), Place(BODY)),
}
"""The rules of lists that are part of an operator's own syntax."""
CHILDREN: dict[Style, Style] = {
    "bindings": "binding",
    "functions": "function",
    "slots": "plain",
    "lambda-list": "plain",
    "data": "data",
}
"""What every list in a list of this style is; in others that depends on the operator."""

_STANDARD = """
block catch throw unless when prog1 multiple-value-prog1 eval-when: 4 body
dolist dotimes do-symbols do-external-symbols do-all-symbols: 4 body
defpackage define-package defsystem: 4 body
defvar defparameter defconstant defglobal define-symbol-macro: 4 body
multiple-value-call pprint-logical-block print-unreadable-object multiple-value-setq: 4 body
prog2 progv: 4 4 body
progn locally ignore-errors with-standard-io-syntax: body
return-from: - body
unwind-protect: 5 body
let let* symbol-macrolet compiler-let handler-bind restart-bind: 4=bindings body
flet labels macrolet generic-flet generic-labels: 4=functions body
case ccase ecase typecase ctypecase etypecase: 4 body=clause
cond: body=clause
handler-case restart-case: 4 body=function
multiple-value-bind destructuring-bind with-slots with-accessors with-condition-restarts: 6=data 4 body
do do*: 4=bindings 4=clause body
tagbody: body
prog prog*: 4=bindings body
lambda: 4=lambda-list body
named-lambda defun defmacro defsubst deftype: 4 4=lambda-list body
define-compiler-macro defsetf define-setf-expander: 4 4=lambda-list body
defgeneric define-modify-macro define-method-combination: 4 4=lambda-list body
defclass define-condition: 6 4=data 2=slots body
defstruct: 4=data body=plain
"""


def _place(word: str) -> Place:
    where, _, style = word.partition("=")
    offset = BODY if where == "body" else None if where == "-" else int(where)
    return Place(offset, style or "call")  # type: ignore[arg-type]


def _table() -> dict[str, Rule]:
    table = {}
    for line in _STANDARD.strip().splitlines():
        names, _, places = line.partition(":")
        *distinguished, rest = [_place(word) for word in places.split()]
        table.update(dict.fromkeys(names.split(), Rule(tuple(distinguished), rest, body=True)))
    return table


STANDARD = _table()
_METHOD = Rule((Place(FAR), Place(FAR, "lambda-list")), Place(BODY), body=True, after_list=True)
_CLAUSE_METHOD = Rule((Place(FAR, "lambda-list"),), Place(BODY), body=True, after_list=True)
STANDARD["defmethod"], STANDARD[":method"] = _METHOD, _CLAUSE_METHOD
DEFINITION = Rule((Place(FAR), Place(BODY, "lambda-list")), Place(BODY), body=True)
"""What a program defines by a macro of its own: its second line is its body, or what `defun` has there."""


def is_known(operator: str) -> bool:
    """Return whether OPERATOR's rule needs no knowledge of the program: the standard has its name."""
    return operator in STANDARD or common_lisp.lookup(operator) is not None


def rule_of(operator: str, bodies: Bodies) -> Rule | None:
    """Return the rule of OPERATOR, a base name in lower case; None when it may have a body or not."""
    if (rule := STANDARD.get(operator)) is not None:
        return rule
    if operator in bodies:
        before = bodies[operator]
        return CALL if before is None else Rule((Place(FAR),) * before, Place(BODY), body=True)
    if common_lisp.lookup(operator) is not None:
        return STANDARD["block"] if operator.startswith("with-") else CALL
    return _conventional(operator)


def _conventional(operator: str) -> Rule | None:
    if operator.startswith("def") and not operator.startswith("default"):
        return DEFINITION
    if operator.startswith("without-"):
        return STANDARD["progn"]
    return STANDARD["block"] if operator.startswith(("with-", "do-")) else None
