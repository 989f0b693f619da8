"""What our pictures have in common: their font, and words that fit."""

from __future__ import annotations

FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
LETTER = 6.9
"""Pixels of one character of the font at its usual size, about."""


def cut(text: str, room: int) -> str:
    """Return TEXT in at most ROOM characters."""
    return text if len(text) <= room else f"{text[: max(room - 1, 1)]}…"


def counted(count: int, what: str) -> str:
    """Return COUNT of WHAT in words: `1 sample`, `2,000 samples`."""
    return f"{count} {what}" if count == 1 else f"{count:,} {what}s"
