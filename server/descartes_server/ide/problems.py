"""What is wrong with the parentheses, strings and comments of a tile, and where it begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from descartes_server.ide.segments import Segment


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault in the text. CODE: `unclosed`, `extra-close`, `unterminated-string`, `unterminated-comment`
    or `unterminated-symbol`."""

    start: int
    end: int
    message: str
    code: str


def problems_of(segment: Segment) -> tuple[Problem, ...]:
    """Return the faults of the tile in order of their place."""
    if segment.settled and not segment.strays:
        return ()
    found = [*_strays(segment), *_unclosed(segment), *_unterminated(segment)]
    return tuple(sorted(found, key=lambda problem: problem.start))


def _strays(segment: Segment) -> Iterator[Problem]:
    for offset in segment.strays:
        yield Problem(offset, offset + 1, "This closing parenthesis closes nothing; remove it", "extra-close")


def _unclosed(segment: Segment) -> Iterator[Problem]:
    if not segment.stack or any(kind == "broken" for kind, _, _ in segment.lexemes):
        return  # with a string that does not end, counting parentheses says nothing
    culprit = _by_indentation(segment)
    if culprit is None:
        culprit = segment.stack[-1]
    missing = len(segment.stack)
    what = "1 closing parenthesis is" if missing == 1 else f"{missing} closing parentheses are"
    end = next(
        (end for kind, start, end in segment.lexemes if start > culprit and kind in ("symbol", "number")),
        culprit + 1,
    )
    if "\n" in segment.text[culprit:end]:
        end = culprit + 1
    yield Problem(culprit, end, f"This list is not closed: {what} missing before the next form", "unclosed")


def _by_indentation(segment: Segment) -> int | None:
    """Return the innermost list that is open where a line starts no further right than it does.

    Well indented text shows by this where a parenthesis was forgotten.
    """
    text = segment.text
    stack: list[tuple[int, int]] = []
    line_start = max(text.rfind("\n", 0, segment.stack[0]), text.rfind("\r", 0, segment.stack[0])) + 1
    for kind, start, _ in segment.lexemes:
        if start < segment.stack[0]:
            continue
        fresh = max(text.rfind("\n", line_start, start), text.rfind("\r", line_start, start)) + 1
        if fresh > line_start:
            line_start = fresh
            if stack and start - line_start <= stack[-1][1] and kind not in ("comment", "block", "close"):
                return stack[-1][0]
        if kind == "open":
            stack.append((start, start - line_start))
        elif kind == "close" and stack:
            stack.pop()
    return None


def _unterminated(segment: Segment) -> Iterator[Problem]:
    for kind, start, end in segment.lexemes:
        if kind != "broken":
            continue
        line_end = min(
            at for at in (segment.text.find("\n", start), segment.text.find("\r", start), end) if at >= 0
        )
        shown = max(start + 1, min(end, line_end))
        if segment.text[start] == '"':
            yield Problem(
                start, shown, "This string does not end; add its closing quote", "unterminated-string"
            )
        elif segment.text.startswith("#|", start):
            yield Problem(start, shown, "This comment does not end; add |#", "unterminated-comment")
        else:
            yield Problem(start, shown, "This symbol does not end; add its closing |", "unterminated-symbol")
