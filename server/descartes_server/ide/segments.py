"""A text cut into tiles, one for each top-level form with what stands before it; tiles outlive keystrokes.

A form that does not close ends before the next definition in column 0, so it never takes what follows
with it. Everything later analysis finds is kept at the tile, with offsets relative to its start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from descartes_server.ide.lexer import Lexeme, is_definer, lexemes

PATIENCE = 8
"""Forms that may run to the end of the text unclosed before every parenthesis in column 0 ends a form."""


@dataclass(eq=False, slots=True)
class Segment:
    """One tile: TEXT is its whole text, ROOT the span of its form or None, offsets count from its start."""

    text: str
    lexemes: list[Lexeme]
    root: tuple[int, int] | None
    prefix_start: int
    """Where the form starts with its prefixes (`'`, `#+sbcl`); equal to the root's start without them."""
    stack: tuple[int, ...]
    """Parentheses still open at the end, outermost first; empty for a closed form."""
    strays: tuple[int, ...]
    """Closing parentheses that close nothing."""
    settled: bool
    """Invariant: the extent of a settled tile depends on its own text only."""
    failures: int
    """How many forms before this one ran to the end of the text."""
    ran_out: bool
    """Whether the form was read to the end of the text without closing."""
    memory: dict[Any, Any] = field(default_factory=dict)
    """What analyses remember about this tile, by their own keys."""


def divide(text: str, previous: Sequence[Segment] = ()) -> tuple[Segment, ...]:
    """Return the tiles of TEXT; those of PREVIOUS whose text did not change are the same objects.

    Invariant: the tiles' texts joined are TEXT, and equal to those found without PREVIOUS, only faster.
    """
    kept, position = _unchanged_head(text, previous)
    tail = _unchanged_tail(text, previous, position)
    known = {segment.text: segment for segment in previous[len(kept) :] if segment.settled}
    failures = _failures_after(kept)
    while position < len(text):
        index = tail.get(position)
        if index is not None and previous[index].failures == failures:
            kept.extend(previous[index:])
            break
        segment = _Tile(text, position, failures).cut()
        old = known.get(segment.text)
        if old is not None and segment.settled and old.failures == failures:
            segment = old
        kept.append(segment)
        position += len(segment.text)
        failures = _failures_after(kept)
    return tuple(kept)


def _failures_after(segments: Sequence[Segment]) -> int:
    if not segments:
        return 0
    last = segments[-1]
    return min(PATIENCE, last.failures + last.ran_out)


def _unchanged_head(text: str, previous: Sequence[Segment]) -> tuple[list[Segment], int]:
    kept: list[Segment] = []
    position = 0
    for segment in previous:
        if not segment.settled or not text.startswith(segment.text, position):
            break
        kept.append(segment)
        position += len(segment.text)
    return kept, position


def _unchanged_tail(text: str, previous: Sequence[Segment], floor: int) -> dict[int, int]:
    """Map the offset in TEXT of every old tile in the unchanged end of the text to the tile's index."""
    tail: dict[int, int] = {}
    end = len(text)
    for index in range(len(previous) - 1, -1, -1):
        old = previous[index].text
        if end - len(old) < floor or not text.endswith(old, floor, end) or (not index and old[:2] == "#!"):
            break
        end -= len(old)
        tail[end] = index
    return tail


class _Tile:
    """The reading of one tile from START; every offset is absolute until `_finished`."""

    def __init__(self, text: str, start: int, failures: int) -> None:
        self.text, self.start, self.failures = text, start, failures
        self.eager = failures >= PATIENCE
        self.found: list[Lexeme] = []
        self.stack: list[int] = []
        self.strays: list[int] = []
        self.restart: tuple[int, int, int] | None = None  # offset, lexemes and depth at the first one
        self.broken = False
        self.prefix_start: int | None = None
        self.awaited = 0  # data that feature prefixes at top level still take

    def cut(self) -> Segment:
        for lexeme in lexemes(self.text, self.start):
            kind, begin, end = lexeme
            if kind == "open":
                if self.stack and self._restarts(begin):
                    return self._finished(begin, None)
                if not self.stack and self.prefix_start is None:
                    self.prefix_start = begin
                self.stack.append(begin)
                self.found.append(lexeme)
            elif kind == "close":
                self.found.append(lexeme)
                root = self._close(begin, end)
                if root is not None:
                    return self._finished(end, root)
            else:
                self.found.append(lexeme)
                if kind == "broken":
                    self.broken = True
                if not self.stack and kind not in ("comment", "block"):
                    self._top_level_word(lexeme)
        return self._at_end_of_text()

    def _restarts(self, begin: int) -> bool:
        if begin == 0 or self.text[begin - 1] not in "\r\n":
            return False
        if self.restart is None:
            self.restart = begin, len(self.found), len(self.stack)
        if self.eager or self.found[-1][0] == "broken":
            return True
        return is_definer(self.text, begin) and self._inside_definition()

    def _inside_definition(self) -> bool:
        """Nothing in column 0 starts a definition inside another, unless it is quoted (a macro's
        expansion) or stands directly in a form such as `eval-when` or `progn`."""
        if any(self.text[opened - 1] in "'`" for opened in self.stack if opened):
            return False
        root = self.stack[0]
        return len(self.stack) > 2 or self.text[root : root + 4].lower() == "(def"

    def _close(self, begin: int, end: int) -> tuple[int, int] | None:
        if not self.stack:
            self.strays.append(begin)
            return None
        opened = self.stack.pop()
        if self.stack:
            return None
        if self.awaited:
            self.awaited -= 1
            return None
        return opened, end

    def _top_level_word(self, lexeme: Lexeme) -> None:
        kind, begin, end = lexeme
        if kind == "prefix":
            if self.prefix_start is None:
                self.prefix_start = begin
            self.awaited += self.text[end - 1] in "+-"
        elif self.awaited:
            self.awaited -= 1
        else:
            self.prefix_start = None

    def _at_end_of_text(self) -> Segment:
        if self.stack and self.restart is not None:
            offset, count, depth = self.restart
            del self.found[count:]
            self.stack = self._open_at(depth)
            return self._finished(offset, None, ran_out=True)
        return self._finished(len(self.text), None, ran_out=bool(self.stack))

    def _open_at(self, depth: int) -> list[int]:
        """Return the parentheses that were open after the lexemes kept, DEPTH of them."""
        stack: list[int] = []
        for kind, begin, _ in self.found:
            if kind == "open":
                stack.append(begin)
            elif kind == "close" and stack:
                stack.pop()
        return stack[-depth:]

    def _shebang(self) -> bool:
        """A first line `#!…` is a comment at the start of the text only."""
        return self.start == 0 and self.text.startswith("#!")

    def _finished(self, end: int, root: tuple[int, int] | None, ran_out: bool = False) -> Segment:
        base = self.start
        if root is None and self.stack:
            root = self.stack[0], end
        prefix = root[0] if root and self.prefix_start is None else self.prefix_start
        return Segment(
            text=self.text[base:end],
            lexemes=[(kind, s - base, e - base) for kind, s, e in self.found] if base else self.found,
            root=(root[0] - base, root[1] - base) if root else None,
            prefix_start=(prefix or base) - base,
            stack=tuple(offset - base for offset in self.stack),
            strays=tuple(offset - base for offset in self.strays),
            settled=root is not None and not self.stack and not self.broken and not self._shebang(),
            failures=self.failures,
            ran_out=ran_out,
        )
