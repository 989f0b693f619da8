"""What an editor may fold: lists over several lines, blocks of comment lines, `#| |#`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import Syntax
from descartes_server.ide.text import LineIndex

FoldKind = Literal["region", "comment"]


@dataclass(frozen=True, slots=True)
class Fold:
    """A stretch of lines, 0-based, both shown when folded or not: the last one ends the fold."""

    start_line: int
    end_line: int
    kind: FoldKind


def folding_ranges(syntax: Syntax) -> tuple[Fold, ...]:
    """Return the folds in order; at most one, the widest, starts on a line."""
    folds: list[Fold] = []
    line, used = 0, -1
    for segment in syntax.segments:
        if "folds" not in segment.memory:
            index = LineIndex(segment.text)
            segment.memory["folds"] = tuple(_folds(segment, index)), index.line_count - 1
        relative, lines = segment.memory["folds"]
        kept = segment.memory.get("folds at")
        if kept is None or kept[0] != line:
            found = [Fold(line + start, line + end, kind) for start, end, kind in relative]
            kept = segment.memory["folds at"] = line, found
        shared = bool(kept[1]) and kept[1][0].start_line <= used
        folds.extend(kept[1][shared:])
        used = folds[-1].start_line if folds else used
        line += lines
    return tuple(folds)


def _folds(segment: Segment, lines: LineIndex) -> Iterator[tuple[int, int, FoldKind]]:
    spans = sorted(
        [*_lists(segment, lines), *_comments(segment, lines)], key=lambda span: (span[0], -span[1])
    )
    last = -1
    for span in spans:
        if span[0] > last:
            last = span[0]
            yield span


def _lists(segment: Segment, lines: LineIndex) -> Iterator[tuple[int, int, FoldKind]]:
    open_lines: list[int] = []
    cursor, starts = 0, lines.starts
    end_of_code = 0
    for kind, start, _ in segment.lexemes:
        while cursor + 1 < len(starts) and starts[cursor + 1] <= start:
            cursor += 1
        if kind not in ("comment", "block"):
            end_of_code = cursor
        if kind == "open":
            open_lines.append(cursor)
        elif kind == "close" and open_lines and (first := open_lines.pop()) < cursor:
            yield first, cursor, "region"
    for first in open_lines:
        if first < end_of_code:
            yield first, end_of_code, "region"


def _comments(segment: Segment, lines: LineIndex) -> Iterator[tuple[int, int, FoldKind]]:
    first = last = -2
    for kind, start, end in segment.lexemes:
        if kind == "block":
            opened, closed = lines.position(start)[0], lines.position(end)[0]
            if closed > opened:
                yield opened, closed, "comment"
        if kind != "comment":
            continue
        line, column = lines.position(start)
        if segment.text[start - column : start].strip():
            continue
        if line != last + 1:
            if last > first:
                yield first, last, "comment"
            first = line
        last = line
    if last > first:
        yield first, last, "comment"
