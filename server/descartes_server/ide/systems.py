"""The systems that a `.asd` file defines: names, files, dependencies and what tests them. Read, never run.

What is computed (`#.(…)`, macros around `defsystem`) is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from posixpath import join, normpath

from descartes_server.ide.roles import base_name
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import Syntax, parse
from descartes_server.ide.tree import Node, bare, text_of, tree

FRAMEWORKS = {
    "fiveam": "fiveam",
    "parachute": "parachute",
    "rove": "rove",
    "lisp-unit2": "lisp-unit2",
    "lisp-unit": "lisp-unit",
    "fiasco": "fiasco",
    "rt": "rt",
    "clunit": "clunit",
    "clunit2": "clunit",
    "prove": "prove",
    "1am": "1am",
    "try": "try",
    "should-test": "should-test",
    "confidence": "confidence",
}
"""Test frameworks by the system that one depends on to use them."""

_TEST_NAME = re.compile(r"(?:^|[-./])tests?(?:$|/)")
_SOURCES = {
    **dict.fromkeys((":file", ":cl-source-file", ":test-file", ":rove", ":test-module"), ".lisp"),
    ":cl-source-file.cl": ".cl",
}
"""The suffix of the files of each kind of source component."""
_DEPENDING = (":depends-on", ":weakly-depends-on", ":defsystem-depends-on")
_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Reference:
    """A system that is named at an offset of the text, without quotes."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Component:
    """A part of a system, named at an offset of the text; PATH is relative to the folder of the `.asd`."""

    kind: str
    """As it is written, in lower case: `:file`, `:module`, `:static-file`."""
    path: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SystemDefinition:
    """One `defsystem`; offsets are code points of the text, FILES relative to the folder of the `.asd`."""

    name: str
    start: int
    end: int
    name_start: int
    name_end: int
    depends_on: tuple[str, ...] = ()
    components: tuple[Component, ...] = ()
    """In order, modules before what is in them."""
    references: tuple[Reference, ...] = ()
    """The systems of `:depends-on` and the like, where they are named."""
    tested_by: tuple[str, ...] = ()
    """The systems that `test-op` goes on to."""
    performs_tests: bool = False
    """Whether it says itself what `test-op` does."""
    inferred: bool = False
    """Whether each file below its folder is a system of its own (`package-inferred-system`)."""
    folder: str = ""
    """Where its files lie, relative to the folder of the `.asd`."""

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of its source files."""
        return tuple(each.path for each in self.components if each.kind in _SOURCES)

    @property
    def frameworks(self) -> tuple[str, ...]:
        """The test frameworks that it uses."""
        return tuple(dict.fromkeys(FRAMEWORKS[name] for name in self.depends_on if name in FRAMEWORKS))

    @property
    def has_tests(self) -> bool:
        """Whether testing it is likely to do something."""
        named = bool(_TEST_NAME.search(self.name))
        return bool(self.tested_by or self.performs_tests or self.frameworks) or named


def systems_in(text: str) -> tuple[SystemDefinition, ...]:
    """Return the systems that TEXT, the contents of a `.asd` file, defines.

    Example: systems_in('(defsystem "a" :components ((:file "b")))')[0].files -> ("b.lisp",)
    """
    return systems_of(parse(text))


def systems_of(syntax: Syntax) -> tuple[SystemDefinition, ...]:
    """Return the systems that SYNTAX, the text of a `.asd` file, defines."""
    found = []
    for base, segment in zip(syntax.bases, syntax.segments, strict=True):
        root = tree(segment)
        for form in _defsystems(segment, root) if root is not None else ():
            definition = _definition(segment, form, base)
            if definition is not None:
                found.append(definition)
    return tuple(found)


def _defsystems(segment: Segment, root: Node) -> Iterator[Node]:
    pending = [(root, 0)]
    while pending:
        node, depth = pending.pop()
        data = node.data if node.kind == "list" else ()
        if data and data[0].kind == "symbol":
            operator = base_name(text_of(segment, data[0]))
            if operator == "defsystem" and len(data) > 1:
                yield node
            elif operator in ("progn", "eval-when", "when", "unless") and depth < _DEPTH:
                pending.extend((child, depth + 1) for child in reversed(data[1:]))


def _definition(segment: Segment, form: Node, base: int) -> SystemDefinition | None:
    data = form.data
    name = _designated(segment, data[1])
    if name is None:
        return None
    options = _options(segment, data[2:])
    folder = _string(segment, options.get(":pathname")) or ""
    inferred = _designated(segment, options.get(":class")) == "package-inferred-system"
    return SystemDefinition(
        name,
        base + form.start,
        base + form.end,
        base + data[1].start,
        base + data[1].end,
        tuple(each.name for each in _references(segment, options.get(":depends-on"), base)),
        tuple(_components(segment, options.get(":components"), folder, base)),
        tuple(each for key in _DEPENDING for each in _references(segment, options.get(key), base)),
        tuple(_tested_by(segment, options.get(":in-order-to"))),
        _performs_tests(segment, data[2:]),
        inferred,
        normpath(folder) if folder else "",
    )


def _options(segment: Segment, data: tuple[Node, ...]) -> dict[str, Node]:
    """Return the options of a definition by keyword; the first of two counts."""
    options: dict[str, Node] = {}
    for key, value in pairwise(data):
        if key.kind == "symbol" and (text := text_of(segment, key).lower()).startswith(":"):
            options.setdefault(text, value)
    return options


def _references(segment: Segment, node: Node | None, base: int) -> Iterator[Reference]:
    """Yield the systems in a list of dependencies, `(:version "a" "1")` and `(:feature :x "a")` as well."""
    for each in node.data if node is not None and node.kind == "list" else ():
        named: Node | None = each
        if each.kind == "list":
            inner = each.data
            kind = text_of(segment, inner[0]).lower() if inner else ""
            at = {":version": 1, ":feature": 2, ":require": 1}.get(kind, len(inner))
            named = inner[at] if len(inner) > at else None
        name = _designated(segment, named)
        if named is not None and name is not None:
            yield Reference(name, *_name_span(named, base))


def _components(
    segment: Segment, node: Node | None, folder: str, base: int, depth: int = 0
) -> Iterator[Component]:
    for each in node.data if node is not None and node.kind == "list" and depth < _DEPTH else ():
        data = each.data if each.kind == "list" else ()
        if len(data) < 2 or (name := _designated(segment, data[1])) is None:
            continue
        kind, options = text_of(segment, data[0]).lower(), _options(segment, data[2:])
        place = _string(segment, options.get(":pathname"))
        path, suffix = join(folder, name if place is None else place), _SOURCES.get(kind, "")
        path = path if path.endswith(suffix) else path + suffix
        yield Component(kind, normpath(path), *_name_span(data[1], base))
        if kind == ":module":
            yield from _components(segment, options.get(":components"), path, base, depth + 1)


def _name_span(node: Node, base: int) -> tuple[int, int]:
    node = bare(node)
    quote = node.kind == "string"
    return base + node.start + quote, base + node.end - quote


def _tested_by(segment: Segment, node: Node | None) -> Iterator[str]:
    """Yield the systems of `((test-op (test-op "a" "b")))`."""
    for rule in node.data if node is not None and node.kind == "list" else ():
        data = rule.data if rule.kind == "list" else ()
        if not data or _designated(segment, data[0]) != "test-op":
            continue
        for goal in data[1:]:
            inner = goal.data if goal.kind == "list" else ()
            if inner and _designated(segment, inner[0]) in ("test-op", "load-op"):
                yield from (name for each in inner[1:] if (name := _designated(segment, each)) is not None)


def _performs_tests(segment: Segment, data: tuple[Node, ...]) -> bool:
    for key, value in pairwise(data):
        if key.kind == "symbol" and text_of(segment, key).lower() == ":perform" and value.kind == "list":
            inner = value.data
            if inner and _designated(segment, inner[0]) == "test-op":
                return True
    return False


def _designated(segment: Segment, node: Node | None) -> str | None:
    """Return the name that NODE, a string or symbol, designates; None for anything else."""
    if node is None:
        return None
    text = _string(segment, node)
    if text is not None:
        return text
    node = bare(node)
    if node.kind not in ("symbol", "number"):
        return None
    return base_name(text_of(segment, node).removeprefix("#")).removeprefix(":") or None


def _string(segment: Segment, node: Node | None) -> str | None:
    """Return what the string or pathname literal NODE contains."""
    if node is None:
        return None
    node = bare(node)
    if node.kind != "string":
        return None
    text = text_of(segment, node)
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
