"""A form taken out of a definition into a function of its own; the variables that it needs are parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from descartes_server.ide import common_lisp
from descartes_server.ide.assigning import Kinds, is_set
from descartes_server.ide.edits import Edit, line_end
from descartes_server.ide.indent_rules import BODY, STANDARD
from descartes_server.ide.moving_text import column_of, moved
from descartes_server.ide.paths import nodes_at, steps_at
from descartes_server.ide.roles import base_name, operator_of
from descartes_server.ide.scopes import binding_of, space_of
from descartes_server.ide.segments import Segment
from descartes_server.ide.selection import start_with_comment, starts_line
from descartes_server.ide.syntax import SymbolToken, Syntax
from descartes_server.ide.tree import Node, text_of

_LEAVING = frozenset(("return-from", "return", "go", "loop-finish", "call-next-method", "next-method-p"))
"""What works only where it stands."""
_NEEDED = (
    "defmacro define-compiler-macro deftype defsetf define-setf-expander macrolet symbol-macrolet eval-when"
)
_COMPILING = frozenset(_NEEDED.split())
"""What a compiler needs already, while functions of the file are only being compiled."""
_VARIABLES = frozenset(("variable", "constant", "symbol-macro"))
_CALLED = frozenset(("function", "generic", "macro", "special-operator"))
_NO_BODY = frozenset(
    ("cond", "tagbody", "prog", "prog*", "do", "do*", "defstruct", "defpackage", "defsystem")
)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The forms from START to END of the tile SEGMENT, which begins at BASE."""

    segment: Segment
    base: int
    start: int
    end: int


def function(syntax: Syntax, start: int, end: int, kinds: Kinds) -> list[Edit] | None:
    """Return what makes a function of the form from START to END, or of several in a body, and calls it.

    None where that is no form, or does what only works in its place: it leaves a block, sets a variable or
    calls a function that is bound around it, stands in a template, is needed to compile; or where a variable
    may be bound by a macro.
    """
    chosen = _chosen(syntax, start, end)
    if chosen is None or (parameters := _parameters(syntax, chosen, kinds)) is None:
        return None
    name = next(each for each in _names() if not kinds(each) and each not in syntax.text)
    words = " ".join([name, *parameters])
    newline = line_end(syntax.text)
    body = _moved(syntax, chosen)
    text = f"(defun {name} ({' '.join(parameters)}){newline}{' ' * BODY}{body}){newline * 2}"
    after_line = starts_line(syntax.text, chosen.base)
    before = chosen.base + start_with_comment(chosen.segment, after_line=after_line)
    return [
        Edit(before, before, text),
        Edit(chosen.base + chosen.start, chosen.base + chosen.end, f"({words})"),
    ]


def is_evaluated(syntax: Syntax, start: int, end: int) -> bool:
    """Return whether from START to END there is a call, or several in a body, that a definition evaluates.

    What a compiler needs already, as the functions that a macro calls, does not count.
    """
    return _chosen(syntax, start, end) is not None


def _names() -> Iterator[str]:
    yield "extracted"
    yield from (f"extracted-{number}" for number in range(2, 1000))


def _chosen(syntax: Syntax, start: int, end: int) -> _Chosen | None:
    text = syntax.text[start:end]
    start, end = start + len(text) - len(text.lstrip()), start + len(text.rstrip())
    if start >= end:
        return None
    base, segment = syntax.around(start)[0]
    if segment.stack or segment.root is None or end > base + len(segment.text):
        return None
    chosen = _Chosen(segment, base, start - base, end - base)
    nodes = nodes_at(segment, chosen.start + 1)
    lists = [each for each in nodes if each.kind == "list"]
    if any(operator_of(segment, each) in _COMPILING for each in lists) or _is_parameter(chosen, lists):
        return None
    quoted = any(each.kind in ("vector", "broken") or segment.text[each.start] in "'`" for each in nodes)
    if quoted or segment.text[: segment.root[0]].endswith(("'", "`", "#")):
        return None
    return chosen if _is_evaluated(syntax, chosen, nodes) else None


def _is_parameter(chosen: _Chosen, lists: list[Node]) -> bool:
    """Return whether what is CHOSEN stands in the lambda list of a method within a `defgeneric`."""
    for each in lists:
        first, *rest = each.data or (each,)
        if text_of(chosen.segment, first).lower() == ":method":
            return next((inner for inner in rest if inner.kind == "list"), None) in lists
    return False


def _is_evaluated(syntax: Syntax, chosen: _Chosen, nodes: list[Node]) -> bool:
    """Return whether what is CHOSEN is one form in a definition, or several in one body."""
    outer = next(
        (each for each in reversed(nodes) if each.start < chosen.start and each.kind == "list"), None
    )
    if outer is None:
        return False
    forms = [each for each in outer.children if chosen.start <= each.start < chosen.end]
    if not forms or (forms[0].start, forms[-1].end) != (chosen.start, chosen.end):
        return False
    before = outer.data[outer.data.index(forms[0]) - 1] if forms[0] in outer.data[1:] else None
    if before is not None and text_of(chosen.segment, before).lower() == ":type":
        return False
    if not all(each.kind == "list" and _is_call(syntax, chosen, each) for each in forms):
        return False
    return len(forms) == 1 or _is_body(chosen.segment, outer, forms[0])


def _is_call(syntax: Syntax, chosen: _Chosen, form: Node) -> bool:
    step = steps_at(chosen.segment, form.start + 1)[-1]
    if step.role != "call" or step.operator in ("", "declare"):
        return False
    return space_of(syntax, chosen.base + step.node.data[0].start) == "function"


def _is_body(segment: Segment, outer: Node, first: Node) -> bool:
    step = steps_at(segment, outer.start + 1)[-1]
    rule = STANDARD.get(step.operator)
    if rule is None or not rule.body or step.role != "call" or step.operator in _NO_BODY:
        return False
    return rule.after_list or outer.data.index(first) > len(rule.distinguished)


def _parameters(syntax: Syntax, chosen: _Chosen, kinds: Kinds) -> list[str] | None:
    """Return the variables that what is CHOSEN needs, in order; None where it cannot be taken out."""
    found: dict[str, str] = {}
    start, end = chosen.base + chosen.start, chosen.base + chosen.end
    for kind, first, last in chosen.segment.lexemes:
        if kind != "symbol" or not chosen.start <= first < chosen.end:
            continue
        symbol = SymbolToken(chosen.segment.text[first:last], chosen.base + first, chosen.base + last)
        if base_name(symbol.text) in _LEAVING:
            return None
        binding = binding_of(syntax, symbol)
        if binding is None and not _is_global(syntax, symbol, kinds):
            return None
        if binding is None or start <= binding.start < end:
            continue
        if binding.kind in ("function", "macro") or is_set(steps_at(chosen.segment, first + 1)):
            return None
        found.setdefault(base_name(symbol.text), symbol.text)
    return list(found.values())


def _is_global(syntax: Syntax, symbol: SymbolToken, kinds: Kinds) -> bool:
    """Return whether SYMBOL, which nothing in the text binds, is no variable that a macro may bind."""
    text, name, space = symbol.text, base_name(symbol.text), space_of(syntax, symbol.start)
    if space is None or ":" in text or "#" in text or text.startswith("&"):
        return True
    standard = common_lisp.lookup(name)
    if space == "variable":
        earmuffs = len(name) > 2 and name[0] == name[-1] and name[0] in "*+"
        return earmuffs or not _VARIABLES.isdisjoint({*kinds(name), *(standard.kinds if standard else ())})
    if standard is not None:
        return not _CALLED.isdisjoint(standard.kinds)
    # `(x y)` of a variable X is hardly a call.
    return bool(kinds(name)) or all(base_name(each.name) != name for each in syntax.bindings_at(symbol.start))


def _moved(syntax: Syntax, chosen: _Chosen) -> str:
    """Return the text that is CHOSEN as it stands in the new function's body."""
    shift = BODY - column_of(syntax, chosen.base + chosen.start)
    return moved(chosen.segment, chosen.start, chosen.end, shift)
