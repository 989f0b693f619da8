"""What a definition names beside itself: superclasses, accessors, constructors, packages that are used."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

from descartes_server.ide.roles import base_name
from descartes_server.ide.segments import Segment
from descartes_server.ide.tree import Node, text_of

Relation = Literal["super", "accessor", "constructor", "use"]
Relations = tuple[tuple[Relation, str], ...]
"""Names as they are written: what is inherited from, what reads or writes a slot, what makes a structure,
and what a package uses (`shapes`) or imports (`shapes:area`)."""

_ACCESSORS = frozenset((":accessor", ":reader", ":writer"))


def of_definition(segment: Segment, kind: str, data: tuple[Node, ...]) -> Relations:
    """Return what the form DATA of KIND names: of a class what is above it, of a package what it uses."""
    if kind in ("class", "condition"):
        direct = data[2].data if len(data) > 2 and data[2].kind == "list" else ()
        return tuple(("super", text_of(segment, each)) for each in direct if each.kind == "symbol")
    if kind == "package":
        return tuple(_of_package(segment, data[2:]))
    return tuple(_of_structure(segment, data[1])) if kind == "structure" else ()


def of_slot(segment: Segment, kind: str, named: Node, slot: Node) -> Relations:
    """Return what reads and writes SLOT of the class of KIND whose name, with its options, is NAMED."""
    if kind == "structure":
        name = slot.data[0] if slot.data else slot
        return (("accessor", _prefix(segment, named) + text_of(segment, name)),)
    return tuple(
        ("accessor", text_of(segment, each.data[-1] if each.data else each))
        for key, each in pairwise(slot.data)
        if text_of(segment, key).lower() in _ACCESSORS
    )


def _of_structure(segment: Segment, named: Node) -> Iterator[tuple[Relation, str]]:
    makers = []
    for words in _options(segment, named):
        if words[0] == ":include" and len(words) > 1:
            yield "super", words[1]
        if words[0] == ":constructor":
            makers.append(words[1] if len(words) > 1 else f"make-{_name(segment, named)}")
    for maker in makers or [f"make-{_name(segment, named)}"]:
        if maker.lower() != "nil":
            yield "constructor", maker


_USES = frozenset((":use", ":mix", ":reexport", ":use-reexport", ":mix-reexport"))
_IMPORTS = frozenset((":import-from", ":shadowing-import-from"))


def _of_package(segment: Segment, options: tuple[Node, ...]) -> Iterator[tuple[Relation, str]]:
    for option in options:
        words = [text_of(segment, each) for each in option.data]
        if words and words[0].lower() in _USES:
            for name in words[1:]:
                yield "use", name
        elif len(words) > 2 and words[0].lower() in _IMPORTS:
            home = words[1].lstrip("#:").strip('"')
            for name in words[2:]:
                yield "use", f"{home}:{name.lstrip('#:')}"


def _prefix(segment: Segment, named: Node) -> str:
    """Return what the accessors of the structure NAMED begin with."""
    for words in _options(segment, named):
        if words[0] == ":conc-name":
            prefix = words[1] if len(words) > 1 else ""
            return "" if prefix.lower() == "nil" else prefix.lstrip("#:").strip('"').lower()
    return f"{_name(segment, named)}-"


def _options(segment: Segment, named: Node) -> Iterator[list[str]]:
    """Yield the options of a structure as their words, the first in lower case."""
    for option in named.data[1:] if named.kind == "list" else ():
        first, *rest = option.data or (option,)
        yield [text_of(segment, first).lower(), *(text_of(segment, each) for each in rest)]


def _name(segment: Segment, named: Node) -> str:
    return base_name(text_of(segment, named.data[0] if named.data else named))
