"""The classes, conditions and structures that the texts define, up and down."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from descartes_server.ide.index import Entry
from descartes_server.ide.names import CLASS_KINDS, designator, own_package
from descartes_server.ide.overlay import Overlay

Relation = Literal["self", "supertypes", "subtypes", "descendants"]


def related(overlay: Overlay, text: str, package: str, relation: Relation) -> list[Entry] | None:
    """Return the classes in RELATION to the one that TEXT in a file of PACKAGE means; None for no class.

    Supertypes and subtypes are the direct ones.
    """
    own, below = overlay.classes(text, package), subtypes(overlay, text, package)
    if not own and not below:
        return None
    if relation == "self":
        return own
    if relation == "supertypes":
        return [above for each in own for above in supertypes(overlay, each)]
    return below if relation == "subtypes" else descendants(overlay, text, package)


def supertypes(overlay: Overlay, entry: Entry) -> list[Entry]:
    """Return the definitions of what ENTRY inherits from directly, in its order."""
    package = designator(entry.package)
    return [each for text in _supernames(entry) for each in overlay.classes(text, package)]


def subtypes(overlay: Overlay, text: str, package: str) -> list[Entry]:
    """Return what inherits directly from the class that TEXT in a file of PACKAGE means."""
    owning = [(name, each) for name, each in overlay.named(text) if each.kind in CLASS_KINDS]
    return overlay.meant(text, package, overlay.related("super", text), owning)


def descendants(overlay: Overlay, text: str, package: str) -> list[Entry]:
    """Return what inherits, directly or not, from the class that TEXT in a file of PACKAGE means.

    The nearer first, each once; classes that inherit from each other in a circle have an answer as well.
    """
    found: dict[Entry, None] = {}
    pending = [(text, package)]
    while pending:
        below = [each for each in subtypes(overlay, *pending.pop(0)) if each not in found]
        found.update(dict.fromkeys(below))
        pending += [(each.name, designator(each.package)) for each in below]
    return list(found)


def slots(overlay: Overlay, classes: Iterable[Entry]) -> list[Entry]:
    """Return the slots of CLASSES, their own first, then those that they inherit."""
    return [slot for each in _upwards(overlay, classes) for slot in overlay.slots(each)]


def is_told(overlay: Overlay, text: str, package: str, other: str, home: str, relation: Relation) -> bool:
    """Return whether the texts tell by themselves if OTHER of HOME is in RELATION to TEXT of PACKAGE.

    They do when they define both, and all that OTHER inherits from: what the image has may be older.
    """
    own = own_package(other, home)
    found = [
        each
        for each in overlay.classes(other, home)
        if own == own_package(each.name, designator(each.package))
    ]
    if not found or not overlay.classes(text, package):
        return False
    if relation == "supertypes":
        return True
    return all(
        overlay.classes(name, designator(each.package))
        for each in _upwards(overlay, found)
        for name in _supernames(each)
    )


def _upwards(overlay: Overlay, classes: Iterable[Entry]) -> list[Entry]:
    """Return CLASSES and what they inherit from, each once, the nearer first."""
    seen: dict[Entry, None] = {}
    pending = list(classes)
    while pending:
        entry = pending.pop(0)
        if entry not in seen:
            seen[entry] = None
            pending += supertypes(overlay, entry)
    return list(seen)


def _supernames(entry: Entry) -> list[str]:
    """Return what ENTRY inherits from, as it is written."""
    return [text for relation, text in entry.related if relation == "super"]
