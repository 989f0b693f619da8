"""What a restore would do, found out without doing it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import msgspec

from descartes_core.errors import InvalidParams
from descartes_core.model import Event, NewEvent, Principal
from descartes_core.store import EventQuery, Store
from descartes_core.store.times import iso
from descartes_core.timetravel import plan as plans
from descartes_core.timetravel import points
from descartes_core.timetravel.body import Body
from descartes_core.timetravel.manifest import Manifest, shown
from descartes_core.timetravel.plan import Change, Plan
from descartes_core.timetravel.points import Point
from descartes_core.timetravel.shapes import (
    EventAfter,
    FileChange,
    Previewed,
    Problem,
    RestorePreview,
    RestoreRequest,
    To,
)
from descartes_core.timetravel.sharing import Sharing

EXPIRES_MS = 600_000
SHOWN_EVENTS = 20


class Previewing:
    """Finds out what restores would do."""

    def __init__(self, store: Store, body: Body, sharing: Sharing, *, ignores_case: bool | None) -> None:
        self._store = store
        self._body = body
        self._sharing = sharing
        self._ignores_case = _ignores_case(body.root) if ignores_case is None else ignores_case

    async def preview(self, run: str, request: RestoreRequest, by: Principal) -> RestorePreview:
        """Return what REQUEST means for the files of the workspace; it is logged for its confirmation."""
        point = await self._point(run, request)
        now = then = point.snapshot.data["commit"] if "body" in request.bodies else ""
        planned, edited = Plan(), set[str]()
        if "body" in request.bodies:
            tree = await asyncio.to_thread(self._body.snapshots.manifest, then)
            files = [path for path, entry in tree.entries.items() if entry.kind != "folder"]
            kept = await self._body.keep("preview", "a restore is looked at", also=files, name=run, actor=by)
            now = kept.snapshot.commit
            planned = await asyncio.to_thread(self.plan, kept.snapshot.manifest, tree, request.paths)
            edited = await self._edited(point, now)
        expires_ms = self._store.clock.now_ms() + EXPIRES_MS
        event = await self._log(run, request, point, by, (now, then, len(planned.changes), expires_ms))
        after = await self._after(run, point)
        return RestorePreview(
            id=event.id,
            run=run,
            to=_to(point),
            bodies=request.bodies,
            paths=request.paths,
            files=await self._files(planned, edited, by),
            missing=[Problem(path=shown(path), reason=why) for path, why in planned.missing.items()],
            events_after=len(after),
            newest_after=[_after(each) for each in after[-SHOWN_EVENTS:]],
            refused=self._refused(planned) if "body" in request.bodies else None,
            expires_at=iso(expires_ms),
        )

    def plan(self, now: Manifest, then: Manifest, paths: Iterable[str] | None) -> Plan:
        """Return what would make THEN of NOW, as far as PATHS say. Errors: as `meant`."""
        repository = self._body.snapshots.repository
        planned = plans.compare(now, then, repository.ignored)
        if self._ignores_case:
            planned.blocked |= plans.collisions(then, planned)
        return plans.chosen(planned, self.meant(paths, now, then))

    def meant(self, paths: Iterable[str] | None, now: Manifest, then: Manifest) -> list[str] | None:
        """Return the names that PATHS, as they are shown, stand for. Errors: `InvalidParams`."""
        if paths is None:
            return None
        known = {shown(path): path for each in (now, then) for path in [*each.entries, *each.left]}
        found: list[str] = []
        for path in paths:
            plain = path.rstrip("/").removeprefix("./") or "."
            if plain != "." and plain not in known:
                raise InvalidParams(
                    f"Expected files of the workspace in `paths`, {path!r} was in it neither then nor now"
                )
            found.append(known.get(plain, plain))
        return found

    async def _point(self, run: str, request: RestoreRequest) -> Point:
        reader = self._store.reader
        if "body" in request.bodies:
            return await points.point(reader, run, request.to)
        event = await points.event_at(reader, run, request.to)
        return Point(event, event)

    async def _edited(self, point: Point, now: str) -> set[str]:
        """Return the files that somebody changed while no run was at work, since POINT."""
        since = await points.snapshots_of(self._store.reader, since=point.snapshot.id)
        pairs = points.by_people(since, now)
        repository = self._body.snapshots.repository
        found = [await asyncio.to_thread(repository.differing, *pair) for pair in pairs]
        return set[str]().union(*found)

    async def _files(self, planned: Plan, edited: set[str], by: Principal) -> list[FileChange]:
        changes = _worth_showing(planned.changes)
        leased = await self._sharing.in_the_way([shown(path) for path in plans.leased_as(changes)], by)
        return [
            FileChange(
                path=shown(each.path) + ("/" if each.is_folder else ""),
                change=each.kind,
                user_edited=each.path in edited,
                leased_by=leased[shown(each.path)].holder if shown(each.path) in leased else None,
                unsaved=self._sharing.unsaved(each.path),
                mode=_mode(each),
            )
            for each in changes
        ]

    async def _after(self, run: str, point: Point) -> list[Event]:
        query = EventQuery(run=run, order="asc", before=point.event.seq, limit=1_000_000)
        found = (await self._store.reader.events(query)).events
        return [event for event in found if not event.name.startswith(points.BESIDE)]

    async def _log(
        self, run: str, request: RestoreRequest, point: Point, by: Principal, found: tuple[str, str, int, int]
    ) -> Event:
        now, then, files, expires_ms = found
        seen = Previewed(
            run=run,
            to=point.event.id,
            at=point.event.at,
            bodies=request.bodies,
            paths=request.paths,
            now=now,
            then=then,
            files=files,
            expires_ms=expires_ms,
        )
        new = NewEvent(
            category="system",
            name="restore.previewed",
            stream="restore",
            actor=by,
            run=run,
            data=msgspec.to_builtins(seen),
        )
        return (await self._store.append(new))[0]

    def _refused(self, planned: Plan) -> str | None:
        for path, reason in planned.blocked.items():
            return f"{shown(path)} cannot be put back: {reason}"
        what = self._body.snapshots.repository.in_progress()
        return None if what is None else f"git is in the middle of {what}; finish or abort it first"


def _ignores_case(root: Path) -> bool:
    swapped = Path(str(root).swapcase())
    try:
        return swapped != root and root.samefile(swapped)
    except OSError:
        return False


def _to(point: Point) -> To:
    event, snapshot = point.event, point.snapshot
    return To(
        event=event.id,
        seq=event.seq,
        name=event.name,
        at=event.at,
        snapshot=snapshot.id,
        snapshot_at=snapshot.at,
    )


def _after(event: Event) -> EventAfter:
    return EventAfter(id=event.id, seq=event.seq, name=event.name, at=event.at)


def _worth_showing(changes: list[Change]) -> list[Change]:
    """Return CHANGES without the folders that come and go with what is in them."""
    above = {each.path.rpartition("/")[0] for each in changes}
    return [each for each in changes if not each.is_folder or each.path not in above]


def _mode(change: Change) -> str | None:
    if change.kind != "mode" or change.before is None or change.after is None:
        return None
    return f"{change.before.mode:04o} → {change.after.mode:04o}"
