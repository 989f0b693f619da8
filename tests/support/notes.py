"""Notes made with few words."""

from __future__ import annotations

import msgspec

from descartes_core.memory.shapes import Thought
from descartes_core.memory.thoughts import NewThought, Thoughts


def make(notes: Thoughts, title: str, body: str = "", **fields: object) -> Thought:
    return notes.create(msgspec.convert({"title": title, "body": body, **fields}, NewThought))


def titles(found: object) -> list[str]:
    return [each.title for each in found]  # type: ignore[attr-defined]
