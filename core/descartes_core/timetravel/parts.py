"""The other bodies of a restore, as it sees them: made ready beside what there is, then moved in."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from descartes_core.errors import Unsupported
from descartes_core.model import Event, NewEvent, Principal
from descartes_core.timetravel.journal import Done


@dataclass(frozen=True)
class Goal:
    """Where a body is to go: what it was for RUN at the event TO. BY asked; ID is the restore's.

    RESUME: a new run goes on with the conversation as soon as everything is done; the caller begins it.
    """

    id: str
    run: str
    to: Event
    by: Principal
    resume: bool = False


@dataclass(frozen=True)
class Turn:
    """The restore DONE taken back or done again (KIND) by BY; ID is this turn's own.

    FORCE: also when something was done in the body since; the turn after this one brings that back.
    """

    id: str
    kind: Literal["undo", "redo"]
    done: Done
    by: Principal
    force: bool = False


@dataclass(frozen=True)
class Since:
    """What was done in a body since its last turn: TEXT is a clause for a person, DATA for programs."""

    text: str
    data: Mapping[str, Any]


@dataclass
class Prepared:
    """A body that is ready beside the one there is. TEXT is what a person is told once it has moved in.

    GOES_ON says which run goes on from there, or how one is made to.
    """

    text: str
    goes_on: str | None = None
    session: str | None = None
    """The session to go on in, where that is another one now."""
    session_before: str | None = None
    events: list[NewEvent] = field(default_factory=list)
    """What the log gets when everything is done, together with the end of the restore."""
    note: dict[str, Any] | None = None
    """What tells after a crash whether it moved in; None when nothing has to move."""

    @property
    def is_in(self) -> bool:
        """Whether it has taken the place of the one there was."""
        return False

    async def move_in(self) -> None:
        """Take the place of the one there is. Errors: then that one goes on, unless `is_in`."""


class Part(Protocol):
    """Another body than the files: the brain, the image."""

    async def preview(self, run: str, to: Event) -> dict[str, Any]:
        """Return what going back to TO would mean for it. Errors: `DescartesError` when it cannot."""
        ...

    def back(self, goal: Goal) -> AbstractAsyncContextManager[Prepared]:
        """Give the body as it was at GOAL, beside; what has not moved in by the end is dropped."""
        ...

    async def since(self, turn: Turn) -> Since | None:
        """Return what TURN would take away because it was done after the last one; None for nothing."""
        ...

    def turned(self, turn: Turn) -> AbstractAsyncContextManager[Prepared]:
        """Give the body as it was before TURN's restore, or after it, beside; as for `back`.

        Errors: `RestoreConflict` when something that `since` did not tell of was done in it meanwhile.
        """
        ...

    async def is_in(self, note: Mapping[str, Any]) -> bool:
        """Return whether the body with NOTE moved in before its restore was interrupted."""
        ...


NOTHING: Mapping[str, Part] = {}


def part_of(name: str, parts: Mapping[str, Part]) -> Part:
    """Return the part NAME of PARTS. Errors: `Unsupported`."""
    if name not in parts:
        raise Unsupported(f"The {name} cannot be restored here; leave it out of `bodies`")
    return parts[name]
