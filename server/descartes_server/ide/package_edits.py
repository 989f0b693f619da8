"""What changes in a package's definition when a symbol is exported, imported, or not exported any more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from descartes_server.ide import common_lisp
from descartes_server.ide.edits import Edit, line_end
from descartes_server.ide.index import Entry, WorkspaceIndex, definitions_of_text, package_name
from descartes_server.ide.roles import base_name, operator_of
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import SymbolToken, Syntax
from descartes_server.ide.tree import Node, text_of, tree

_LINE = 100
"""Columns that a line of names may have before the next name begins a line."""
_WITHOUT_SYMBOL = frozenset(("package", "system", "slot"))


@dataclass(frozen=True, slots=True)
class Export:
    """The EDIT of a package's definition that exports a symbol, or takes it back when it is exported."""

    edit: Edit
    adds: bool


def defined_at(syntax: Syntax, offset: int) -> Entry | None:
    """Return the definition whose name OFFSET stands in or touches, when its package can export that."""
    for entry in definitions_of_text(syntax):
        if entry.name_start <= offset <= entry.name_end and entry.kind not in _WITHOUT_SYMBOL:
            return None if ":" in entry.name else entry
    return None


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
    for definition in _definitions(syntax, package):
        exports = definition.clauses(":export")
        for clause in exports:
            for before, item in zip(clause.data, clause.data[1:], strict=False):
                if definition.names(item, symbol):
                    alone = len(clause.data) == 2
                    options = definition.before(clause), clause
                    return Export(_without(definition, *(options if alone else (before, item))), adds=False)
        name = _written(definition, exports[-1].data[-1] if exports else None, symbol)
        if exports:
            return Export(_into(definition, exports[-1], name), adds=True)
        return Export(_behind(definition, definition.data[-1], f"(:export {name})"), adds=True)
    return None


def imported(syntax: Syntax, package: str, symbol: SymbolToken) -> Edit | None:
    """Return what has PACKAGE in SYNTAX import SYMBOL, which is written with its package; None where that
    package is not defined there, or imports it already.
    """
    prefix, _, name = symbol.text.rpartition(":")
    for definition in _definitions(syntax, package):
        home = definition.nicknames().get(package_name(prefix.rstrip(":")), prefix.rstrip(":"))
        clauses = definition.clauses(":import-from")
        known = [each for each in clauses if definition.names(each.data[1], home)]
        if any(definition.names(item, name) for each in known for item in each.data[2:]):
            return None
        if known:
            last = known[-1].data[-1]
            return _into(definition, known[-1], _written(definition, last, name))
        exports = definition.clauses(":export")
        last = definition.before(exports[0]) if exports else definition.data[-1]
        words = _written(definition, None, home), _written(definition, None, name)
        return _behind(definition, last, f"(:import-from {' '.join(words)})")
    return None


def is_qualified(symbol: SymbolToken) -> bool:
    """Return whether SYMBOL is written with a package that is not the standard's."""
    prefix = symbol.text.rpartition(":")[0].rstrip(":")
    return prefix not in ("", "#") and package_name(prefix) not in ("CL", "COMMON-LISP", "KEYWORD")


def unqualified(syntax: Syntax, symbol: SymbolToken, index: WorkspaceIndex) -> list[Edit]:
    """Return what takes its package from SYMBOL wherever it is written like that for the same package; none
    where its name means something else in that package, or in one of these places."""
    designator, name = syntax.package_at(symbol.start), base_name(symbol.text)
    defined = any(each.package == package_name(designator) for each in index.lookup(name))
    if defined or common_lisp.lookup(name) is not None:
        return []
    edits = []
    for base, segment in zip(syntax.bases, syntax.segments, strict=True):
        for kind, start, end in segment.lexemes:
            text = segment.text[start:end]
            same = kind == "symbol" and text.lower() == symbol.text.lower()
            if same and syntax.package_at(base + start) == designator:
                if any(base_name(each.name) == name for each in syntax.bindings_at(base + start)):
                    return []
                edits.append(Edit(base + start, base + start + text.rindex(":") + 1, ""))
    return edits


@dataclass(frozen=True, slots=True)
class _Definition:
    """A package's definition: its form is ROOT in SEGMENT, which begins at BASE."""

    segment: Segment
    base: int
    root: Node

    @property
    def data(self) -> tuple[Node, ...]:
        return self.root.data

    def text(self, node: Node) -> str:
        return text_of(self.segment, node)

    def names(self, node: Node, name: str) -> bool:
        """Return whether NODE means the package or symbol NAME."""
        return package_name(self.text(node)) == package_name(name)

    def clauses(self, option: str) -> list[Node]:
        """Return the lists that begin with OPTION; those of `:import-from` name a package."""
        found = [each for each in self.data[2:] if each.kind == "list" and each.data]
        least = 2 if option == ":import-from" else 1
        return [
            each for each in found if self.text(each.data[0]).lower() == option and len(each.data) >= least
        ]

    def before(self, clause: Node) -> Node:
        """Return what stands before CLAUSE."""
        return self.data[self.data.index(clause) - 1]

    def nicknames(self) -> dict[str, str]:
        """Return the packages that have names of their own here, by these, as `package_name` gives them."""
        pairs = [each.data for clause in self.clauses(":local-nicknames") for each in clause.data[1:]]
        return {package_name(self.text(pair[0])): self.text(pair[1]) for pair in pairs if len(pair) == 2}


def _definitions(syntax: Syntax, package: str) -> Iterator[_Definition]:
    for base, segment in zip(syntax.bases, syntax.segments, strict=True):
        root = tree(segment)
        if root is None or operator_of(segment, root) not in ("defpackage", "define-package"):
            continue
        found = _Definition(segment, base, root)
        if len(root.data) > 1 and package_name(found.text(root.data[1])) == package:
            yield found


def _without(definition: _Definition, before: Node, item: Node) -> Edit:
    text, base = definition.segment.text, definition.base
    start = before.end + len(text[before.end : item.start].rstrip())
    if start > before.end and text[item.end : item.end + 1] not in ("\n", "\r"):
        start = item.start  # what follows must not become part of the comment that stands before
    return Edit(base + start, base + item.end, "")


def _into(definition: _Definition, clause: Node, name: str) -> Edit:
    last, text = clause.data[-1], definition.segment.text
    if _begins_line(text, last):
        return _on_line(definition, last, _column(text, last), name)
    if len(clause.data) > 1 and _column(text, last) + last.end - last.start + len(name) > _LINE:
        return _on_line(definition, last, _column(text, clause.data[1]), name)
    return Edit(definition.base + last.end, definition.base + last.end, f" {name}")


def _behind(definition: _Definition, option: Node, clause: str) -> Edit:
    """Return what puts CLAUSE below OPTION."""
    text = definition.segment.text
    return _on_line(definition, option, _column(text, option) if _begins_line(text, option) else 2, clause)


def _on_line(definition: _Definition, last: Node, column: int, text: str) -> Edit:
    """Return what puts TEXT on a line of its own in COLUMN, behind LAST and the comment beside it."""
    end, before = last.end, definition.segment.text
    for kind, start, stop in definition.segment.lexemes:
        if kind == "comment" and start >= end and not before[end:start].strip(" \t"):
            end = stop
    place = definition.base + end
    return Edit(place, place, f"{line_end(before)}{' ' * column}{text}")


def _written(definition: _Definition, neighbour: Node | None, name: str) -> str:
    """Return NAME as its NEIGHBOUR is written, or as the package's where there is none, or only an option."""
    sample = definition.text(neighbour) if neighbour is not None else ""
    if neighbour is None or sample.lower() == ":export":
        sample = definition.text(definition.data[1])
    name = name.lstrip("#:").strip('"') if "|" not in name else name
    if sample.startswith('"'):
        return f'"{package_name(name)}"'
    sign = next((each for each in ("#:", ":") if sample.startswith(each)), "")
    return sign + (name if "|" in name else name.lower())


def _column(text: str, node: Node) -> int:
    return node.start - (text.rfind("\n", 0, node.start) + 1)


def _begins_line(text: str, node: Node) -> bool:
    start = text.rfind("\n", 0, node.start) + 1
    return start > 0 and not text[start : node.start].strip()
