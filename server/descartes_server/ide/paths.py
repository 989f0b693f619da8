"""From an offset in a tile to the nodes around it, and to the call that the offset is an argument of."""

from __future__ import annotations

from dataclasses import dataclass

from descartes_server.ide.roles import Role, inner_role, operator_of
from descartes_server.ide.segments import Segment
from descartes_server.ide.tree import Node, tree, unconditional


@dataclass(frozen=True, slots=True)
class Step:
    """A list around the offset: its ROLE, OPERATOR (empty when none) and the INDEX of the datum gone into.

    INDEX is that of the datum at or before the offset's place: in `(f a |b)` 2, in `(f a |)` 2 as well.
    """

    node: Node
    role: Role
    operator: str
    index: int
    quoted: bool


def nodes_at(segment: Segment, offset: int) -> list[Node]:
    """Return the nodes of SEGMENT's form that OFFSET lies in or touches, outermost first."""
    node = tree(segment)
    if node is None or not _inside(segment, node, offset):
        return []
    path = [node]
    while True:
        inner = [child for child in node.children if _inside(segment, child, offset)]
        if not inner:
            return path
        node = inner[-1]
        path.append(node)


def steps_at(segment: Segment, offset: int) -> list[Step]:
    """Return the lists around OFFSET, outermost first, with what each stands for."""
    steps: list[Step] = []
    role: Role = "call"
    root = segment.root[0] if segment.root else 0
    quoted = segment.text[max(0, root - 1) : root] == "'"
    evaluated = False
    for node in nodes_at(segment, offset):
        if node.kind == "prefix":
            evaluated = segment.text[node.start] == ","
            quoted = (quoted or segment.text[node.start] == "'") and not evaluated
        if node.kind not in ("list", "vector"):
            continue
        if steps:
            outer = steps[-1]
            first = not any(child.kind == "list" for child in outer.node.data[2 : outer.index])
            # Behind a comma stands a form, whatever it makes in the template around it.
            role = "call" if evaluated else inner_role(outer.role, outer.operator, outer.index, first)
            evaluated = False
        if node.kind == "vector":
            quoted = True
        steps.append(Step(node, role, operator_of(segment, node), _index(node, offset), quoted))
    return steps


def _inside(segment: Segment, node: Node, offset: int) -> bool:
    if node.kind in ("list", "vector"):
        return node.start < offset < node.end or (offset == node.end and node.start in segment.stack)
    if node.kind in ("prefix", "feature"):
        return node.start < offset <= node.end
    return node.start <= offset <= node.end


def _index(node: Node, offset: int) -> int:
    index = 0
    for child in node.children:
        if unconditional(child) is None:
            continue
        if offset <= child.end:
            break
        index += 1
    return index
