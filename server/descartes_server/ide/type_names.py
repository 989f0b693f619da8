"""The names of classes and types that a type specifier, a slot or a form speaks of, as they are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from descartes_server.ide.index import Entry
from descartes_server.ide.names import designator, divided
from descartes_server.ide.overlay import Overlay
from descartes_server.ide.roles import base_name
from descartes_server.ide.syntax import parse
from descartes_server.ide.tree import Node, bare, text_of, tree


@dataclass(frozen=True, slots=True)
class TypeName:
    """The symbol TEXT in a file of PACKAGE, a designator, where it names a type."""

    text: str
    package: str


_COMBINING = frozenset(("or", "and", "not", "values"))
_OF_VALUES = frozenset(("eql", "member", "satisfies"))
_NO_TYPES = frozenset(("t", "nil", "null", "*", "&optional", "&rest", "&key"))


def in_specifier(text: str, package: str) -> list[TypeName]:
    """Return the types that the specifier TEXT is made of: `foo` of `(or null foo)`."""
    segment = parse(f"({text})").segments[0]
    root = tree(segment)
    found = [name for node in (root.data[:1] if root else ()) for name in _names(segment.text, node)]
    return [TypeName(name, package) for name in dict.fromkeys(found)]


def _names(text: str, node: Node, depth: int = 8) -> Iterator[str]:
    node = bare(node)
    if node.kind == "symbol":
        name = text[node.start : node.end]
        if base_name(name) not in _NO_TYPES and not name.startswith((":", "#")):
            yield name
        return
    if node.kind != "list" or not node.data or depth == 0:
        return
    head = text[node.data[0].start : node.data[0].end]
    operator = base_name(head)
    if operator in _OF_VALUES:
        return
    if operator != "function":
        for each in node.data[1:]:
            yield from _names(text, each, depth - 1)
    if operator not in _COMBINING:
        yield from _names(text, node.data[0], depth - 1)


def of_slot(slot: Entry) -> list[TypeName]:
    """Return the types in the `:type` of SLOT."""
    given = options(slot).get(":type")
    return in_specifier(given, designator(slot.package)) if given else []


def options(slot: Entry) -> dict[str, str]:
    """Return the options of SLOT by their keywords in lower case, as they are written; the first of each."""
    segment = parse(f"({slot.detail})").segments[0]
    root = tree(segment)
    words = [text_of(segment, each) for each in (root.data if root else ())]
    return {key.lower(): value for key, value in reversed(list(pairwise(words))) if key.startswith(":")}


_MAKING = {"make-instance": 1, "make-condition": 1, "allocate-instance": 1, "the": 1, "coerce": 2}
_SIGNALLING = frozenset(("make-instance", "make-condition", "error", "signal", "warn"))


def of_form(overlay: Overlay, text: str, package: str) -> list[TypeName]:
    """Return the types of what the form TEXT in a file of PACKAGE makes, where its operator tells."""
    segment = parse(text).segments[0]
    root = tree(segment)
    if root is None or root.kind != "list" or not root.data:
        return []
    words = [text_of(segment, each) for each in root.data]
    at = _MAKING.get(base_name(words[0]))
    if at is None:
        return made_by(overlay, words[0], package)
    if at < len(words) and (words[at].startswith("'") or base_name(words[0]) == "the"):
        return in_specifier(words[at], package)
    return []


def made_by(overlay: Overlay, text: str, package: str) -> list[TypeName]:
    """Return the structures that the function TEXT in a file of PACKAGE makes."""
    found = overlay.related("constructor", text)
    return [
        TypeName(each.name, designator(each.package)) for each in overlay.meant(text, package, found, found)
    ]


def instantiated(overlay: Overlay, operator: str, arguments: tuple[str, ...], package: str) -> list[TypeName]:
    """Return the classes whose initargs a call of OPERATOR with ARGUMENTS takes."""
    if base_name(divided(operator)[1]) not in _SIGNALLING:
        return made_by(overlay, operator, package)
    return in_specifier(arguments[0], package) if arguments and arguments[0].startswith("'") else []
