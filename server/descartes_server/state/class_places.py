"""Classes above and below a class: those of the texts, and those that only the image knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from descartes_server.ide import class_tree
from descartes_server.ide.class_tree import Relation
from descartes_server.ide.names import designator
from descartes_server.state import places
from descartes_server.state.places import Place
from descartes_server.state.snapshot import Snapshot

if TYPE_CHECKING:
    from descartes_swank.service import Questions

_ANSWER_MS = 3000


@dataclass(frozen=True)
class ClassPlace:
    """A class by its NAME as it is written in PACKAGE, a designator, and where it is defined."""

    name: str
    package: str
    place: Place


class _Known(msgspec.Struct, frozen=True):
    """A class as the image tells of it; FILE is None where no file has it."""

    name: str
    kind: str
    package: str | None = None
    file: str | None = None
    offset: int | None = None
    snippet: str | None = None


async def related(snapshot: Snapshot, name: str, package: str, relation: Relation) -> list[ClassPlace] | None:
    """Return the classes in RELATION to NAME in PACKAGE that have a place; None when it names no class."""
    overlay = await places.overlay(snapshot)
    entries = class_tree.related(overlay, name, package, relation)
    found = [
        ClassPlace(each.name, designator(each.package), place)
        for each in entries or ()
        for place in await places.of_entries(snapshot, [each])
    ]
    if found and relation == "self":
        return found
    known = await _in_image(snapshot, name, package, relation)
    if entries is None and known is None:
        return None
    for other in known or ():
        home = designator(other.package or "")
        if not class_tree.is_told(overlay, name, package, other.name, home, relation):
            found += await _place(snapshot, other, home)
    return _each_once(found)


async def _in_image(snapshot: Snapshot, name: str, package: str, relation: Relation) -> list[_Known] | None:
    """Return the classes that the image has in RELATION to NAME; None without an image or such a class."""
    request = {"question": "classes", "name": name, "package": package, "relation": relation}

    async def ask(image: Questions) -> list[_Known] | None:
        return msgspec.convert(await image.relay(request, _ANSWER_MS), list[_Known] | None)

    return await snapshot.image.ask(ask)


async def _place(snapshot: Snapshot, known: _Known, home: str) -> list[ClassPlace]:
    if known.file is None:
        return []
    from descartes_swank.questions import Definition  # loaded with the first image

    found = Definition(known.kind, known.name, known.file, known.offset or 0, known.snippet)
    place = await places.of_definition(snapshot, found, known.name)
    return [ClassPlace(known.name, home, place)] if place is not None else []


def _each_once(found: list[ClassPlace]) -> list[ClassPlace]:
    kept = places.each_once(each.place for each in found)
    return [next(each for each in found if each.place is place) for place in kept]
