"""`Memory`: everything that is remembered for the runs of a workspace, as one thing to hand around."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from descartes_core.memory.notebook import Author, Notebook
from descartes_core.memory.thoughts import Thoughts
from descartes_core.memory.whiteboard import Whiteboard
from descartes_core.memory.wisdom import TOLD, Relevant, WisdomBook
from descartes_core.store import Store


@dataclass(frozen=True)
class Consulting:
    """Whether runs are told what earlier work taught, and how far that must be trusted."""

    tells: bool = True
    min_confidence: float = 0.6


class Memory:
    """The notes, boards and wisdom of one workspace; CONSULTING is asked whenever a run begins."""

    def __init__(
        self, store: Store, thoughts: Thoughts, consulting: Callable[[], Consulting] = Consulting
    ) -> None:
        self.notebook = Notebook(store, thoughts)
        self.board = Whiteboard(store)
        self.wisdom = WisdomBook(store)
        self._consulting = consulting

    async def advice(self, task: str) -> Sequence[Relevant]:
        """Return the wisdom that a run with TASK is told before it begins."""
        how = self._consulting()
        if not how.tells:
            return []
        return await self.wisdom.relevant(task, min_confidence=how.min_confidence, limit=TOLD)


@dataclass(frozen=True)
class RunMemory:
    """The memory as one run uses it, in its name and on the board of its session."""

    memory: Memory
    author: Author
    session: str


def advice_text(advice: Sequence[Relevant]) -> str:
    """Return ADVICE as a model reads it."""
    lines = [f"- {each.wisdom.insight} ({_short(each)})" for each in advice]
    head = "What earlier work here taught, with how far it has proved true (0 to 1):"
    return "\n".join([head, *lines, "If one of these helped, or did not, say so with wisdom_outcome."])


def advice_data(advice: Sequence[Relevant]) -> dict[str, Any]:
    """Return ADVICE as the log has it."""
    return {
        "wisdom": [
            {"id": each.wisdom.id, "confidence": each.wisdom.confidence, "alike": round(each.alike, 3)}
            for each in advice
        ]
    }


def _short(each: Relevant) -> str:
    return f"{each.wisdom.confidence:.2f}, wisdom {each.wisdom.id[4:12]}"
