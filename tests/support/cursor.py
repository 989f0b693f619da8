"""Texts with a mark: `$0` is the cursor, `$0…$0` a range; answers are drawn under the text with carets."""

from __future__ import annotations

from collections.abc import Iterable

MARK = "$0"


def cursor(fixture: str) -> tuple[str, int]:
    """Return the text of FIXTURE without its mark, and the offset where the mark stood.

    Example: cursor("(car $0x)") -> ("(car x)", 5)
    """
    before, mark, after = fixture.partition(MARK)
    assert mark, f"no {MARK} in {fixture!r}"
    assert MARK not in after, f"more than one {MARK} in {fixture!r}"
    return before + after, len(before)


def selection(fixture: str) -> tuple[str, int, int]:
    """Return the text of FIXTURE without its two marks, and start and end of what stood between them."""
    before, inside, after = fixture.split(MARK)
    return before + inside + after, len(before), len(before) + len(inside)


def carets(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    """Return TEXT with a line `^^^ label` under the first line of each span (start, end, label).

    Spans that share a line stand below each other in the order given.
    """
    marks: dict[int, list[str]] = {}
    for start, end, label in spans:
        line = text.count("\n", 0, start)
        column = start - (text.rfind("\n", 0, start) + 1)
        line_end = text.find("\n", start)
        shown = min(end, line_end if line_end >= 0 else len(text))
        marks.setdefault(line, []).append(f"{' ' * column}{'^' * max(1, shown - start)} {label}".rstrip())
    drawn: list[str] = []
    for number, line_text in enumerate(text.split("\n")):
        drawn.append(line_text)
        drawn.extend(marks.get(number, ()))
    return "\n".join(drawn)
