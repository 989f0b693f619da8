"""The shapes of what is remembered, as every door shows them."""

from __future__ import annotations

from typing import Literal

from descartes_core.model import Principal, Shape

ThoughtKind = Literal["research", "plans"]
KINDS: tuple[ThoughtKind, ...] = ("research", "plans")
EntryType = Literal["task_description", "code_snippet", "design_decision", "error_report", "solution"]
Marker = Literal["important", "question", "verification", "correction", "insight"]


class Thought(Shape, frozen=True, kw_only=True):
    """A note: a Markdown file in the person's folder of thoughts. CONTENT is what stands below its head."""

    id: str
    title: str
    content: str | None = None
    tags: list[str] = []
    created_at: str
    updated_at: str
    agent_id: str | None = None
    session_id: str | None = None
    kind: ThoughtKind
    path: str
    uri: str
    archived: bool = False
    excerpt: str | None = None
    """Where a search found its words, else the beginning of the text."""
    problem: str | None = None
    """What is wrong with the file, for a person to repair."""


class Annotation(Shape, frozen=True, kw_only=True):
    """What somebody wrote beside an entry of a whiteboard."""

    text: str
    marker: Marker
    by: Principal
    at: str
    event: str


class WhiteboardEntry(Shape, frozen=True, kw_only=True):
    """Something posted on the whiteboard of a session; ID is the event that posted it."""

    id: str
    session: str
    type: EntryType
    content: str
    by: Principal
    at: str
    agent_id: str | None = None
    run: str | None = None
    annotations: list[Annotation] = []


class Wisdom(Shape, frozen=True, kw_only=True):
    """Something learned by working, with how far it is trusted. ID is the event that added it.

    CONFIDENCE is the mean of a beta distribution: (2 × INITIAL + the sum of outcomes) / (2 + OUTCOMES),
    where an outcome is 1 when the advice helped, 0 when it did not, and in between when it helped in part.
    """

    id: str
    insight: str
    category: str
    tags: list[str] = []
    confidence: float
    initial: float
    outcomes: int = 0
    by: Principal
    at: str
    last_outcome_at: str | None = None
    run: str | None = None
