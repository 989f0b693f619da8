"""A variable of `let` that its value takes the place of, where that means the same."""

from __future__ import annotations

from dataclasses import dataclass

from descartes_server.ide import references, renaming, scopes
from descartes_server.ide.assigning import Kinds, is_special
from descartes_server.ide.bindings import Binding
from descartes_server.ide.edits import Edit, applied
from descartes_server.ide.evaluation_order import Order
from descartes_server.ide.moving_text import column_of, moved
from descartes_server.ide.paths import nodes_at, steps_at
from descartes_server.ide.references import Occurrence
from descartes_server.ide.roles import base_name, operator_of
from descartes_server.ide.same_meaning import Copied, is_kept, symbols_in
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import Syntax, parse
from descartes_server.ide.tree import Node


@dataclass(frozen=True, slots=True)
class _Let:
    """FORM, a `let` in the tile SEGMENT at BASE, and PAIR, one of its bindings with a value."""

    segment: Segment
    base: int
    form: Node
    pair: Node

    @property
    def pairs(self) -> tuple[Node, ...]:
        return self.form.data[1].data

    @property
    def value(self) -> Node:
        return self.pair.data[1]

    @property
    def declares(self) -> bool:
        return operator_of(self.segment, self.form.data[2]) == "declare"

    @property
    def dissolves(self) -> bool:
        """Whether nothing but the one form of the body is left without the binding."""
        return len(self.pairs) == 1 and len(self.form.data) == 3 and not self.declares

    def span(self, node: Node) -> tuple[int, int]:
        """Return from where to where NODE stands in the text."""
        return self.base + node.start, self.base + node.end


def variable(syntax: Syntax, offset: int, kinds: Kinds) -> Edit | None:
    """Return what puts the value of the variable at OFFSET where it is used, and takes its binding away.

    None where that is no variable of a `let` or `let*` with a value, where it is set or declared, where a
    name in its value would mean something else, or where the value would be computed at another time,
    another number of times, or after something else than before.
    """
    symbol = syntax.symbol_at(offset)
    binding = scopes.binding_of(syntax, symbol) if symbol is not None else None
    let = _let(syntax, binding) if binding is not None and binding.kind == "variable" else None
    if binding is None or let is None or is_special(binding.name, kinds):
        return None
    _, *uses = references.of_binding(syntax, binding)
    order = Order(syntax, let.base, let.segment, kinds)
    if not uses or renaming.doubt(syntax, binding) is not None or not _can_move(order, let, uses):
        return None
    values = any(order.passes_values(let.value, each.start) for each in uses)
    edit = _without(syntax, let, uses, "(values {})" if values else "{}")
    return edit if edit is not None and _means_the_same(syntax, let, uses, edit, values) else None


def _let(syntax: Syntax, binding: Binding) -> _Let | None:
    base, segment = syntax.around(binding.start)[0]
    steps = steps_at(segment, binding.start - base + 1)
    if len(steps) < 3 or steps[-1].role != "binding" or steps[-3].operator not in ("let", "let*"):
        return None
    form, pair = steps[-3].node, steps[-1].node
    nodes = nodes_at(segment, binding.start - base + 1)
    is_plain = not any(each.kind in ("prefix", "feature", "vector", "broken") for each in nodes)
    is_plain = is_plain and segment.root is not None and segment.prefix_start == segment.root[0]
    if not is_plain or segment.stack or len(pair.data) != 2 or pair.children != pair.data:
        return None
    whole = form.children == form.data and form.data[1].children == form.data[1].data
    return _Let(segment, base, form, pair) if whole and len(form.data) > 2 else None


def _can_move(order: Order, let: _Let, uses: list[Occurrence]) -> bool:
    """Return whether the value of LET can be computed where USES are, as far as order and times go."""
    if not all(order.is_only_read(each.start) for each in uses):
        return False
    if order.is_constant(let.value):
        return True
    return len(uses) == 1 and order.is_first(let.form, let.pair, uses[0].start)


def _without(syntax: Syntax, let: _Let, uses: list[Occurrence], shape: str) -> Edit | None:
    """Return LET without its binding, its value in SHAPE at USES; None where a comment would be lost."""
    start, end = let.span(let.form)
    first, last = let.span(let.value)
    value = shape.format(syntax.text[first:last])
    edits = [Edit(each.start, each.end, value) for each in uses] + _gone(let)
    after = parse(applied(syntax.text, sorted(edits, key=lambda each: each.start)), syntax)
    new_end = end + len(after.text) - len(syntax.text)
    if _comments(after, start, new_end) != _comments(syntax, start, end):
        return None
    text = after.text[start:new_end]
    return Edit(start, end, _shifted(syntax, let, after, new_end) if let.dissolves else text)


def _gone(let: _Let) -> list[Edit]:
    """Return what takes the binding away, and where LET has no other LET itself, or its name for another."""
    start, end = let.span(let.form)
    if len(let.pairs) > 1:
        place = [each.start for each in let.pairs].index(let.pair.start)
        first, last = let.span(let.pair)
        if place == 0:
            return [Edit(first, let.span(let.pairs[1])[0], "")]
        return [Edit(let.span(let.pairs[place - 1])[1], last, "")]
    if not let.dissolves:
        return [Edit(start + 1, let.span(let.form.data[1])[1], "locally" if let.declares else "progn")]
    first, last = let.span(let.form.data[2])
    return [Edit(start, first, ""), Edit(last, end, "")]


def _comments(syntax: Syntax, start: int, end: int) -> int:
    """Return how many comments SYNTAX has between START and END, which are in one tile."""
    base, segment = syntax.around(start)[0]
    return sum(kind in ("comment", "block") and start <= base + at < end for kind, at, _ in segment.lexemes)


def _shifted(syntax: Syntax, let: _Let, after: Syntax, end: int) -> str:
    """Return the form that is left of LET in AFTER, up to END, its lines as far to the left as it went."""
    start, _ = let.span(let.form)
    shift = column_of(syntax, start) - column_of(syntax, let.span(let.form.data[2])[0])
    base, segment = after.around(start)[0]
    return moved(segment, start - base, end - base, shift)


def _means_the_same(syntax: Syntax, let: _Let, uses: list[Occurrence], edit: Edit, values: bool) -> bool:
    """Return whether after EDIT, with VALUES around its value, every name in LET means what it did."""
    after = parse(applied(syntax.text, [edit]), syntax)
    now = list(symbols_in(after, edit.start, edit.start + len(edit.text)))
    gone = let.span(let.pair)
    before: list[Copied] = []
    wrapped = 0
    taken = {each.start: number for number, each in enumerate(uses, 1)}
    for symbol in list(symbols_in(syntax, *let.span(let.form)))[1:]:
        if symbol.start in taken:
            wrapped = len(before)
            value = symbols_in(syntax, *let.span(let.value))
            before += [Copied(syntax, each, taken[symbol.start]) for each in value]
        elif not gone[0] <= symbol.start < gone[1]:
            before.append(Copied(syntax, symbol))
    # The operator in front is the old one's, or `progn`, or there is none any more.
    now = now[len(now) - len(before) - values :]
    if values:
        del now[wrapped : wrapped + 1]
    names = {base_name(each.text) for each in symbols_in(syntax, *let.span(let.value))}
    return is_kept(before, after, now, names)
