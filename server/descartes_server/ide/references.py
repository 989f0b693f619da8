"""Where a name stands in a text: the same lexical binding, or the same global name.

Static: packages are told by prefixes and `in-package` alone, and by who defines a name of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from descartes_server.ide.bindings import Binding
from descartes_server.ide.index import package_name
from descartes_server.ide.roles import base_name, operator_of
from descartes_server.ide.scopes import binding_of
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import SymbolToken, Syntax, TopLevelForm
from descartes_server.ide.tree import Node, tree

Use = Literal["definition", "call", "function", "other"]


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A name from START to END; USE tells `(f …)` and `#'f` from everything else. FORM is around it."""

    start: int
    end: int
    use: Use
    form: TopLevelForm | None


@dataclass(frozen=True)
class Name:
    """A global name: BASE in lower case and without package.

    HOMES: the packages, in upper case, whose prefix it may have; empty for any.
    OTHERS: packages that have another symbol of this name.
    """

    base: str
    homes: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()

    def is_meant(self, token: str, package: str) -> bool:
        """Return whether the symbol TOKEN in a file of PACKAGE, a designator, may be this one."""
        if base_name(token) != self.base:
            return False
        prefix = token.rpartition(":")[0].rstrip(":")
        if ":" in token:
            return bool(prefix) and (not self.homes or package_name(prefix) in self.homes)
        return package_name(package) not in self.others


def of_binding(syntax: Syntax, binding: Binding) -> list[Occurrence]:
    """Return every place in SYNTAX that means BINDING, the binding itself first."""
    found = [
        _occurrence(syntax, symbol, None)
        for symbol in symbols_named(syntax, base_name(binding.name), binding.start)
        if (other := binding_of(syntax, symbol)) is not None and other.start == binding.start
    ]
    return sorted(found, key=lambda each: (each.start != binding.start, each.start))


def of_name(syntax: Syntax, name: Name, within: tuple[int, int] | None = None) -> list[Occurrence]:
    """Return every place in SYNTAX, or in the stretch WITHIN, that may mean the global NAME."""
    found = []
    forms = syntax.forms
    for symbol in symbols_named(syntax, name.base):
        if within is not None and not within[0] <= symbol.start < within[1]:
            continue
        if not name.is_meant(symbol.text, syntax.package_at(symbol.start)):
            continue
        if binding_of(syntax, symbol) is None:
            form = next((each for each in forms if each.start <= symbol.start < each.end), None)
            found.append(_occurrence(syntax, symbol, form))
    if within is None:
        found += [Occurrence(start, end, "other", None) for start, end in designators(syntax, name)]
    return sorted(found, key=lambda each: each.start)


def designators(syntax: Syntax, name: Name) -> Iterator[tuple[int, int]]:
    """Yield where package definitions in SYNTAX have NAME as `#:name`, `:name` or "NAME", without signs."""
    for base, segment in zip(syntax.bases, syntax.segments, strict=True):
        root = tree(segment) if may_mention(segment.text, name.base) else None
        if root is None or operator_of(segment, root) not in ("defpackage", "define-package"):
            continue
        for node in _named_in_package(segment, root.data, name):
            text = segment.text[node.start : node.end]
            if node.kind == "string" and text[1:-1].lower() == name.base:
                yield base + node.start + 1, base + node.end - 1
            elif text.startswith((":", "#:")) and base_name(text) == name.base:
                yield base + node.start + text.rindex(":") + 1, base + node.end


_OWN_CLAUSES = frozenset((":export", ":shadow", ":intern", ":unexport"))
_IMPORTS = frozenset((":import-from", ":shadowing-import-from"))
_PACKAGES = frozenset((":use", ":mix", ":reexport", ":use-reexport", ":mix-reexport"))


def _named_in_package(segment: Segment, data: tuple[Node, ...], name: Name) -> Iterator[Node]:
    """Yield the data of a package definition that name symbols, where these are of a home of NAME."""

    def is_home(node: Node) -> bool:
        package = package_name(segment.text[node.start : node.end])
        return package not in name.others and (not name.homes or package in name.homes)

    clauses = [
        (segment.text[each.data[0].start : each.data[0].end].lower(), each.data[1:])
        for each in data[2:]
        if each.kind == "list" and each.data
    ]
    inherits = any(
        is_home(each)
        for option, names in clauses
        for each in (names if option in _PACKAGES else names[:1] if option in _IMPORTS else ())
    ) and not any(
        option == ":shadow" and base_name(segment.text[each.start : each.end].strip('"')) == name.base
        for option, names in clauses
        for each in names
    )
    for option, names in clauses:
        if option in _OWN_CLAUSES and len(data) > 1 and (inherits or is_home(data[1])):
            yield from names
        elif option in _IMPORTS and names and is_home(names[0]):
            yield from names[1:]


def may_mention(text: str, base: str) -> bool:
    """Return whether TEXT, not parsed yet, has BASE in it at all, so that it is worth parsing."""
    return base in text or base in text.lower()


def called_in(syntax: Syntax, start: int, end: int) -> list[tuple[SymbolToken, Use]]:
    """Return the symbols between START and END that stand where functions are called or named."""
    found: list[tuple[SymbolToken, Use]] = []
    for symbol in _symbols(syntax):
        if start <= symbol.start < end:
            use = _use(syntax, symbol, None)
            if use in ("call", "function") and binding_of(syntax, symbol) is None:
                found.append((symbol, use))
    return found


def symbols_named(syntax: Syntax, base: str, near: int | None = None) -> Iterator[SymbolToken]:
    """Yield the symbols whose name without package is BASE; NEAR: those of the top-level form there alone."""
    tiles = zip(syntax.bases, syntax.segments, strict=True) if near is None else syntax.around(near)
    for start, segment in tiles:
        if may_mention(segment.text, base):
            for kind, first, last in segment.lexemes:
                if kind == "symbol" and base_name(segment.text[first:last]) == base:
                    yield SymbolToken(segment.text[first:last], start + first, start + last)


def _symbols(syntax: Syntax) -> Iterator[SymbolToken]:
    for start, segment in zip(syntax.bases, syntax.segments, strict=True):
        for kind, first, last in segment.lexemes:
            if kind == "symbol":
                yield SymbolToken(segment.text[first:last], start + first, start + last)


def _occurrence(syntax: Syntax, symbol: SymbolToken, form: TopLevelForm | None) -> Occurrence:
    return Occurrence(symbol.start, symbol.end, _use(syntax, symbol, form), form)


def _use(syntax: Syntax, symbol: SymbolToken, form: TopLevelForm | None) -> Use:
    before = syntax.text[max(0, symbol.start - 2) : symbol.start]
    if form is not None and symbol.start > form.start + 1 and form.name_start <= symbol.start < form.name_end:
        return "definition"
    if before.endswith("(") and not before.endswith("'("):
        return "call"
    return "function" if before == "#'" else "other"


def uses_for(kind: str) -> Collection[Use]:
    """Return which uses in a text answer the cross-reference KIND."""
    return ("call", "function") if kind in ("callers", "macroexpands") else ("call", "function", "other")
