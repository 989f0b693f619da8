"""One restore under way, and what the log is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from descartes_core.model import NewEvent, Principal
from descartes_core.ports import new_id
from descartes_core.timetravel.body import Kept
from descartes_core.timetravel.manifest import Manifest, shown
from descartes_core.timetravel.parts import Prepared
from descartes_core.timetravel.plan import Plan
from descartes_core.timetravel.shapes import BodyName, FileDone, Problem, Restored, Step

Kind = Literal["restore", "undo", "redo", "edit"]
ENDINGS: dict[Kind, str] = {
    "restore": "restore.applied",
    "undo": "restore.undone",
    "redo": "restore.redone",
    "edit": "edit.applied",
}
LOGGED_FILES = 500
"""How many files an event names; all of them are in its two commits."""

Preparing = Callable[[], AbstractAsyncContextManager[Prepared]]


@dataclass
class Work:
    """One restore under way: the tree THEN that it leads to, None to leave the files alone.

    PLAN gives what changes for the tree there is now, or refuses; PARTS begin the other bodies, by name.
    """

    id: str
    kind: Kind
    by: Principal
    run: str | None
    bodies: list[BodyName]
    then: Manifest | None
    plan: Callable[[Manifest], Plan]
    parts: Mapping[str, Preparing]
    about: dict[str, Any] = field(default_factory=dict)
    of: str | None = None
    """The restore that is undone or done again."""
    steps: list[Step] = field(default_factory=list)
    prepared: dict[str, Prepared] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    """What could not be put back because it was changed meanwhile, and where it lies now."""
    _stopped: bool = False
    _preparing: asyncio.Future[Prepared] | None = None

    @property
    def is_edit(self) -> bool:
        """Whether files are edited in bulk: nothing goes back to what it was."""
        return self.kind == "edit"

    @property
    def noun(self) -> str:
        """What a person calls it, in messages: an undo and a redo are restores too."""
        return noun_of(self.kind)

    @property
    def verb(self) -> str:
        """What is done to the files meanwhile."""
        return "edited" if self.is_edit else "restored"

    def told(self, planned: Plan) -> str:
        """Return what became of the files, as a person reads it."""
        count = sum(not each.is_folder for each in planned.changes)
        done = "changed" if self.is_edit else "put back"
        return f"{count} file{'s' * (count > 1)} {done}" if count else "every file was as it was then"

    @property
    def also(self) -> list[str]:
        """The files that are kept even when they are ignored."""
        there = self.then.entries if self.then is not None else {}
        return [path for path, entry in there.items() if entry.kind != "folder"]

    @property
    def notes(self) -> dict[str, dict[str, Any]]:
        """What tells after a crash whether the bodies that have to move in did."""
        return {name: each.note for name, each in self.prepared.items() if each.note is not None}

    @property
    def session(self) -> str | None:
        """The session to go on in, where that is another one now."""
        return next((each.session for each in self.prepared.values() if each.session), None)

    def stop(self) -> None:
        """Have it give up where it still can."""
        self._stopped = True
        if self._preparing is not None:
            self._preparing.cancel()

    def go_on(self) -> None:
        """Raise `CancelledError` when it was stopped."""
        if self._stopped:
            raise asyncio.CancelledError

    async def prepare(self, name: str, begun: asyncio.Future[Prepared]) -> None:
        """Wait until the body NAME is ready; `stop` ends that at once."""
        self._preparing = begun
        try:
            self.go_on()
            self.prepared[name] = await begun
        finally:
            begun.cancel()
            self._preparing = None

    def event(self, name: str, data: Mapping[str, Any], id_: str | None = None) -> NewEvent:
        """Return the event NAME about this restore."""
        told = {"id": self.id, "kind": self.kind, "bodies": self.bodies, "of": self.of, **self.about, **data}
        return NewEvent(
            category="system",
            name=name,
            stream=name.partition(".")[0],
            actor=self.by,
            run=self.run,
            data={key: value for key, value in told.items() if value is not None or key == "session"},
            id=id_,
        )

    def step(self, name: Any, text: str) -> NewEvent:
        """Return the event of the step NAME, which is done."""
        step = Step(number=len(self.steps) + 1, step=name, text=text)
        self.steps.append(step)
        return self._own("step", msgspec.to_builtins(step))

    def began(self, planned: Plan, backup: Kept | None) -> NewEvent:
        """Return the event of the beginning: from here on something may be found changed."""
        return self._own("began", {"before": commit(backup), **_files(planned)})

    def failed(self, reason: str, *, rolled_back: bool) -> NewEvent:
        """Return the event that it came to nothing, for REASON."""
        return self._own("failed", {"reason": reason, "rolledBack": rolled_back, "kept": self.kept})

    def endings(self, planned: Plan, backup: Kept | None, after: Kept | None) -> list[NewEvent]:
        """Return what the log gets when everything is done, the end itself last."""
        before = next((each.session_before for each in self.prepared.values() if each.session_before), None)
        data = {
            "before": commit(backup),
            "after": commit(after),
            **_files(planned),
            "session": self.session,
            "sessionBefore": before,
            "missing": [shown(path) for path in planned.missing][:LOGGED_FILES],
        }
        if self.is_edit:
            del data["session"], data["sessionBefore"], data["missing"]
            return [self._ending(data, after)]
        told = [each.text for each in self.prepared.values()]
        goes_on = next((each.goes_on for each in self.prepared.values() if each.goes_on), None)
        return [
            *(event for each in self.prepared.values() for event in each.events),
            self.step("memory", "; ".join(told) or "the conversation stays as it is"),
            self.step("resume", goes_on or "no run is started, as no conversation went back"),
            self._ending(data, after),
        ]

    def result(self, planned: Plan) -> Restored:
        """Return what the caller is told in the end."""
        return Restored(
            id=self.id,
            run=self.run,
            kind=self.kind,
            bodies=self.bodies,
            files=[FileDone(path=shown(e.path), change=e.kind) for e in planned.changes if not e.is_folder],
            missing=[Problem(path=shown(path), reason=why) for path, why in planned.missing.items()],
            steps=self.steps,
            session=self.session,
            complete=not planned.missing,
        )

    def _own(self, verb: str, data: Mapping[str, Any]) -> NewEvent:
        return self.event(f"{'edit' if self.is_edit else 'restore'}.{verb}", data)

    def _ending(self, data: Mapping[str, Any], after: Kept | None) -> NewEvent:
        ending = self.event(ENDINGS[self.kind], data, new_id("evt"))
        # HEAD stays where it is.
        return msgspec.structs.replace(ending, git_commit=after.event.git_commit if after else None)


def noun_of(kind: str) -> str:
    """Return what a person calls work of KIND."""
    return "bulk edit" if kind == "edit" else "restore"


def commit(kept: Kept | None) -> str | None:
    """Return the commit of KEPT."""
    return kept.snapshot.commit if kept is not None else None


def _files(planned: Plan) -> dict[str, Any]:
    paths = [shown(each.path) for each in planned.changes if not each.is_folder]
    return {"files": len(paths), "paths": paths[:LOGGED_FILES]}
