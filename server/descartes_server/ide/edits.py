"""Changes of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """TEXT in place of what stands from START to END, code points; a new name is at NAME_AT in it."""

    start: int
    end: int
    text: str
    name_at: int = 0
    certain: bool = True
    """Whether a name is known to be the one that is meant: it may be another package's."""


def applied(text: str, edits: Sequence[Edit]) -> str:
    """Return TEXT with EDITS, which stand in its order."""
    parts, at = [], 0
    for each in edits:
        parts += [text[at : each.start], each.text]
        at = each.end
    return "".join([*parts, text[at:]])


def line_end(text: str) -> str:
    """Return what ends the lines of TEXT."""
    return "\r\n" if "\r\n" in text else "\n"
