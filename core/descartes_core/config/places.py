"""Where things stand in a TOML text, also in one that is not finished yet.

Reading values is the work of `tomllib`; this finds tables, keys and values by their offsets, so that a
problem, a hover, a completion or a renamed key has its exact place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

DEEPEST = 64
"""Values nested deeper than this are not looked into."""

Path = tuple[str | int, ...]
Span = tuple[int, int]

_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*'""")
_BLANK = re.compile(r"[ \t]*")
_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_ATOM = re.compile(r"[^\s,\]}#]+")
_STRINGS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r'"""(?:\\.|[^\\])*?(?:"{3,5}|\Z)',
        r"'''.*?(?:'{3,5}|\Z)",
        r'"(?:\\.|[^"\\\n])*"?',
        r"'[^'\n]*'?",
    )
)


@dataclass(frozen=True)
class Entry:
    """A table's header or a key with its value, at PATH; an element of an array has a number there.

    WORDS are the places of the last names of PATH, those that are written here. VALUE is empty for a header.
    """

    path: Path
    words: tuple[Span, ...]
    value: Span
    is_table: bool

    @property
    def key(self) -> Span:
        """Return the place of the whole key or header name."""
        return self.words[0][0], self.words[-1][1]

    @property
    def names(self) -> Mapping[int, Span]:
        """Return the place of each name of PATH that is written here, by its index in PATH."""
        named = [at for at, each in enumerate(self.path) if isinstance(each, str)]
        return dict(zip(named[-len(self.words) :], self.words, strict=True))


def scan(text: str) -> list[Entry]:
    """Return the entries of TEXT in order; what is no TOML is passed over, line by line."""
    return list(_Scanner(text).document())


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Return line and column, 1-based, of OFFSET in TEXT."""
    before = text.count("\n", 0, offset)
    return before + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counts: dict[Path, int] = {}

    def document(self) -> Iterator[Entry]:
        table: Path = ()
        while self._skip(_SPACE) < len(self._text):
            if self._text[self._at] == "[":
                entry = self._header()
                if entry is not None:
                    table = entry.path
                    yield entry
            else:
                yield from self._pair(table)
            self._to_end_of_line()

    def _header(self) -> Entry | None:
        array = self._text.startswith("[[", self._at)
        self._at += 2 if array else 1
        found = self._names()
        if not found:
            return None
        path = self._within_arrays(tuple(name for name, _ in found))
        if array:
            number = self._counts.get(path, -1) + 1
            self._counts[path] = number
            path = (*path, number)
        return Entry(path, tuple(span for _, span in found), (self._at, self._at), is_table=True)

    def _within_arrays(self, path: Path) -> Path:
        """Return PATH, written in a header, with the number of the last element where it goes into one."""
        full: Path = ()
        for name in path[:-1]:
            full = (*full, name)
            if full in self._counts:
                full = (*full, self._counts[full])
        return (*full, path[-1])

    def _pair(self, table: Path) -> Iterator[Entry]:
        found = self._names()
        if not found or not self._take("="):
            if found:
                yield self._entry(table, found, (self._at, self._at))
            return
        path = (*table, *(name for name, _ in found))
        start = self._skip(_BLANK)
        inner = list(self._value(path))
        yield self._entry(table, found, (start, self._at))
        yield from inner

    def _entry(self, table: Path, found: list[tuple[str, Span]], value: Span) -> Entry:
        path = (*table, *(name for name, _ in found))
        return Entry(path, tuple(span for _, span in found), value, is_table=False)

    def _value(self, path: Path) -> Iterator[Entry]:
        """Pass over a value; yields what is inside inline tables."""
        opening = self._text[self._at : self._at + 1]
        if opening in ("{", "[") and len(path) < DEEPEST:
            yield from self._several(path, "}" if opening == "{" else "]")
        elif opening in ('"', "'"):
            self._string()
        else:
            self._skip(_ATOM)

    def _several(self, path: Path, closing: str) -> Iterator[Entry]:
        """Pass over an array or inline table; one that is not closed ends behind its last whole element."""
        self._at += 1
        number = 0
        while True:
            before = self._at
            if self._skip(_SPACE) == len(self._text) or self._text[self._at] == closing:
                self._take(closing)
                return
            yield from self._pair(path) if closing == "}" else self._value((*path, number))
            end = self._at
            self._skip(_SPACE)
            if not self._take(","):
                if not self._take(closing):
                    self._at = end
                return
            if self._at == before:
                return
            number += 1

    def _string(self) -> None:
        for pattern in _STRINGS:
            if found := pattern.match(self._text, self._at):
                self._at = found.end()
                return

    def _names(self) -> list[tuple[str, Span]]:
        found: list[tuple[str, Span]] = []
        self._skip(_BLANK)
        while word := _KEY.match(self._text, self._at):
            self._at = word.end()
            found.append((_unquoted(word[0]), word.span()))
            self._skip(_BLANK)
            if not self._take("."):
                break
            self._skip(_BLANK)
        return found

    def _skip(self, pattern: re.Pattern[str]) -> int:
        if found := pattern.match(self._text, self._at):
            self._at = found.end()
        return self._at

    def _take(self, sign: str) -> bool:
        self._skip(_BLANK)
        if self._text.startswith(sign, self._at):
            self._at += 1
            return True
        return False

    def _to_end_of_line(self) -> None:
        end = self._text.find("\n", self._at)
        self._at = len(self._text) if end < 0 else end + 1


def _unquoted(word: str) -> str:
    return word[1:-1] if word[:1] in "\"'" else word
