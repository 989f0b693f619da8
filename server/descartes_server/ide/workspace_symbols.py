"""Definitions of a whole workspace that a query fits, best first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from descartes_server.ide.fitting import Typed
from descartes_server.ide.index import Entry, WorkspaceIndex, definitions_of_text, package_name
from descartes_server.ide.roles import base_name, symbol_of
from descartes_server.ide.syntax import Syntax

LIMIT = 300
_QUALIFIED = re.compile(r"(?P<package>(?:\|[^|]*\||[^|:])*)::?(?P<name>.*)", re.DOTALL)
_SAME_PACKAGE = {"CL-USER": "COMMON-LISP-USER", "CL": "COMMON-LISP"}


_Entries = tuple[str, Iterable[Entry]]
"""The place of definitions, empty where each has its own path, and the definitions."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: NAME as it is typed, in PACKAGE, in upper case; None for all packages."""

    name: str
    package: str | None = None
    prefix: str = ""
    """The package as it is typed, with its colons: editors compare what is typed with what they show."""
    container: str = ""
    """A part of the name of what it is in, in lower case."""


@dataclass(frozen=True, slots=True)
class Found:
    """A definition in the text PLACE: the path of a file, or what the caller calls an open text."""

    place: str
    entry: Entry

    @property
    def container(self) -> str:
        """Return the class or structure of a slot, the package of everything else."""
        slot = self.entry.kind == "slot" and self.entry.container
        return slot or _package_of(self.entry)


def query(text: str) -> Query:
    """Return what TEXT asks for; `package:`, one colon or two, may stand before the name.

    A second word is part of the package's or class's name, as VS Code understands it too.
    Example: query("Alexandria::flat") -> Query("flat", "ALEXANDRIA", "Alexandria::")
    """
    text, container = text.strip().removeprefix("#'").removeprefix("#:"), ""
    if text.startswith("("):
        text = symbol_of(text)
    elif "|" not in text:
        text, _, container = text.partition(" ")
    container = container.strip().lower()
    match = _QUALIFIED.fullmatch(text)
    if match is None:
        return Query(text, container=container)
    if not match["package"]:
        return Query(match["name"], container=container)
    package = _comparable(package_name(match["package"]))
    return Query(match["name"], package, text[: match.start("name")], container)


def find(wanted: Query, index: WorkspaceIndex, opened: Mapping[str, Syntax]) -> list[Found]:
    """Return what WANTED fits, best first and slots after equals, at most `LIMIT`; without a name the
    definitions as they come, those of OPENED first.

    OPENED are the texts that count in place of what INDEX knows of those files, by path or by any name.
    Concurrency: touches nothing shared but the index; tens of milliseconds for a large one, so for a thread.
    """
    texts: list[_Entries] = [(place, definitions_of_text(syntax)) for place, syntax in opened.items()]
    answer: list[Found] = []
    for group in _best_first(texts, index, wanted.name):
        fitting = (each for each in _found(group, opened) if _is_in(each, wanted))
        if wanted.name:
            answer += sorted(fitting, key=_order)
        else:
            answer += _slots_last(fitting)
        if len(answer) >= LIMIT:
            break
    return answer[:LIMIT]


def _best_first(texts: list[_Entries], index: WorkspaceIndex, name: str) -> Iterator[list[_Entries]]:
    """Yield the definitions that fit NAME, those that fit equally well together."""
    if not name:
        yield [*texts, ("", index.entries())]
        return
    typed = Typed(name)
    groups: defaultdict[float, list[_Entries]] = defaultdict(list)
    for place, entries in texts:
        for entry in entries:
            groups[typed.fit(base_name(symbol_of(entry.name)))].append((place, (entry,)))
    for score, entries in index.fitting(typed):
        groups[score].append(("", entries))
    groups.pop(0.0, None)
    yield from (groups[score] for score in sorted(groups, reverse=True))


def _found(group: list[_Entries], opened: Mapping[str, Syntax]) -> Iterator[Found]:
    for place, entries in group:
        for entry in entries:
            if place or entry.path not in opened:
                yield Found(place or entry.path, entry)


def _slots_last(found: Iterable[Found]) -> list[Found]:
    first: list[Found] = []
    slots: list[Found] = []
    for each in found:
        kept = slots if each.entry.kind == "slot" else first
        if len(kept) < LIMIT:
            kept.append(each)
        if len(first) == LIMIT:
            break
    return first + slots


def _order(found: Found) -> tuple[bool, str, str, int]:
    return found.entry.kind == "slot", found.entry.name.lower(), found.place, found.entry.start


def _is_in(found: Found, wanted: Query) -> bool:
    if wanted.container and wanted.container not in found.container.lower():
        return False
    return wanted.package is None or _comparable(_package_of(found.entry)) == wanted.package


def _package_of(entry: Entry) -> str:
    """A name that is defined with a package before it is that one's, wherever it stands."""
    match = _QUALIFIED.fullmatch(symbol_of(entry.name)) if ":" in entry.name else None
    return package_name(match["package"]) if match and match["package"] else entry.package


@lru_cache(maxsize=1024)
def _comparable(package: str) -> str:
    package = package.upper()
    return _SAME_PACKAGE.get(package, package)
