"""What a list stands for where it stands: a call, or a part of a form's own syntax such as a binding.

Only the standard's operators and common conventions (`with-…`, `do…`, `def…`) are known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from descartes_server.ide.segments import Segment
from descartes_server.ide.tree import Node

Role = Literal[
    "call", "bindings", "binding", "functions", "function", "lambda-list", "parameter", "clause", "case",
    "spec", "slots", "slot", "handler", "names",
]  # fmt: skip

_BINDING = """let let* symbol-macrolet prog prog* when-let when-let* if-let if-let* handler-bind restart-bind
compiler-let once-only with-accessors"""
_NAMING = """multiple-value-bind multiple-value-setq with-slots eval-when the
with-gensyms with-unique-names"""
_CASES = """case ecase ccase typecase etypecase ctypecase"""
_DECLARING = """declare declaim proclaim quote"""
_FIXED: dict[str, dict[int, Role]] = {
    **{name: {1: "bindings"} for name in _BINDING.split()},
    **{name: {1: "names"} for name in _NAMING.split()},
    **{name: {1: "functions"} for name in ("flet", "labels", "macrolet")},
    **{name: {1: "lambda-list"} for name in ("destructuring-bind", "lambda", "named-lambda")},
    **{name: {1: "bindings", 2: "clause"} for name in ("do", "do*")},
    **{name: {2: "names", 3: "slots"} for name in ("defclass", "define-condition")},
    "defstruct": {1: "names"},
}
_REST: dict[str, tuple[int, Role]] = {
    "cond": (1, "clause"),
    "handler-case": (2, "handler"),
    "restart-case": (2, "handler"),
    "defstruct": (2, "slots"),
    **dict.fromkeys(_CASES.split(), (2, "case")),
    **dict.fromkeys(_DECLARING.split(), (1, "names")),
}
_INNER: dict[Role, tuple[dict[int, Role], Role]] = {
    "bindings": ({}, "binding"),
    "binding": ({0: "names"}, "call"),
    "functions": ({}, "function"),
    "function": ({0: "names", 1: "lambda-list"}, "call"),
    "lambda-list": ({}, "parameter"),
    "parameter": ({0: "lambda-list"}, "call"),
    "clause": ({}, "call"),
    "case": ({0: "names"}, "call"),
    "spec": ({0: "names"}, "call"),
    "slots": ({}, "slot"),
    "slot": ({0: "names"}, "call"),
    "handler": ({0: "names", 1: "lambda-list"}, "call"),
    "names": ({}, "names"),
}


def base_name(text: str) -> str:
    """Return the name in the symbol TEXT without package, in lower case.

    Example: base_name("CL:Defun") -> "defun"
    """
    if "|" in text:
        return text
    return text.rpartition(":")[2].lower()


def symbol_of(name: str) -> str:
    """Return the symbol that the definition NAME is about: symbol_of("(setf area)") -> "area"."""
    return name.strip("()").split(" ")[-1] if name.startswith("(") else name


def operator_of(segment: Segment, node: Node) -> str:
    """Return the base name of the symbol that NODE, a list, starts with; empty when it starts otherwise."""
    children = node.data
    if not children or children[0].kind != "symbol":
        return ""
    text = segment.text[children[0].start : children[0].end]
    return "" if text.startswith((":", "#")) else base_name(text)


def inner_role(role: Role, operator: str, index: int, first: bool) -> Role:
    """Return the role of a list that is datum INDEX of a list in ROLE with OPERATOR.

    FIRST: no other list stands before it at index 2 or later, so that a definition's lambda list is told.
    """
    if role != "call":
        fixed, otherwise = _INNER[role]
        return fixed.get(index, otherwise)
    known = _FIXED.get(operator)
    if known and index in known:
        return known[index]
    if index == 0:
        return "call"
    rest = _REST.get(operator)
    if rest and index >= rest[0]:
        return rest[1]
    if not known and not rest:
        return _conventional(operator, index, first)
    return "call"


def lambda_list_index(operator: str, siblings: Sequence[Node]) -> int | None:
    """Return which datum of a definition with OPERATOR is its lambda list: the first list after the name."""
    if operator in ("lambda", "destructuring-bind"):
        return 1
    if not operator.startswith("def") or operator in _NO_LAMBDA_LIST:
        return None
    return next((index for index in range(2, len(siblings)) if siblings[index].kind == "list"), None)


_PLAIN = """
defclass defstruct define-condition defvar defparameter defconstant defpackage define-package
defsystem define-symbol-macro deftest define-test defsuite def-suite defglobal define-constant
"""
_NO_LAMBDA_LIST = frozenset(_PLAIN.split())


def _conventional(operator: str, index: int, first: bool) -> Role:
    if operator.startswith("def"):
        if index == 1:
            return "names"
        return "lambda-list" if first and operator not in _NO_LAMBDA_LIST else "call"
    if index == 1 and operator.startswith(("with-", "do")):
        return "spec"
    return "call"
