"""Thoughts and decisions of a run as folds: in order, with what each followed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from descartes_core.model import Event, Principal, Shape


class Thought(Shape, frozen=True, kw_only=True):
    """Something an agent thought. PARENT is the id of the thought that it follows from."""

    id: str
    content: str
    type: str
    seq: int
    at: str
    event: str
    parent: str | None = None
    tags: list[str] = []
    metadata: dict[str, Any] = {}


class Decision(Shape, frozen=True, kw_only=True):
    """A choice that was made or is still open (OUTCOME None). CHILDREN are the decisions it led to."""

    id: str
    type: str
    question: str
    seq: int
    at: str
    event: str
    options: list[str] = []
    outcome: str | None = None
    reason: str | None = None
    by: Principal | None = None
    parent: str | None = None
    tags: list[str] = []
    metadata: dict[str, Any] = {}
    children: list[Decision] = []


class Lineage:
    """For every event the nearest one of a kind that it follows from, by the chain of causes."""

    def __init__(self) -> None:
        self._nearest: dict[str, str | None] = {}

    def above(self, event: Event) -> str | None:
        """Return the id that was noted nearest above EVENT."""
        return self._nearest.get(event.parent) if event.parent is not None else None

    def note(self, event: Event, id_: str | None = None) -> None:
        """Take EVENT into the chain, as ID_ when it is of the kind itself."""
        self._nearest[event.id] = id_ or self.above(event)

    def copy(self) -> Lineage:
        """Return the same chain, which goes on apart from this one."""
        other = Lineage()
        other._nearest = {**self._nearest}
        return other


def thought_of(event: Event, above: str | None) -> Thought:
    """Return the thought in EVENT; ABOVE is its parent unless the event names one."""
    data = event.data
    return Thought(
        id=data.get("thoughtId") or event.id,
        content=data["content"],
        type=data.get("thoughtType", "general"),
        seq=event.seq,
        at=event.at,
        event=event.id,
        parent=data.get("parentThoughtId") or above,
        tags=event.tags,
        metadata=event.metadata,
    )


def decision_of(event: Event, above: str | None) -> Decision:
    """Return the decision that EVENT tells of or asks for; ABOVE is its parent unless the event names one."""
    data = event.data
    asked = event.name == "intervention.opened"
    return Decision(
        id=data["id"] if asked else data.get("decisionId") or event.id,
        type=data["kind"] if asked else data.get("decisionType") or event.name,
        question=data["title"] if asked else _text(data.get("context") or data.get("title")),
        seq=event.seq,
        at=event.at,
        event=event.id,
        options=[choice["id"] for choice in data["choices"]] if asked else [*data.get("alternatives", ())],
        outcome=None if asked else _text(data.get("outcome")) or None,
        reason=data.get("reason"),
        by=None if asked else event.actor,
        parent=data.get("parentDecisionId") or above,
        tags=event.tags,
        metadata=event.metadata,
    )


def tree(decisions: Mapping[str, Decision]) -> list[Decision]:
    """Return the roots of DECISIONS with all children filled, siblings by seq.

    A decision whose parent is not there, or comes after it, is a root.
    """
    below: dict[str | None, list[Decision]] = {}
    for each in sorted(decisions.values(), key=lambda each: each.seq):
        above = decisions.get(each.parent) if each.parent is not None else None
        below.setdefault(above.id if above and above.seq < each.seq else None, []).append(each)
    filled: dict[str, Decision] = {}
    # Children come after their parents in the log, so from the end on they are complete before they are used.
    for each in sorted(decisions.values(), key=lambda each: each.seq, reverse=True):
        children = [filled[child.id] for child in below.get(each.id, ())]
        filled[each.id] = msgspec.structs.replace(each, children=children)
    return [filled[each.id] for each in below.get(None, ())]


def orphans(parents: Mapping[str, str | None]) -> Sequence[str]:
    """Return the ids in PARENTS (id → parent) whose parent is none of them."""
    return [id_ for id_, parent in parents.items() if parent is not None and parent not in parents]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
