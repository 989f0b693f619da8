"""The restores of the log: what was done, what can be undone, what can be done again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from descartes_core.errors import NotFound
from descartes_core.model import Event
from descartes_core.store import EventQuery, Reader
from descartes_core.timetravel.shapes import BodyName

KEPT = 10
"""How many restores can be undone."""
EVERY = 1_000_000
DONE = ("restore.applied", "edit.applied")
"""What can be undone: a bulk edit is turned as a restore is."""


@dataclass(frozen=True)
class Turned:
    """The last thing that was done about a restore: its ID, and the files BEFORE and AFTER it."""

    id: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Done:
    """One restore, or what of it was turned together: its ID, RUN and BODIES.

    BEFORE and AFTER it are the commits where files were put back.

    SESSION is the one it began, from SESSION_BEFORE. LAST: the restore itself, its undo or its redo.
    """

    id: str
    run: str | None
    at: str
    bodies: tuple[BodyName, ...]
    before: str | None
    after: str | None
    session: str | None
    session_before: str | None
    last: Turned
    what: str | None = None
    """What a bulk edit did, as a person reads it; None for a restore."""

    @property
    def noun(self) -> str:
        """What a person calls it."""
        return "restore" if self.what is None else "bulk edit"

    def only(self, bodies: Sequence[BodyName]) -> Done:
        """Return the part of it that is about BODIES."""
        return replace(self, bodies=tuple(bodies))


@dataclass
class History:
    """What can be UNDONE, the newest last, and what was undone and can be REDONE."""

    undo: list[Done] = field(default_factory=list)
    redo: list[Done] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """Take EVENT of a restore into account."""
        if event.name in DONE:
            self.undo.append(_done(event))
            self.redo.clear()
        elif event.name == "restore.undone":
            self._move(self.undo, self.redo, event)
        elif event.name == "restore.redone":
            self._move(self.redo, self.undo, event)
        del self.undo[:-KEPT]

    def _move(self, source: list[Done], target: list[Done], event: Event) -> None:
        """Move what EVENT turned; bodies of the restore that it left as they were stay where they are."""
        turned = set(event.data.get("bodies", ()))
        for number, each in reversed(list(enumerate(source))):
            if each.id == event.data["of"] and turned <= set(each.bodies):
                rest = each.only([name for name in each.bodies if name not in turned])
                source[number : number + 1] = [rest] if rest.bodies else []
                moved = each.only([name for name in each.bodies if name in turned])
                target.append(replace(moved, last=_turned(event)))
                return


async def history(reader: Reader) -> History:
    """Return which restores can be undone and redone now."""
    found = History()
    events: list[Event] = []
    for kind in ("restore", *DONE[1:]):
        events += (await reader.events(EventQuery(type=kind, order="asc", limit=EVERY))).events
    for event in sorted(events, key=lambda each: each.seq):
        found.take(event)
    return found


def last(stack: list[Done], word: str) -> Done:
    """Return the newest of STACK. Errors: `NotFound` when there is none to WORD."""
    if not stack:
        raise NotFound(f"There is no restore to {word}")
    return stack[-1]


def _turned(event: Event) -> Turned:
    return Turned(event.data["id"], event.data.get("before"), event.data.get("after"))


def _done(event: Event) -> Done:
    data = event.data
    return Done(
        id=data["id"],
        run=event.run,
        at=event.at,
        bodies=tuple(data.get("bodies", ())),
        before=data.get("before"),
        after=data.get("after"),
        session=data.get("session"),
        session_before=data.get("sessionBefore"),
        last=_turned(event),
        what=data.get("what"),
    )
