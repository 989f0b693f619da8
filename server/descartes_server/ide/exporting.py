"""What changes in a package's definition when a symbol is exported, or not any more."""

from __future__ import annotations

from dataclasses import dataclass

from descartes_server.ide.index import Entry, WorkspaceIndex, definitions_of_text, package_name
from descartes_server.ide.renaming import Edit
from descartes_server.ide.roles import base_name, operator_of
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import Syntax
from descartes_server.ide.tree import Node, tree

_LINE = 100
"""Columns that a line of names may have before the next name begins a line."""
_WITHOUT_SYMBOL = frozenset(("package", "system", "slot"))


@dataclass(frozen=True, slots=True)
class Export:
    """The EDIT of a package's definition that exports a symbol, or takes it back when it is exported."""

    edit: Edit
    adds: bool


def defined_at(syntax: Syntax, offset: int) -> Entry | None:
    """Return the definition whose name OFFSET stands in or touches, when a package can export that."""
    for entry in definitions_of_text(syntax):
        if entry.name_start <= offset <= entry.name_end and entry.kind not in _WITHOUT_SYMBOL:
            return entry
    return None


def symbol_of(name: str) -> str:
    """Return the symbol that the definition NAME is about: symbol_of("(setf zoo::area)") -> "area"."""
    return name.strip("()").split(" ")[-1].rpartition(":")[2]


def packages(index: WorkspaceIndex, package: str) -> list[Entry]:
    """Return where the files of the workspace define PACKAGE, as `package_name` gives it."""
    found = [each for each in index.lookup(package) if each.kind == "package"]
    return [each for each in found if package in (each.name, package_name(each.name))]


def title(change: Export, symbol: str, package: Entry) -> str:
    """Return what CHANGE of PACKAGE does, as a person reads it.

    Example: "Export feed from zoo", "Do not export feed from zoo"
    """
    return f"{'Export' if change.adds else 'Do not export'} {symbol} from {package.name}"


def toggled(syntax: Syntax, package: str, symbol: str) -> Export | None:
    """Return what exports SYMBOL from PACKAGE in SYNTAX, or takes it back; None without that package there.

    PACKAGE as `package_name` gives it.
    """
    for base, segment in zip(syntax.bases, syntax.segments, strict=True):
        root = tree(segment)
        if root is None or operator_of(segment, root) not in ("defpackage", "define-package"):
            continue
        if len(root.data) > 1 and package_name(_text(segment, root.data[1])) == package:
            return _in_definition(segment, base, root, symbol)
    return None


def _in_definition(segment: Segment, base: int, root: Node, symbol: str) -> Export:
    clauses = [each for each in root.data[2:] if each.kind == "list" and each.data]
    exports = [each for each in clauses if _text(segment, each.data[0]).lower() == ":export"]
    for clause in exports:
        for before, item in zip(clause.data, clause.data[1:], strict=False):
            if package_name(_text(segment, item)) == package_name(symbol):
                alone = len(clause.data) == 2
                options = root.data[root.data.index(clause) - 1], clause
                return Export(_without(segment, base, *(options if alone else (before, item))), adds=False)
    name = _written(segment, exports[-1].data[-1] if exports else root.data[1], root.data[1], symbol)
    if exports:
        return Export(_into(segment, base, exports[-1], name), adds=True)
    last = root.data[-1]
    column = _column(segment, last) if _begins_line(segment, last) else 2
    return Export(_behind(segment, base, last, column, f"(:export {name})"), adds=True)


def _without(segment: Segment, base: int, before: Node, item: Node) -> Edit:
    start = before.end + len(segment.text[before.end : item.start].rstrip())
    if start > before.end and segment.text[item.end : item.end + 1] not in ("\n", "\r"):
        start = item.start  # what follows must not become part of the comment that stands before
    return Edit(base + start, base + item.end, "")


def _into(segment: Segment, base: int, clause: Node, name: str) -> Edit:
    last = clause.data[-1]
    if _begins_line(segment, last):
        return _behind(segment, base, last, _column(segment, last), name)
    if len(clause.data) > 1 and _column(segment, last) + last.end - last.start + len(name) > _LINE:
        return _behind(segment, base, last, _column(segment, clause.data[1]), name)
    return Edit(base + last.end, base + last.end, f" {name}")


def _behind(segment: Segment, base: int, last: Node, column: int, text: str) -> Edit:
    """Return what puts TEXT on a line of its own in COLUMN, behind LAST and the comment beside it."""
    end = last.end
    for kind, start, stop in segment.lexemes:
        if kind == "comment" and start >= end and not segment.text[end:start].strip(" \t"):
            end = stop
    line_end = "\r\n" if "\r\n" in segment.text else "\n"
    return Edit(base + end, base + end, f"{line_end}{' ' * column}{text}")


def _written(segment: Segment, neighbour: Node, package: Node, symbol: str) -> str:
    """Return SYMBOL as its NEIGHBOUR is written, or as the PACKAGE where there is none."""
    sample = _text(segment, neighbour)
    if sample.lower() == ":export":
        sample = _text(segment, package)
    if sample.startswith('"'):
        return f'"{package_name(symbol)}"'
    sign = next((each for each in ("#:", ":") if sample.startswith(each)), "")
    return sign + (symbol if "|" in symbol else base_name(symbol))


def _text(segment: Segment, node: Node) -> str:
    return segment.text[node.start : node.end]


def _column(segment: Segment, node: Node) -> int:
    return node.start - (segment.text.rfind("\n", 0, node.start) + 1)


def _begins_line(segment: Segment, node: Node) -> bool:
    start = segment.text.rfind("\n", 0, node.start) + 1
    return start > 0 and not segment.text[start : node.start].strip()
