"""One restore of the files, from what is kept first to the event that says it is done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from descartes_core.errors import DescartesError, NotFound, RestoreConflict, StoreUnavailable
from descartes_core.model import Event, NewEvent, Principal
from descartes_core.ports import new_id
from descartes_core.store import Store
from descartes_core.timetravel.body import HUB, Body, Kept
from descartes_core.timetravel.manifest import Manifest, shown
from descartes_core.timetravel.moving import Moving
from descartes_core.timetravel.plan import Plan, leased_as
from descartes_core.timetravel.shapes import FileDone, Problem, Restored, Step
from descartes_core.timetravel.sharing import Sharing

log = logging.getLogger(__name__)

Kind = Literal["restore", "undo", "redo"]
ENDINGS: dict[Kind, str] = {"restore": "restore.applied", "undo": "restore.undone", "redo": "restore.redone"}
LOGGED_FILES = 500
"""How many files an event names; all of them are in its two commits."""


@dataclass
class Work:
    """One restore under way: the tree THEN that it leads to, and what remains to be decided by the caller.

    PLAN gives what changes for the tree there is now, or refuses; MORE does the other bodies.
    """

    id: str
    kind: Kind
    by: Principal
    run: str | None
    then: Manifest | None
    plan: Callable[[Manifest], Plan]
    more: Callable[[Work], Any]
    about: dict[str, Any] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    session: str | None = None


class Applying:
    """Does what a `Work` says, or nothing. Concurrency: its caller has the body for itself."""

    def __init__(
        self, store: Store, body: Body, sharing: Sharing, moving: Moving, at: Callable[[str], None]
    ) -> None:
        """AT(name) is called at each step, so that a test can have it fail there."""
        self._store = store
        self._body = body
        self._sharing = sharing
        self._moving = moving
        self._at = at

    async def perform(self, work: Work) -> Restored:
        """Do WORK and return what was done.

        Errors: `RestoreConflict`, `LeaseHeld`, `StoreUnavailable` and those of the other bodies; everything
        is then as it was.
        """
        try:
            return await self._perform(work)
        except OSError as error:
            await self._failed(work, error.strerror or str(error), [])
            raise StoreUnavailable(
                f"The files could not be put back: {error.strerror or error}; everything is as it was before"
            ) from error
        except DescartesError as error:
            await self._failed(work, error.message, [])
            raise

    async def _perform(self, work: Work) -> Restored:
        self._at("verify")
        self._verify()
        if work.then is None:
            await self.step(work, "backup", "no file changes, so none had to be kept")
            await self.step(work, "checkout", "no file was to be put back")
            await work.more(work)
            await self._store.append(self._ending(work, Plan(), None, None))
            return _result(work, Plan())
        self._at("backup")
        also = [path for path, entry in work.then.entries.items() if entry.kind != "folder"]
        backup = await self._keep(work, "backup", also)
        planned = work.plan(backup.snapshot.manifest)
        _refuse_blocked(planned)
        await self.step(
            work, "backup", f"the files as they are now are kept in refs/descartes/{_ref(backup)}"
        )
        leased = [shown(path) for path in leased_as(planned.changes)]
        async with self._sharing.held(leased, work.by):
            return await self._move(work, planned, backup, also)

    async def _move(self, work: Work, planned: Plan, backup: Kept, also: Sequence[str]) -> Restored:
        repository, moving = self._body.snapshots.repository, self._moving
        await self._event(work, "restore.began", {"before": backup.snapshot.commit, **_files(planned)})
        try:
            await asyncio.to_thread(moving.stage, work.id, planned.changes, repository)
            await asyncio.to_thread(moving.swap)
            self._at("check")
            restored = await self._keep(work, "restored", also)
            _check(planned, restored.snapshot.manifest)
            await self.step(work, "checkout", _told(planned))
            await work.more(work)
            ending = self._ending(work, planned, backup, restored)
            await asyncio.to_thread(moving.commit, msgspec.to_builtins(ending))
        except BaseException as error:
            # Also when it is cancelled: what was begun must not stay half done.
            kept = await asyncio.shield(asyncio.to_thread(self._roll_back))
            if kept:
                raise RestoreConflict(f"{error}; {'; '.join(kept)}") from error
            raise
        await asyncio.shield(self.finish(ending))
        return _result(work, planned)

    async def finish(self, ending: NewEvent) -> None:
        """Log ENDING, once, keep what an undo needs, and close the journal."""
        data = ending.data
        for side in ("before", "after") if ending.name == ENDINGS["restore"] else ():
            await asyncio.to_thread(self._body.snapshots.keep, f"undo/{data['id']}/{side}", data[side])
        with suppress(NotFound):
            await self._store.reader.event(ending.id or "")
            await asyncio.to_thread(self._moving.close)
            return
        await self._store.append(ending)
        await asyncio.to_thread(self._moving.close)

    async def step(self, work: Work, name: Any, text: str) -> None:
        """Note that the step NAME of WORK is done, for the log and for who waits."""
        step = Step(number=len(work.steps) + 1, step=name, text=text)
        work.steps.append(step)
        await self._event(work, "restore.step", msgspec.to_builtins(step))

    def _verify(self) -> None:
        if self._moving.is_open:
            raise RestoreConflict("An earlier restore was interrupted; run `descartes doctor --fix` first")
        if (what := self._body.snapshots.repository.in_progress()) is not None:
            raise RestoreConflict(
                f"Expected no {what.partition(' ')[2]} under way, git is in the middle of {what};"
                " finish or abort it first"
            )

    def _roll_back(self) -> list[str]:
        """Make everything as it was; return what had to be kept beside."""
        if not self._moving.is_open:
            return []
        _, phase, _ = self._moving.read()
        if phase == "staging":
            self._moving.forget()
            return []
        return self._moving.roll_back()

    async def recover(self) -> str | None:
        """Finish or roll back what an earlier hub left half done; return a sentence about it, or None."""
        if not self._moving.is_open:
            return None
        id_, phase, about = await asyncio.to_thread(self._moving.read)
        if phase == "moved":
            await self.finish(msgspec.convert(about, NewEvent))
            return "A restore that was interrupted has been finished: everything is as it was to be"
        kept = await asyncio.to_thread(self._roll_back)
        told = "A restore that was interrupted has been rolled back: the files are as they were before it"
        if kept:
            told += f", but {'; '.join(kept)}"
        data = {"id": id_, "reason": "it was interrupted", "rolledBack": True, "kept": kept}
        await self._store.append(
            NewEvent(category="system", name="restore.failed", stream="restore", actor=HUB, data=data)
        )
        return told

    async def _failed(self, work: Work, reason: str, kept: list[str]) -> None:
        with suppress(DescartesError):
            data = {"reason": reason, "rolledBack": True, "kept": kept}
            await self._event(work, "restore.failed", data)

    async def _keep(self, work: Work, when: Any, also: Sequence[str]) -> Kept:
        reason = (
            f"the files before the {work.kind}" if when == "backup" else f"the files after the {work.kind}"
        )
        name = work.run or "workspace"
        return await self._body.keep(when, reason, call=work.id, also=also, name=name, actor=work.by)

    async def _event(self, work: Work, name: str, data: Mapping[str, Any]) -> Event:
        event = self._new(work, name, data)
        return (await self._store.append(event))[0]

    def _new(self, work: Work, name: str, data: Mapping[str, Any], id_: str | None = None) -> NewEvent:
        whole = {"id": work.id, "kind": work.kind, **work.about, **data}
        return NewEvent(
            category="system",
            name=name,
            stream="restore",
            actor=work.by,
            run=work.run,
            data=whole,
            id=id_,
        )

    def _ending(self, work: Work, planned: Plan, backup: Kept | None, after: Kept | None) -> NewEvent:
        commits = {"before": _commit(backup), "after": _commit(after)}
        data: dict[str, Any] = {
            **{key: value for key, value in commits.items() if value is not None},
            **_files(planned),
            "session": work.session,
            "missing": [shown(path) for path in planned.missing][:LOGGED_FILES],
        }
        ending = self._new(work, ENDINGS[work.kind], data, new_id("evt"))
        # Restores leave HEAD where it is.
        return msgspec.structs.replace(ending, git_commit=after.event.git_commit if after else None)


def _commit(kept: Kept | None) -> str | None:
    return kept.snapshot.commit if kept is not None else None


def _ref(kept: Kept) -> str:
    return str(kept.event.data["ref"])


def _files(planned: Plan) -> dict[str, Any]:
    paths = [shown(each.path) for each in planned.changes if not each.is_folder]
    return {"files": len(paths), "paths": paths[:LOGGED_FILES]}


def _refuse_blocked(planned: Plan) -> None:
    for path, reason in planned.blocked.items():
        raise RestoreConflict(f"{shown(path)!r} cannot be put back: {reason}; leave it out or move it away")


def _check(planned: Plan, now: Manifest) -> None:
    """Refuse to say that it is done when something is not as it was to be."""
    for each in planned.changes:
        found = now.entries.get(each.path)
        # A folder that holds something ignored stays.
        if found != each.after and not (each.after is None and found is not None and found.kind == "folder"):
            raise RestoreConflict(f"{shown(each.path)!r} was changed meanwhile; look at the preview again")


def _told(planned: Plan) -> str:
    count = sum(not each.is_folder for each in planned.changes)
    return "every file was as it was then" if not count else f"{count} file{'s' * (count > 1)} put back"


def _result(work: Work, planned: Plan) -> Restored:
    return Restored(
        id=work.id,
        run=work.run,
        kind=work.kind,
        files=[FileDone(path=shown(e.path), change=e.kind) for e in planned.changes if not e.is_folder],
        missing=[Problem(path=shown(path), reason=why) for path, why in planned.missing.items()],
        steps=work.steps,
        session=work.session,
        complete=not planned.missing,
    )
