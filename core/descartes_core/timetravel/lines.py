"""Lines and where they came from, carried from one version of a text to the next. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import TypeVar

T = TypeVar("T")

Histories = list[tuple[T, ...]]
"""For every line what changed it, the newest first."""


def split(text: str) -> list[str]:
    """Return the lines of TEXT as editors count them: a text that ends in a newline has an empty last one."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def carry(before: Sequence[str], histories: Histories[T], after: Sequence[str], change: T) -> Histories[T]:
    """Return the histories of the lines AFTER, whose BEFORE had HISTORIES; what is new came by CHANGE.

    A line that replaces another keeps the other's history behind its own.
    Example: carry(["a", "b"], [("x",), ("x",)], ["n", "a", "c"], "y") -> [("y",), ("x",), ("y", "x")]
    """
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    kept = histories[start : len(histories) - end]
    middle: Histories[T] = []
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            middle += kept[i1:i2]
        elif kind in ("replace", "insert"):
            above = kept[i1:i2] if kind == "replace" else []
            middle += [(change, *(above[min(j, len(above) - 1)] if above else ())) for j in range(j2 - j1)]
    return [*histories[:start], *middle, *(histories[len(histories) - end :] if end else [])]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many items ONE and OTHER begin with in common."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
