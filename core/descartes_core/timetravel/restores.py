"""`Restores`: what a restore would change, the restore itself, undone and done again.

The order is always the same: look, keep what is there now, write beside, swap, look again, and only then say
that it is done. Whatever fails before that, everything is as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from descartes_core.errors import InvalidParams, NotFound, RestoreConflict, Unsupported
from descartes_core.leases import Leases
from descartes_core.model import Event, Principal
from descartes_core.ports import new_id
from descartes_core.store import Store
from descartes_core.timetravel import journal, plan, points
from descartes_core.timetravel.applying import Applying, Kind, Work
from descartes_core.timetravel.body import Body
from descartes_core.timetravel.journal import Done
from descartes_core.timetravel.manifest import Manifest, shown
from descartes_core.timetravel.moving import Moving
from descartes_core.timetravel.plan import Plan
from descartes_core.timetravel.previewing import Previewing
from descartes_core.timetravel.shapes import (
    BODIES,
    Previewed,
    Restored,
    RestorePreview,
    RestoreRequest,
)
from descartes_core.timetravel.sharing import Sharing


class Part(Protocol):
    """Another body than the files: the brain, the image."""

    async def preview(self, run: str, to: Event) -> dict[str, Any]:
        """Return what going back to TO would mean for it. Errors: `DescartesError` when it cannot."""
        ...

    async def restore(self, run: str, to: Event, by: Principal) -> dict[str, Any]:
        """Go back to TO and return what a person is told: `text`, and `session` where there is a new one."""
        ...


NOTHING: Mapping[str, Part] = {}


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
        self.recovered: str | None = None
        """What became of a restore that an earlier hub had not finished."""
        sharing = Sharing(leases, body.root, unsaved_in)
        moving = Moving(body.root, body.state / "restore" / "current", at)
        self._applying = Applying(store, body, sharing, moving, at)
        self._previewing = Previewing(store, body, sharing, ignores_case=ignores_case)

    async def recover(self) -> str | None:
        """Finish or roll back a restore that was interrupted; return a sentence about it, None for none."""
        async with self._body.unrestored():
            found = await self._applying.recover()
        self.recovered = found or self.recovered
        return found

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
                told[name] = await _part(name, parts).preview(run, to)
        return msgspec.structs.replace(preview, **told)

    async def apply(
        self, request: RestoreRequest, confirm: str, by: Principal, parts: Mapping[str, Part] = NOTHING
    ) -> Restored:
        """Do what the preview CONFIRM showed, or what REQUEST chooses of it; return what was done.

        REQUEST may name fewer paths and fewer bodies than the preview; without bodies it means all of them.

        Errors: `RestoreConflict` when something has changed since; `LeaseHeld`; then nothing was done.
        """
        seen, preview = await self._confirmed(request, confirm)
        to = await self._store.reader.event(seen.to)
        now = then = None
        if "body" in seen.bodies:
            now = await self._manifest(seen.now)
            then = await self._manifest(seen.then)
        paths = request.paths if request.paths is not None else seen.paths

        def planned(found: Manifest) -> Plan:
            assert now is not None and then is not None
            fits = plan.fitting(self._previewing.meant(paths, now, then))
            _same_as_seen([path for path in plan.differing(now, found) if fits(path)])
            return self._previewing.plan(found, then, paths)

        async def more(work: Work) -> None:
            await self._other_bodies(work, seen, to, parts)

        work = Work(new_id("evt"), "restore", by, seen.run, then, planned, more)
        work.about = {"to": seen.to, "bodies": seen.bodies, "preview": preview.id}
        async with self._body.alone():
            restored = await self._applying.perform(work)
        await self._forget_old()
        return restored

    async def undo(self, by: Principal, *, force: bool = False) -> Restored:
        """Take the last restore back, also one that is under way now; return what was done.

        Errors: `NotFound` when there is none; `RestoreConflict` when one of its files was changed since,
        unless FORCE.
        """
        async with self._body.alone():
            found = await journal.history(self._store.reader)
            done = journal.last(found.undo, "undo")
            return await self._turn("undo", done, done.after, done.before, by, force=force)

    async def redo(self, by: Principal, *, force: bool = False) -> Restored:
        """Do the restore again that was undone last; see `undo`."""
        async with self._body.alone():
            found = await journal.history(self._store.reader)
            done = journal.last(found.redo, "redo")
            return await self._turn("redo", done, done.before, done.after, by, force=force)

    async def _turn(
        self, kind: Kind, done: Done, source: str, target: str, by: Principal, *, force: bool
    ) -> Restored:
        """Lead the files that differ between the commits SOURCE and TARGET to what TARGET has; alone."""
        expected, then = await self._manifest(source), await self._manifest(target)
        about = plan.differing(expected, then)

        def planned(found: Manifest) -> Plan:
            others = [path for path in about if found.entries.get(path) != expected.entries.get(path)]
            others = [path for path in others if found.entries.get(path) != then.entries.get(path)]
            if others and not force:
                raise _conflict(others, f"changed since the restore; force the {kind} to put them back")
            return plan.exactly(self._previewing.plan(found, then, None), about)

        async def more(work: Work) -> None:
            await self._applying.step(work, "memory", "the conversation stays as it is")
            await self._applying.step(work, "resume", "done")

        work = Work(new_id("evt"), kind, by, done.run, then, planned, more, {"of": done.id})
        return await self._applying.perform(work)

    async def _other_bodies(self, work: Work, seen: Previewed, to: Event, parts: Mapping[str, Part]) -> None:
        memory = "the conversation stays as it is"
        if "brain" in seen.bodies:
            told = await _part("brain", parts).restore(seen.run, to, work.by)
            memory, work.session = told["text"], told.get("session")
        await self._applying.step(work, "memory", memory)
        resume = "nothing else was to be put back"
        if "image" in seen.bodies:
            resume = (await _part("image", parts).restore(seen.run, to, work.by))["text"]
        elif work.session is not None:
            resume = f"the session {work.session[4:12]} goes on from there; the old one is kept"
        await self._applying.step(work, "resume", resume)

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
        """Let go of what only restores need that can be undone no longer."""
        found = await journal.history(self._store.reader)
        kept = {each.id for each in [*found.undo, *found.redo]}
        repository = self._body.snapshots.repository
        refs = await asyncio.to_thread(repository.refs, "undo/")
        old = [name for name in refs if name.split("/")[1] not in kept]
        await asyncio.to_thread(repository.drop_refs, old)


def _part(name: str, parts: Mapping[str, Part]) -> Part:
    if name not in parts:
        raise Unsupported(f"The {name} cannot be restored here; leave it out of `bodies`")
    return parts[name]


def _same_as_seen(paths: list[str]) -> None:
    if paths:
        raise _conflict(paths, "changed since the preview; look at it again")


def _conflict(paths: list[str], what: str) -> RestoreConflict:
    names = [shown(path) for path in sorted(paths)]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    verb = "were" if len(names) > 1 else "was"
    return RestoreConflict(f"{', '.join(names[:3])}{more} {verb} {what}", paths=names[:100])
