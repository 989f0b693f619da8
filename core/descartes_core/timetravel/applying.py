"""One restore, from what is kept first to the event that says it is done.

Everything that changes something goes to its end, whoever is cancelled. Before the journal says `moved`, and
before another body has moved in, it is taken back; behind that it is finished, and if the log does not take
its end now, the journal stays open for `recover`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from descartes_core.errors import DescartesError, NotFound, RestoreConflict, StoreUnavailable
from descartes_core.model import NewEvent
from descartes_core.store import Store
from descartes_core.timetravel.body import HUB, Body, Kept
from descartes_core.timetravel.manifest import Manifest, shown
from descartes_core.timetravel.moving import Moving
from descartes_core.timetravel.parts import Part
from descartes_core.timetravel.plan import Plan, leased_as
from descartes_core.timetravel.shapes import Restored
from descartes_core.timetravel.sharing import Sharing
from descartes_core.timetravel.unbroken import in_thread, to_its_end
from descartes_core.timetravel.work import Work, noun_of

log = logging.getLogger(__name__)

FINISHED = "A {} that was interrupted has been finished: everything is as it was to be"
ROLLED_BACK = "A {} that was interrupted has been rolled back: the files are as they were before it"


class Unfinished(StoreUnavailable):
    """It is done and not in the log, or could not be taken back: the journal stays open for `recover`."""


@dataclass(frozen=True)
class Found:
    """What a restore begins with: what is PLANNED, and the BACKUP where files are to change."""

    planned: Plan
    backup: Kept | None = None


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
        is then as it was, but for `Unfinished`.
        Concurrency: a cancel that comes before everything has its place takes it back; a later one is too
        late.
        """
        try:
            self._at("verify")
            await self._verify(work)
            found = await self._look(work)
            return await to_its_end(self._change(work, found), work.stop)
        except Unfinished:
            raise
        except asyncio.CancelledError:
            await to_its_end(self._failed(work, "it was cancelled"))
            raise
        except OSError as error:
            await to_its_end(self._failed(work, error.strerror or str(error)))
            raise StoreUnavailable(
                f"The {work.noun} could not be done: {error.strerror or error};"
                " everything is as it was before"
            ) from error
        except Exception as error:
            await to_its_end(self._failed(work, str(error)))
            raise

    async def recover(self, parts: Mapping[str, Part]) -> str | None:
        """Finish or roll back what was left half done; return a sentence about it, None when nothing was.

        Errors: `Unfinished` when it can be neither now.
        """
        if not self._moving.is_open:
            return None
        id_, phase, about = await in_thread(self._moving.read)
        kind = self._moving.kind
        events = msgspec.convert(about.get("events", []), list[NewEvent])
        if phase in ("moved", "done") and (
            phase == "done" or await self._is_logged(events) or await _are_in(about["notes"], parts)
        ):
            await self._finish(events)
            return FINISHED.format(noun_of(kind))
        kept = await self._roll_back()
        stream = "edit" if kind == "edit" else "restore"
        data = {"id": id_, "kind": kind, "reason": "it was interrupted", "rolledBack": True, "kept": kept}
        failed = NewEvent(category="system", name=f"{stream}.failed", stream=stream, actor=HUB, data=data)
        with suppress(DescartesError):
            await self._store.append(failed)
        told = ROLLED_BACK.format(noun_of(kind))
        return f"{told}, but {'; '.join(kept)}" if kept else told

    async def _look(self, work: Work) -> Found:
        """Keep the files as they are, and return what changes. Nothing is changed here."""
        if work.then is None:
            await self._tell(work.step("backup", "no file changes, so none had to be kept"))
            return Found(Plan())
        self._at("backup")
        backup = await self._keep(work, "backup")
        planned = await asyncio.to_thread(work.plan, backup.snapshot.manifest)
        _refuse_blocked(planned)
        text = f"the files as they are now are kept in refs/descartes/{backup.event.data['ref']}"
        await self._tell(work.step("backup", text))
        return Found(planned, backup)

    async def _change(self, work: Work, found: Found) -> Restored:
        leased = [shown(path) for path in leased_as(found.planned.changes)]
        async with self._sharing.held(leased, work.by, f"files are being {work.verb}"):
            beside = AsyncExitStack()
            try:
                await self._finish(await self._done(work, found, beside))
            finally:
                await _left(beside)
        return work.result(found.planned)

    async def _done(self, work: Work, found: Found, beside: AsyncExitStack) -> list[NewEvent]:
        """Let every body have its place and return the events that say so, or take everything back."""
        events: list[NewEvent] = []
        try:
            await self._tell(work.began(found.planned, found.backup))
            events = await self._committed(work, found, beside)
            for each in work.prepared.values():
                await each.move_in()
        except BaseException as error:
            if not any(each.is_in for each in work.prepared.values()):
                await self._take_back(work, error)
                raise
            log.warning("a body has moved in, and then: %s", error)
        if work.notes:
            with suppress(OSError):  # without it `recover` asks the body
                await in_thread(self._moving.moved_in)
        return events

    async def _committed(self, work: Work, found: Found, beside: AsyncExitStack) -> list[NewEvent]:
        """Swap the files, prepare the other bodies, and write down that everything has its place."""
        moving, planned = self._moving, found.planned
        repository = self._body.snapshots.repository if planned.changes else None
        work.go_on()
        await in_thread(moving.stage, work.id, planned.changes, repository, work.kind)
        work.go_on()
        await in_thread(moving.swap)
        text = work.told(planned) if found.backup else "no file was to be put back"
        await self._tell(work.step("checkout", text))
        for name, begin in work.parts.items():
            await work.prepare(name, asyncio.ensure_future(beside.enter_async_context(begin())))
        self._at("check")
        after = await self._checked(work, planned) if found.backup else None
        events = work.endings(planned, found.backup, after)
        work.go_on()
        about = {"events": msgspec.to_builtins(events), "notes": work.notes}
        await in_thread(moving.commit, about)
        return events

    async def _checked(self, work: Work, planned: Plan) -> Kept:
        """Return the files as they are now, kept for an undo, when they are as they were to be."""
        after = await self._keep(work, "edited" if work.is_edit else "restored")
        _check(planned, after.snapshot.manifest)
        return after

    async def _finish(self, events: Sequence[NewEvent]) -> None:
        """Log EVENTS, once, and close the journal. Errors: `Unfinished`."""
        try:
            if not await self._is_logged(events):
                await self._store.append(*events)
        except (DescartesError, OSError) as error:
            raise Unfinished(
                f"The {noun_of(self._moving.kind)} is done, but the log could not take that it is"
                f" ({_said(error)}); run `descartes doctor --fix` when it can, which finishes it"
            ) from error
        try:
            await in_thread(self._moving.close)
        except OSError:
            log.warning("the journal of a restore that is done could not be closed", exc_info=True)

    async def _is_logged(self, events: Sequence[NewEvent]) -> bool:
        with suppress(NotFound):
            await self._store.reader.event(events[-1].id or "")
            return True
        return False

    async def _verify(self, work: Work) -> None:
        if self._moving.is_open:
            await self._close_what_is_logged()
        if self._moving.is_open:
            raise RestoreConflict(
                "An earlier restore or bulk edit was interrupted; run `descartes doctor --fix` first"
            )
        if work.then is None or work.is_edit:
            return
        if (what := self._body.snapshots.repository.in_progress()) is not None:
            raise RestoreConflict(
                f"Expected no {what.partition(' ')[2]} under way, git is in the middle of {what};"
                " finish or abort it first"
            )

    async def _close_what_is_logged(self) -> None:
        _, phase, about = await in_thread(self._moving.read)
        events = msgspec.convert(about.get("events", []), list[NewEvent])
        if phase in ("moved", "done") and await self._is_logged(events):
            await self._finish(events)

    async def _take_back(self, work: Work, error: BaseException) -> None:
        """Make the files as they were. Errors: `Unfinished`; `RestoreConflict` says what lies elsewhere."""
        try:
            work.kept = await self._roll_back()
        except Unfinished as failed:
            await self._failed(work, f"{_said(error)}; {failed.message}", rolled_back=False)
            raise
        if work.kept and isinstance(error, Exception):
            raise RestoreConflict(f"{_said(error)}; {'; '.join(work.kept)}") from error

    async def _roll_back(self) -> list[str]:
        """Make everything as it was; return what had to be kept beside. Errors: `Unfinished`."""
        try:
            return await in_thread(self._moving.take_back)
        except OSError as error:
            raise Unfinished(
                f"A restore could not be taken back: {_said(error)}; what was there before lies in"
                " .descartes/restore/current, and `descartes doctor --fix` puts it back"
            ) from error

    async def _failed(self, work: Work, reason: str, *, rolled_back: bool = True) -> None:
        with suppress(DescartesError):
            await self._tell(work.failed(reason, rolled_back=rolled_back))

    async def _keep(self, work: Work, when: Any) -> Kept:
        """Keep the files as they are now, also for an undo: under a ref that is not the run's."""
        side = "before" if when == "backup" else "after"
        kept = await self._body.keep(
            when,
            f"the files {side} the {work.kind}",
            call=work.id,
            also=work.also,
            name=work.run or "workspace",
            actor=work.by,
        )
        ref = f"undo/{work.id}/{side}" if work.of is None else f"undo/{work.of}/{work.id}-{side}"
        await in_thread(self._body.snapshots.keep, ref, kept.snapshot.commit)
        return kept

    async def _tell(self, event: NewEvent) -> None:
        await self._store.append(event)


async def _are_in(notes: Mapping[str, Mapping[str, Any]], parts: Mapping[str, Part]) -> bool:
    """Return whether everything that had to move in did; one that nobody can ask about did not."""
    return all([name in parts and await parts[name].is_in(note) for name, note in notes.items()])


async def _left(beside: AsyncExitStack) -> None:
    """Drop what was prepared and did not move in; what goes wrong with that changes no outcome."""
    try:
        await beside.aclose()
    except Exception:
        log.warning("what was prepared for a restore could not be dropped", exc_info=True)


def _said(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "it was cancelled"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


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
