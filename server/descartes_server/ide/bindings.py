"""Names that a form binds lexically and that are visible at an offset: variables and local functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from descartes_server.ide.paths import Step, steps_at
from descartes_server.ide.roles import base_name, lambda_list_index
from descartes_server.ide.segments import Segment
from descartes_server.ide.tree import Node

BindingKind = Literal["parameter", "variable", "function", "macro"]


@dataclass(frozen=True, slots=True)
class Binding:
    """A name and the place where it is bound."""

    name: str
    start: int
    end: int
    kind: BindingKind


def bindings_in(segment: Segment, offset: int) -> tuple[Binding, ...]:
    """Return what is visible at OFFSET of SEGMENT, the innermost first; a shadowed name is left out."""
    steps = steps_at(segment, offset)
    seen: set[tuple[str, bool]] = set()
    visible: list[Binding] = []
    for position in range(len(steps) - 1, -1, -1):
        outer = steps[position - 1] if position else None
        for binding in reversed(list(_bound_by(segment, steps[position], outer, offset))):
            key = base_name(binding.name), binding.kind in ("function", "macro")
            if key not in seen:
                seen.add(key)
                visible.append(binding)
    return tuple(visible)


def _bound_by(segment: Segment, step: Step, outer: Step | None, offset: int) -> Iterator[Binding]:
    data = step.node.data
    if step.role == "function" and outer is not None:
        if len(data) > 1 and step.index >= 1:
            yield from lambda_list_names(segment, data[1], _seen_until(step, 1, offset))
        return
    if step.role == "handler" and step.index >= 2 and len(data) > 1:
        yield from lambda_list_names(segment, data[1], None)
    if step.role != "call" or not step.operator:
        return
    index = lambda_list_index(step.operator, data)
    if index is not None:
        if index < len(data) and step.index >= index:
            until = _seen_until(step, index, offset)
            yield from lambda_list_names(segment, data[index], until, step.operator == "defmethod")
    elif step.operator == "loop":
        yield from _loop(segment, data)
    else:
        yield from _special(segment, step, data, offset)


def _seen_until(step: Step, index: int, offset: int) -> int | None:
    """Within the lambda list itself only what stands before OFFSET is seen."""
    return offset if step.index == index else None


def _special(segment: Segment, step: Step, data: tuple[Node, ...], offset: int) -> Iterator[Binding]:
    operator, index = step.operator, step.index
    if len(data) < 2 or index == 0:
        return
    head = data[1]
    if operator in _PARALLEL and index >= 2:
        yield from _pairs(segment, head, None, "variable")
    elif operator in _SEQUENTIAL:
        yield from _pairs(segment, head, offset if index == 1 else None, "variable")
    elif operator in ("do", "do*"):
        yield from _pairs(segment, head, None, "variable")
    elif operator in ("flet", "macrolet", "labels"):
        if index >= 2 or operator == "labels":
            kind: BindingKind = "macro" if operator == "macrolet" else "function"
            yield from _pairs(segment, head, None, kind)
    elif operator in ("multiple-value-bind", "with-slots", "with-accessors"):
        if index >= 3:
            yield from _pairs(segment, head, None, "variable")
    elif operator in ("with-gensyms", "with-unique-names") and index >= 2:
        yield from _pairs(segment, head, None, "variable")
    elif operator == "once-only" and index >= 2:
        yield from _pairs_alone(segment, head)
    elif operator.startswith(("with-", "do")) and head.kind == "list" and head.data and index >= 2:
        yield from _named(segment, head.data[0], "variable")


_PARALLEL = frozenset(("let", "prog", "symbol-macrolet", "when-let", "if-let"))
_SEQUENTIAL = frozenset(("let*", "prog*", "when-let*", "if-let*"))


def _pairs(segment: Segment, node: Node, until: int | None, kind: BindingKind) -> Iterator[Binding]:
    """The names of `((a 1) b)`; UNTIL leaves out pairs that are not closed before it."""
    for pair in node.data if node.kind == "list" else ():
        if until is not None and pair.end >= until:
            return
        yield from _named(segment, pair.data[0] if pair.kind == "list" and pair.data else pair, kind)


def _pairs_alone(segment: Segment, node: Node) -> Iterator[Binding]:
    """The names of pairs: what stands by itself means the variable of that name around, and goes on to."""
    for pair in node.data if node.kind == "list" else ():
        if pair.kind == "list" and pair.data:
            yield from _named(segment, pair.data[0], "variable")


def _named(segment: Segment, node: Node, kind: BindingKind) -> Iterator[Binding]:
    if node.kind != "symbol":
        return
    name = segment.text[node.start : node.end]
    if name[0] not in "&:#" and name.lower() not in ("nil", "t", ".", "_"):
        yield Binding(name, node.start, node.end, kind)


def lambda_list_names(
    segment: Segment, node: Node, until: int | None, specialised: bool = False
) -> Iterator[Binding]:
    """Yield the parameters of the lambda list NODE, destructured and supplied-p ones too.

    UNTIL leaves out those that do not end before it. Default values are no names, nor are the classes of
    required parameters where these may be SPECIALISED; elsewhere a list there is destructured.
    """
    nested, pending = 0, [(node, "required")]
    while pending and nested < 200:
        nested += 1
        current, section = pending.pop(0)
        if current.kind != "list":
            yield from (b for b in _named(segment, current, "parameter") if until is None or b.end < until)
            continue
        for item in current.data:
            word = segment.text[item.start : item.end].lower() if item.kind == "symbol" else ""
            if word.startswith("&"):
                section = word
            elif item.kind == "symbol":
                for binding in _named(segment, item, "parameter"):
                    if until is None or binding.end < until:
                        yield binding
            elif item.kind == "list" and item.data and (until is None or item.end < until):
                pending.extend(_parameter_parts(item, section, specialised))


def _parameter_parts(item: Node, section: str, specialised: bool) -> list[tuple[Node, str]]:
    """The name and the supplied-p of `(name default supplied)`, or all of a destructured parameter."""
    data = item.data
    if section in ("&optional", "&key", "&aux"):
        name = data[0]
        if section == "&key" and name.kind == "list" and len(name.data) > 1:
            name = name.data[1]
        return [(part, "required") for part in (name, *data[2:3])]
    if section == "required" and specialised:
        return [(data[0], "required")]
    return [(item, "required")]


_LOOP_NAMED = frozenset(("for", "as", "with"))


def _loop(segment: Segment, data: tuple[Node, ...]) -> Iterator[Binding]:
    """The variables of `for`, `as`, `with`, of `and` between them, and of `into`; destructured ones too."""
    naming = False
    for before, node in pairwise(data):
        word = segment.text[before.start : before.end].lower().lstrip(":") if before.kind == "symbol" else ""
        if word in _LOOP_NAMED:
            naming = True
        elif word in ("do", "doing", "collect", "when", "if", "unless", "while", "until", "finally", "sum"):
            naming = False
        if word in _LOOP_NAMED or (word == "and" and naming):
            yield from _tree_names(segment, node)
        elif word == "into":
            yield from _named(segment, node, "variable")


def _tree_names(segment: Segment, node: Node) -> Iterator[Binding]:
    pending = [node]
    while pending:
        current = pending.pop()
        yield from _named(segment, current, "variable")
        if current.kind == "list":
            pending.extend(reversed(current.data))
