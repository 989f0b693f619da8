"""Where names are declared: `declaim` and `proclaim`, and the exports of package definitions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from descartes_server.ide.index import Entry
from descartes_server.ide.names import designator, divided, own_package
from descartes_server.ide.overlay import Overlay
from descartes_server.ide.references import may_mention
from descartes_server.ide.roles import base_name, operator_of
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import Syntax
from descartes_server.ide.tree import Node, bare, text_of, tree, walk


@dataclass(frozen=True, slots=True)
class Declaration:
    """What the form from START to END says of the symbol TEXT of PACKAGE, a designator, that stands in it.

    WORD is what it is declared to be (`special`, `type`), or `export`; TYPE the type of a variable, if any.
    """

    text: str
    package: str
    start: int
    end: int
    name_start: int
    name_end: int
    word: str
    type: str = ""


def declared(syntax: Syntax, base: str) -> list[Declaration]:
    """Return what SYNTAX declares of names whose base name is BASE, in the order of the text."""
    found = []
    for start, segment in zip(syntax.bases, syntax.segments, strict=True):
        root = tree(segment) if may_mention(segment.text, base.strip("|")) else None
        if root is None:
            continue
        for each in (*_exports(segment, root), *_declaimed(segment, root, syntax.package_at(start))):
            if base_name(divided(each.text)[1]) == base:
                found.append(_moved(each, start))
    return found


def meant(
    overlay: Overlay, text: str, package: str, found: Sequence[Declaration]
) -> tuple[list[Declaration], list[Declaration]]:
    """Return those of FOUND that declare what TEXT in a file of PACKAGE means, and those that export it."""
    owning = [(name, each) for name, each in overlay.named(text) if each.kind not in ("method", "slot")]
    owners = {own_package(name, designator(each.package)) for name, each in owning}
    owners |= {
        own_package(each.text, each.package)
        for each in found
        # A package that uses another and exports its symbol has none of its own.
        if not (each.word == "export" and overlay.uses_one_of(each.text, each.package, owners))
    }
    own = [each for each in found if overlay.may_be(text, package, each.text, each.package, owners)]
    exports = [each for each in own if each.word == "export"]
    return [each for each in own if each.word != "export"], exports


def generics(overlay: Overlay, text: str, package: str) -> list[Entry]:
    """Return the `defgeneric` forms of what TEXT in a file of PACKAGE means."""
    named = [(name, each) for name, each in overlay.named(text) if each.kind not in ("method", "slot")]
    return [each for each in overlay.meant(text, package, named, named) if each.kind == "generic"]


_OTHER = frozenset(("optimize", "declaration", "muffle-conditions", "unmuffle-conditions"))
"""What is declared of the compiler, not of names."""


def _declaimed(segment: Segment, root: Node, package: str) -> Iterator[Declaration]:
    for form in walk(root, 6):
        operator = operator_of(segment, form) if form.kind == "list" else ""
        if operator in ("declaim", "proclaim"):
            for specifier in form.data[1:]:
                if (specifier.kind == "prefix") == (operator == "proclaim"):
                    yield from _specified(segment, form, bare(specifier), package)


def _specified(segment: Segment, form: Node, specifier: Node, package: str) -> Iterator[Declaration]:
    data = specifier.data
    if specifier.kind != "list" or len(data) < 2:
        return
    word = operator_of(segment, specifier)
    if word in _OTHER:
        return
    typed = word in ("type", "ftype")
    type_ = (
        text_of(segment, data[1]) if word == "type" else "" if word in _WORDS else text_of(segment, data[0])
    )
    for name in data[2 if typed else 1 :]:
        symbol = name.data[-1] if name.kind == "list" and name.data else name
        if symbol.kind == "symbol":
            text = text_of(segment, symbol)
            yield Declaration(text, package, form.start, form.end, name.start, name.end, word, type_)


_WORDS = frozenset(("ftype", "special", "inline", "notinline", "maybe-inline", "global", "always-bound"))


def _exports(segment: Segment, root: Node) -> Iterator[Declaration]:
    if operator_of(segment, root) not in ("defpackage", "define-package"):
        return
    data = root.data
    for clause in data[2:]:
        if clause.kind == "list" and clause.data and text_of(segment, clause.data[0]).lower() == ":export":
            for each in clause.data[1:]:
                yield _export(segment, root, data[1], each)


def _export(segment: Segment, root: Node, package: Node, node: Node) -> Declaration:
    text, start, end = text_of(segment, node), node.start, node.end
    if node.kind == "string":
        name = text[1:-1]
        text, start, end = name.lower() if name == name.upper() else f"|{name}|", start + 1, end - 1
    else:
        start += len(text) - len(text.lstrip("#:"))
        text = text.lstrip("#:")
    return Declaration(text, text_of(segment, package), root.start, root.end, start, end, "export")


def _moved(each: Declaration, by: int) -> Declaration:
    return replace(
        each,
        start=each.start + by,
        end=each.end + by,
        name_start=each.name_start + by,
        name_end=each.name_end + by,
    )
