"""A form taken out of a definition into a function of its own; the variables that it needs are parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from descartes_server.ide.indent_rules import BODY, STANDARD
from descartes_server.ide.indent_walk import width
from descartes_server.ide.paths import Step, nodes_at, steps_at
from descartes_server.ide.renaming import Edit
from descartes_server.ide.roles import base_name
from descartes_server.ide.scopes import binding_of
from descartes_server.ide.segments import Segment
from descartes_server.ide.selection import start_with_comment, starts_line
from descartes_server.ide.syntax import SymbolToken, Syntax
from descartes_server.ide.tree import Node

_LEAVING = frozenset(("return-from", "return", "go", "loop-finish", "call-next-method", "next-method-p"))
"""What works only where it stands."""
_SETTING = {"incf": 1, "decf": 1, "pop": 1, "remf": 1, "push": 2, "pushnew": 2}
"""By operator: the number of the datum that is a place and gets a value."""
_PAIRS = frozenset(("setf", "setq", "psetf", "psetq"))
_ALL = frozenset(("rotatef", "shiftf", "multiple-value-setq"))
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


def function(syntax: Syntax, start: int, end: int, taken: Callable[[str], bool]) -> list[Edit] | None:
    """Return what makes a function of the form from START to END, or of several in a body, and calls it.

    None where that is no form, or does what only works in its place: it leaves a block, sets a variable or
    calls a function that is bound around it, stands in a template. TAKEN tells names that have a meaning.
    """
    chosen = _chosen(syntax, start, end)
    if chosen is None or (parameters := _parameters(syntax, chosen)) is None:
        return None
    name = next(each for each in _names() if not taken(each))
    words = " ".join([name, *parameters])
    line_end = "\r\n" if "\r\n" in syntax.text else "\n"
    body = _moved(syntax, chosen)
    text = f"(defun {name} ({' '.join(parameters)}){line_end}{' ' * BODY}{body}){line_end * 2}"
    after_line = starts_line(syntax.text, chosen.base)
    before = chosen.base + start_with_comment(chosen.segment, after_line=after_line)
    return [
        Edit(before, before, text),
        Edit(chosen.base + chosen.start, chosen.base + chosen.end, f"({words})"),
    ]


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
    quoted = any(each.kind in ("vector", "broken") or segment.text[each.start] in "'`" for each in nodes)
    if quoted or segment.text[: segment.root[0]].endswith(("'", "`", "#")):
        return None
    return chosen if _is_evaluated(chosen, nodes) else None


def _is_evaluated(chosen: _Chosen, nodes: list[Node]) -> bool:
    """Return whether what is CHOSEN is one form in a definition, or several in one body."""
    outer = next(
        (each for each in reversed(nodes) if each.start < chosen.start and each.kind == "list"), None
    )
    if outer is None:
        return False
    forms = [each for each in outer.children if chosen.start <= each.start < chosen.end]
    if not forms or (forms[0].start, forms[-1].end) != (chosen.start, chosen.end):
        return False
    if not all(each.kind == "list" and _is_call(chosen.segment, each) for each in forms):
        return False
    return len(forms) == 1 or _is_body(chosen.segment, outer, forms[0])


def _is_call(segment: Segment, form: Node) -> bool:
    step = steps_at(segment, form.start + 1)[-1]
    return step.role == "call" and bool(step.operator) and step.operator != "declare"


def _is_body(segment: Segment, outer: Node, first: Node) -> bool:
    step = steps_at(segment, outer.start + 1)[-1]
    rule = STANDARD.get(step.operator)
    if rule is None or not rule.body or step.role != "call" or step.operator in _NO_BODY:
        return False
    return rule.after_list or outer.data.index(first) > len(rule.distinguished)


def _parameters(syntax: Syntax, chosen: _Chosen) -> list[str] | None:
    """Return the variables that what is CHOSEN needs, in order; None where it cannot be taken out."""
    found: dict[str, str] = {}
    start, end = chosen.base + chosen.start, chosen.base + chosen.end
    for kind, first, last in chosen.segment.lexemes:
        if kind != "symbol" or not chosen.start <= first < chosen.end:
            continue
        text = chosen.segment.text[first:last]
        if base_name(text) in _LEAVING:
            return None
        binding = binding_of(syntax, SymbolToken(text, chosen.base + first, chosen.base + last))
        if binding is None or start <= binding.start < end:
            continue
        if binding.kind in ("function", "macro") or _is_set(steps_at(chosen.segment, first + 1)):
            return None
        found.setdefault(base_name(text), text)
    return list(found.values())


def _is_set(steps: list[Step]) -> bool:
    """Return whether the symbol at the end of STEPS is a place that gets a value."""
    step = steps[-2] if len(steps) > 1 and steps[-1].role == "names" else steps[-1]
    if step.operator in _PAIRS:
        return step.index % 2 == 1
    return step.operator in _ALL or _SETTING.get(step.operator) == step.index


def _moved(syntax: Syntax, chosen: _Chosen) -> str:
    """Return the text that is CHOSEN as it stands in the new function's body."""
    text = chosen.segment.text
    line, column = syntax.lines.position(chosen.base + chosen.start)
    shift = BODY - width(syntax.lines.line_text(line)[:column])
    kept = {
        offset
        for kind, start, end in chosen.segment.lexemes
        if kind in ("string", "block")
        for offset in range(start + 1, end)
    }
    pieces, place = [], chosen.start
    for each in range(chosen.start, chosen.end):
        if text[each - 1] == "\n" and each > chosen.start and each not in kept:
            rest = text[each : chosen.end]
            white = rest[: len(rest) - len(rest.lstrip(" \t"))]
            pieces += [text[place:each], " " * max(0, width(white) + shift)]
            place = each + len(white)
    return "".join([*pieces, text[place : chosen.end]])
