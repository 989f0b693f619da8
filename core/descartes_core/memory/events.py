"""The data of the events of what is remembered. How to add others: `store/schemas`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from descartes_core.memory.shapes import EntryType, Marker, ThoughtKind
from descartes_core.model import Shape
from descartes_core.store.schemas import Data, register


class Remembering(Data, frozen=True, kw_only=True):
    """What an action of a run puts into its memory: a value under a key."""

    memory_key: str | None = msgspec.field(name="memory_key", default=None)
    memory_value: str | None = msgspec.field(name="memory_value", default=None)


class NoteChanged(Remembering, frozen=True, kw_only=True):
    """A note was written, edited, archived or taken out of the archive; its text is not in the log."""

    id: str
    title: str
    kind: ThoughtKind
    path: str
    tags: list[str]
    archived: bool
    bytes: int
    """The size of its text."""


class NotesLinked(Data, frozen=True, kw_only=True):
    """A project's link to the notes was made or taken away."""

    project: str
    folder: str
    form: Literal["link", "file"] | None = None


class WhiteboardPosted(Data, frozen=True, kw_only=True):
    """Something was put on the whiteboard of a session."""

    type: EntryType
    content: str


class WhiteboardAnnotated(Data, frozen=True, kw_only=True):
    """Something was written beside an entry of a whiteboard."""

    entry: str
    """The event that posted it."""
    text: str
    marker: Marker


class WisdomAdded(Remembering, frozen=True, kw_only=True):
    """Somebody stated or noticed something worth remembering."""

    insight: str
    category: str
    tags: list[str]
    initial: float


class WisdomOutcome(Data, frozen=True, kw_only=True):
    """A piece of wisdom was followed, and helped as far as EFFECT says, from 0 to 1."""

    wisdom: str
    effect: float
    note: str | None = None


class WisdomTold(Shape, frozen=True, kw_only=True):
    """A piece of wisdom as it was when a run was told of it; ALIKE says how well it fitted the task."""

    id: str
    confidence: float
    alike: float


class WisdomConsulted(Data, frozen=True, kw_only=True):
    """A run was told, behind its task, what earlier work taught."""

    wisdom: list[WisdomTold]


class MomentRecorded(Data, frozen=True, kw_only=True):
    """A temporal memory was given a moment."""

    memory: str
    kind: str
    value: Any


class TextAssociated(Remembering, frozen=True, kw_only=True):
    """An associative memory was given a text, in place of what KEY had."""

    memory: str
    key: str
    text: str
    value: Any


class TextForgotten(Data, frozen=True, kw_only=True):
    """An associative memory forgot what KEY had."""

    memory: str
    key: str


register(
    "action",
    {
        **{f"note.{change}": NoteChanged for change in ("created", "edited", "archived", "restored")},
        "note.linked": NotesLinked,
        "note.unlinked": NotesLinked,
        "wisdom.added": WisdomAdded,
        "wisdom.outcome": WisdomOutcome,
        "memory.recorded": MomentRecorded,
        "memory.associated": TextAssociated,
        "memory.forgotten": TextForgotten,
    },
)
register(
    "communication",
    {"whiteboard.posted": WhiteboardPosted, "whiteboard.annotated": WhiteboardAnnotated},
)
register("system", {"wisdom.consulted": WisdomConsulted})
