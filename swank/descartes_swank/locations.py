"""Places in source files: from what Swank says to exact code points.

Swank counts in three ways. Definitions are 1-based and frames 0-based, both in bytes of the file, because
Swank reads files as latin-1 unless they carry a `-*- coding: … -*-` cookie (then in characters; the snippet
is decoded the same wrong way). Compiler notes are 1-based characters. All of that ends here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from .forms import Symbol, Value
from .paths import SAME, Paths


@dataclass(frozen=True, slots=True)
class Location:
    """A place in FILE; OFFSET counts code points from 0. What is not known is None."""

    file: str | None
    offset: int | None
    snippet: str | None = None


@dataclass(frozen=True, slots=True)
class Counting:
    """How a `:position` is to be read: the number of the first unit, and whether units are bytes."""

    base: int
    in_bytes: bool


DEFINITION: Final = Counting(1, in_bytes=True)
FRAME: Final = Counting(0, in_bytes=True)
NOTE: Final = Counting(1, in_bytes=False)

_COOKIE = re.compile(rb"-\*-.*?coding:\s*([\w-]+).*?-\*-")


@dataclass(frozen=True, slots=True)
class Place:
    """A location as Swank gave it. POSITION is 0-based, in bytes or (IN_BYTES false) in characters."""

    file: str
    position: int
    in_bytes: bool
    snippet: str | None


def place(form: Value, counting: Counting) -> Place | None:
    """Return the place that FORM, `(:location BUFFER POSITION HINTS)` of Swank's, names, or None.

    Example: `(:location (:buffer "a.lisp") (:offset 11 4) nil)` -> Place("a.lisp", 14, False, None)
    """
    if not isinstance(form, list) or len(form) < 3 or form[0] != ":location":
        return None
    parts = {
        str(part[0]): part[1:]
        for part in form[1:]
        if isinstance(part, list) and part and isinstance(part[0], Symbol)
    }
    snippet = _string(parts.get(":snippet"))
    match parts:
        case {":file": [str(file), *_], ":position": [int(position), *_]}:
            return Place(file, max(0, position - counting.base), counting.in_bytes, snippet)
        case {":buffer": [str(file), *_], ":offset": [int(start), int(offset), *_]}:
            return Place(file, max(0, start - 1 + offset), False, snippet)
        case {":buffer-and-file": [_, str(file), *_], ":offset": [int(start), int(offset), *_]}:
            return Place(file, max(0, start - 1 + offset), False, snippet)
        case _:
            return None


def _string(value: Value) -> str | None:
    return value[0] if isinstance(value, list) and value and isinstance(value[0], str) else None


@dataclass(frozen=True, slots=True)
class SourceText:
    """The content of a file: its bytes, their text as UTF-8, and whether Swank counts its characters."""

    data: bytes
    text: str
    decoded_by_swank: bool

    @classmethod
    def of(cls, data: bytes) -> SourceText:
        first_lines = b"\n".join(data.split(b"\n", 2)[:2])
        return cls(data, data.decode("utf-8", "replace"), _COOKIE.search(first_lines) is not None)


class SourceFiles:
    """The files that places lie in, each read once until it changes on disk; PATHS finds them here."""

    def __init__(self, paths: Paths = SAME) -> None:
        self.paths = paths
        self._known: dict[str, tuple[tuple[int, int], SourceText]] = {}

    def read(self, file: str) -> SourceText | None:
        """Return the text of FILE; None when it cannot be read. Blocks; call it in a thread."""
        try:
            status = Path(file).stat()
            stamp = (status.st_mtime_ns, status.st_size)
            known = self._known.get(file)
            if known is None or known[0] != stamp:
                known = (stamp, SourceText.of(Path(file).read_bytes()))
                self._known[file] = known
        except (OSError, ValueError):
            return None
        return known[1]

    def here(self, found: Place | None) -> Place | None:
        """Return FOUND, a place as the image calls it, in its file here; None when that is not here."""
        file = None if found is None else self.paths.here(found.file)
        return None if found is None or file is None else replace(found, file=file)

    def locate(self, there: Place) -> Location:
        """Return THERE, a place of the image's, with its exact offset here. Blocks.

        It is as Swank gave it when the file cannot be read here.
        """
        found = self.here(there)
        if found is None:
            return Location(None, None, there.snippet)
        source = self.read(found.file)
        if source is None:
            return Location(found.file, None if found.in_bytes else found.position, found.snippet)
        return exact(found, source)

    def locate_all(self, found: Iterable[Place | None]) -> list[Location | None]:
        """Return `locate` of each of FOUND. Blocks."""
        return [None if place is None else self.locate(place) for place in found]


def exact(found: Place, source: SourceText) -> Location:
    """Return where FOUND lies in SOURCE, the file as it is now.

    The snippet decides: when the file was edited since the Lisp read it, the nearest place with the longest
    beginning of the snippet is taken.
    """
    snippet = _redecoded(found, source)
    offset = _counted(found, source)
    if snippet is not None:
        offset = _nearest(source.text, snippet, offset)
    return Location(found.file, min(offset, len(source.text)), snippet)


def _counted(found: Place, source: SourceText) -> int:
    if not found.in_bytes or source.decoded_by_swank:
        return found.position
    return len(source.data[: found.position].decode("utf-8", "replace"))


def _redecoded(found: Place, source: SourceText) -> str | None:
    if found.snippet is None or not found.in_bytes or source.decoded_by_swank:
        return found.snippet
    try:
        # The cut may lie inside a character, whose first bytes are dropped.
        return found.snippet.encode("latin-1").decode("utf-8", "ignore")
    except UnicodeEncodeError:
        return found.snippet


def _nearest(text: str, snippet: str, offset: int) -> int:
    for beginning in _beginnings(snippet):
        if text.startswith(beginning, offset):
            return offset
        before = text.rfind(beginning, 0, offset + len(beginning))
        after = text.find(beginning, offset)
        found = [place for place in (before, after) if place >= 0]
        if found:
            return min(found, key=lambda place: abs(place - offset))
    return offset


def _beginnings(snippet: str) -> Iterable[str]:
    """Yield beginnings of SNIPPET, longest first, while they are long enough to tell places apart."""
    length = len(snippet)
    while length >= min(8, len(snippet)) and length > 0:
        yield snippet[:length]
        length = length * 2 // 3
