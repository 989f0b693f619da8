"""`Restores`: what a restore would change, the restore itself, undone and done again.

The order is always the same: look, keep what is there now, write beside, swap, look again, and only then say
that it is done. Whatever fails before that, everything is as it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec

from descartes_core.errors import DescartesError, InvalidParams, NotFound, RestoreConflict
from descartes_core.leases import Leases
from descartes_core.model import Event, Principal
from descartes_core.ports import new_id
from descartes_core.store import Store
from descartes_core.timetravel import conflicts, journal, plan, points
from descartes_core.timetravel.applying import Applying
from descartes_core.timetravel.body import Body
from descartes_core.timetravel.journal import Done
from descartes_core.timetravel.manifest import Manifest
from descartes_core.timetravel.moving import Moving
from descartes_core.timetravel.parts import NOTHING, Goal, Part, Since, Turn, part_of
from descartes_core.timetravel.plan import Plan
from descartes_core.timetravel.previewing import Previewing
from descartes_core.timetravel.shapes import (
    BODIES,
    BodyName,
    Previewed,
    Restored,
    RestorePreview,
    RestoreRequest,
)
from descartes_core.timetravel.sharing import Sharing
from descartes_core.timetravel.turning import Turning, turning
from descartes_core.timetravel.unbroken import to_its_end
from descartes_core.timetravel.work import Preparing, Work

log = logging.getLogger(__name__)


class Restores:
    """The restores of one workspace. Concurrency: belongs to the loop of its store."""

    def __init__(
        self,
        store: Store,
        body: Body,
        leases: Leases,
        *,
        unsaved_in: Callable[[Path], str | None] = lambda path: None,
        ignores_case: bool | None = None,
        at: Callable[[str], None] = lambda name: None,
    ) -> None:
        """AT is called between any two changes of files, so that a test can end it all there.

        IGNORES_CASE: of the file system; found out when None.
        """
        self._store = store
        self._body = body
        self._recovered: str | None = None
        self.sharing = sharing = Sharing(leases, body.root, unsaved_in)
        moving = Moving(body.root, body.state / "restore" / "current", at)
        self._applying = Applying(store, body, sharing, moving, at)
        self._previewing = Previewing(store, body, sharing, ignores_case=ignores_case)

    async def recover(self, parts: Mapping[str, Part] = NOTHING) -> str | None:
        """Finish or roll back a restore that was interrupted; return a sentence about it, None for none.

        PARTS know whether the other bodies moved in. Errors: `StoreUnavailable` when it can be neither now.
        """
        async with self._body.unrestored():
            found = await to_its_end(self._applying.recover(parts))
        self._recovered = found or self._recovered
        return found

    def told(self) -> str | None:
        """Return what became of a restore that was interrupted, to whoever asks first."""
        told, self._recovered = self._recovered, None
        return told

    async def preview(
        self, request: RestoreRequest, by: Principal, parts: Mapping[str, Part] = NOTHING
    ) -> RestorePreview:
        """Return what REQUEST would change, without changing anything; PARTS are the other bodies by name.

        Errors: `RunNotFound`, `NotFound`, `InvalidParams`.
        """
        run = await self._store.reader.resolve("run", request.run)
        if not request.bodies:
            raise InvalidParams(f"Expected one or more of {', '.join(BODIES)} in `bodies`, got none")
        preview = await self._previewing.preview(run, request, by)
        told: dict[str, Any] = {}
        to = await self._store.reader.event(preview.to.event)
        for name in request.bodies:
            if name != "body":
                told[name] = await part_of(name, parts).preview(run, to)
        return msgspec.structs.replace(preview, **told)

    async def apply(
        self,
        request: RestoreRequest,
        confirm: str,
        by: Principal,
        parts: Mapping[str, Part] = NOTHING,
        *,
        resume: bool = False,
    ) -> Restored:
        """Do what the preview CONFIRM showed, or what REQUEST chooses of it; return what was done.

        REQUEST may name fewer paths and fewer bodies than the preview; without bodies it means all of them.
        RESUME: the caller then begins a run in the session that the result names; see `Goal`.

        Errors: `RestoreConflict` when something has changed since; `LeaseHeld`; then nothing was done.
        """
        seen, preview = await self._confirmed(request, confirm)
        to = await self._store.reader.event(seen.to)
        now = then = None
        if "body" in seen.bodies:
            now, then = await self._manifest(seen.now), await self._manifest(seen.then)
        paths = request.paths if request.paths is not None else seen.paths

        def planned(found: Manifest) -> Plan:
            assert now is not None and then is not None
            fits = plan.fitting(self._previewing.meant(paths, now, then))
            _same_as_seen([path for path in plan.differing(now, found) if fits(path)])
            return self._previewing.plan(found, then, paths)

        goal = Goal(new_id("evt"), seen.run, to, by, resume)
        others: dict[str, Preparing] = {
            name: partial(part_of(name, parts).back, goal) for name in _others(seen.bodies)
        }
        work = Work(goal.id, "restore", by, seen.run, seen.bodies, then, planned, others)
        work.about = {"to": seen.to, "preview": preview.id}
        return await self.perform(work)

    async def perform(self, work: Work) -> Restored:
        """Do WORK, a restore or a bulk edit, while nobody else changes files; return what was done.

        Errors: `RestoreConflict` while a step of a run is changing files; those of `Applying.perform`.
        """
        async with self._body.alone():
            restored = await self._applying.perform(work)
            await self._forget_old()
        return restored

    async def undo(
        self,
        by: Principal,
        *,
        force: bool = False,
        bodies: Sequence[BodyName] | None = None,
        parts: Mapping[str, Part] = NOTHING,
    ) -> Restored:
        """Take the last restore back, also one that is under way now; return what was done.

        BODIES are some of those it put back; the others can be undone, or kept, later.
        Errors: `NotFound` when there is none; `RestoreConflict` when something of it was changed since,
        unless FORCE; `InvalidParams` for bodies that it did not put back.
        """
        return await self._turn("undo", by, force, bodies, parts)

    async def redo(
        self,
        by: Principal,
        *,
        force: bool = False,
        bodies: Sequence[BodyName] | None = None,
        parts: Mapping[str, Part] = NOTHING,
    ) -> Restored:
        """Do the restore again that was undone last; see `undo`. What that was forced over comes back."""
        return await self._turn("redo", by, force, bodies, parts)

    async def _turn(
        self,
        kind: Literal["undo", "redo"],
        by: Principal,
        force: bool,
        bodies: Sequence[BodyName] | None,
        parts: Mapping[str, Part],
    ) -> Restored:
        async with self._body.alone():
            found = await journal.history(self._store.reader)
            done = _chosen(journal.last(found.undo if kind == "undo" else found.redo, kind), bodies)
            goal = await asyncio.to_thread(self._turning, kind, done) if "body" in done.bodies else None
            turn = Turn(new_id("evt"), kind, done, by, force)
            since = {} if force else await _since(turn, parts)

            def refuse(paths: list[str]) -> None:
                if not force and (paths or since):
                    raise conflicts.changed_since_restore(kind, paths, since, done.bodies, done.noun)

            def planned(now: Manifest) -> Plan:
                assert goal is not None
                refuse(goal.changed_since(now))
                return plan.exactly(self._previewing.plan(now, goal.then, None), goal.about)

            if goal is None:
                refuse([])
            others: dict[str, Preparing] = {
                name: partial(part_of(name, parts).turned, turn) for name in _others(done.bodies)
            }
            then = goal.then if goal is not None else None
            work = Work(turn.id, kind, by, done.run, list(done.bodies), then, planned, others, of=done.id)
            restored = await self._applying.perform(work)
            await self._forget_old()
            return restored

    def _turning(self, kind: Literal["undo", "redo"], done: Done) -> Turning:
        """Return where the files go when DONE is turned. Calls git; not for a loop."""
        commits = (done.before, done.after, done.last.before, done.last.after)
        before, after, was, now = (self._body.snapshots.manifest(each or "") for each in commits)
        return turning(before if kind == "undo" else after, plan.differing(before, after), was, now)

    async def _confirmed(self, request: RestoreRequest, confirm: str) -> tuple[Previewed, Event]:
        event = await self._store.reader.event(confirm)
        if event.name != "restore.previewed":
            raise NotFound(f"No preview has the id {confirm!r}; ask for a preview first")
        seen = msgspec.convert(event.data, Previewed)
        run = await self._store.reader.resolve("run", request.run)
        to = await points.event_at(self._store.reader, run, request.to)
        if (run, to.id) != (seen.run, seen.to) or not set(request.bodies) <= set(seen.bodies):
            raise RestoreConflict("The preview was of another restore than this; ask for a preview again")
        if self._store.clock.now_ms() > seen.expires_ms:
            raise RestoreConflict("The preview is older than ten minutes; ask for it again")
        chosen = [each for each in seen.bodies if each in (request.bodies or seen.bodies)]
        return msgspec.structs.replace(seen, bodies=chosen), event

    async def _manifest(self, commit: str) -> Manifest:
        return await asyncio.to_thread(self._body.snapshots.manifest, commit)

    async def _forget_old(self) -> None:
        """Let go of what only restores need that can be undone no longer. No failure undoes what was done."""
        try:
            found = await journal.history(self._store.reader)
            last: dict[str, tuple[str, ...]] = {}
            for each in [*found.undo, *found.redo]:
                last[each.id] = (*last.get(each.id, ()), each.last.id)
            await asyncio.to_thread(self._drop_refs, last)
        except (DescartesError, OSError):
            log.warning("what older restores kept could not be let go of", exc_info=True)

    def _drop_refs(self, last: Mapping[str, tuple[str, ...]]) -> None:
        """Drop the refs of every restore but those that LAST names, with its last turns."""
        if not (self._body.state / "body").exists():
            return
        repository = self._body.snapshots.repository
        refs = [name.split("/") for name in repository.refs("undo/")]
        needed = ("before", "after")
        repository.drop_refs(
            "/".join(each)
            for each in refs
            if each[1] not in last or not (each[2] in needed or each[2].startswith(last[each[1]]))
        )


def _others(bodies: Sequence[BodyName]) -> list[BodyName]:
    return [name for name in bodies if name != "body"]


def _same_as_seen(paths: list[str]) -> None:
    if paths:
        raise conflicts.changed_since_preview(paths)


def _chosen(done: Done, bodies: Sequence[BodyName] | None) -> Done:
    """Return DONE as far as BODIES say, all of it for None. Errors: `InvalidParams`."""
    if bodies is None:
        return done
    if not bodies or not set(bodies) <= set(done.bodies):
        expected, got = ", ".join(done.bodies), ", ".join(bodies) or "none"
        raise InvalidParams(
            f"Expected one or more of {expected} in `bodies`, which is what there is to take back, got {got}"
        )
    return done.only([name for name in done.bodies if name in bodies])


async def _since(turn: Turn, parts: Mapping[str, Part]) -> dict[BodyName, Since]:
    """Return what TURN would take away in the bodies that are not files."""
    found: dict[BodyName, Since] = {}
    for name in _others(turn.done.bodies):
        if (since := await part_of(name, parts).since(turn)) is not None:
            found[name] = since
    return found
