"""The leases of a run: the narrowest that a call needs, and the check in the moment of writing.

A file is leased as a whole where it is free. Where others hold forms of it, only the forms that a call
touches are; a run that was spawned on forms of a file keeps to those. Below what a person is typing a run has
an intent, and the person is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import msgspec

from descartes_core.agents.journal import Recorder
from descartes_core.errors import DescartesError, LeaseHeld, LeaseLost, PolicyDenied
from descartes_core.leases import LeasePath, Leases
from descartes_core.leases import forms as formed
from descartes_core.leases.arbiter import is_over, next_token, open_leases, own_lease
from descartes_core.leases.standing import WRITES, Change, touched_by
from descartes_core.leases.words import lease_held, lease_lost
from descartes_core.model import Lease, LeaseMode
from descartes_core.ports import Forms
from descartes_core.store import Transaction

Plan = Callable[[], Change | None]
"""Says what a call would make of its file; None where that cannot be said. Reads the file."""
WHOLE: frozenset[str] = frozenset()
"""In place of names of forms: the file as a whole."""


class RunLeases:
    """The leases of the run of JOURNAL, which was spawned on FILES for REASON."""

    def __init__(
        self,
        leases: Leases,
        journal: Recorder,
        port: Forms | None,
        *,
        reason: str,
        files: Sequence[str] = (),
        ttl_seconds: Callable[[], float],
    ) -> None:
        """TTL_SECONDS() is how long a lease lasts unless it is renewed."""
        self._leases = leases
        self._journal = journal
        self._port = port
        self._reason = reason
        self._ttl_seconds = ttl_seconds
        self._bounds = _bounds(leases, files)

    async def take(self, path: Path, parent: str | None, plan: Plan) -> Lease | None:
        """Take what the run needs to write PATH, because of the event PARENT.

        Returns the lease of a person whose unsaved text is in the way, and who is to be asked.
        Errors: `LeaseHeld`; `LeaseLost` when the run had it and it was taken over; `PolicyDenied` for a
        change outside the forms that the run was spawned on.
        """
        bounds = self._bounds.get(self._about(path).file)
        if bounds:
            await self._take_forms(path, bounds, parent)
            await self._check_inside(path, bounds, await asyncio.to_thread(plan))
            return None
        try:
            await self._take(path.as_uri(), parent)
        except LeaseHeld as held:
            lease = msgspec.convert(held.data["lease"], Lease)
            if _is_typed(lease):
                await self._take(path.as_uri(), parent, "intent")
                return lease
            names = await self._confined(await asyncio.to_thread(plan))
            if not names:
                raise
            await self._take_forms(path, names, parent)
        return None

    async def take_all(self, plans: Mapping[Path, Plan], parent: str) -> Lease | None:
        """Take what the run needs to write the files of PLANS; see `take`. When one is refused, none is."""
        before = await self._own() if len(plans) > 1 else []
        typed: Lease | None = None
        try:
            for path, plan in plans.items():
                typed = await self.take(path, parent, plan) or typed
        except DescartesError:
            if len(plans) > 1:
                known = {(each.path, each.token) for each in before}
                new = [each for each in await self._own() if (each.path, each.token) not in known]
                await self._leases.release_these(new)
            raise
        return typed

    async def meet(self, files: Sequence[Path]) -> Lease | None:
        """Look who has one of FILES, which a command is about to change; nothing is taken.

        Returns the lease of a person whose unsaved text is in the way, and who is to be asked.
        Errors: `LeaseHeld` for any other lease that stops the run.
        """
        met = await self._leases.in_the_way(files, self._journal.principal)
        asked: Lease | None = None
        for leases in met.values():
            for lease in leases:
                if not _is_typed(lease):
                    raise lease_held(lease, self._journal.store.clock.now_ms())
                asked = asked or lease
        return asked

    async def needed(self, change: Change) -> frozenset[str]:
        """Return the forms that must be held while CHANGE is written, `WHOLE` when the run has the file.

        Errors: `LeaseLost`; `LeaseHeld` or `PolicyDenied` for what lies outside the forms that it holds.
        """
        about = self._about(change.path)
        names = await self._journal.store.transact(lambda tx: self._held(tx, about))
        if names:
            await self._check_inside(change.path, names, change)
        return names

    def check(self, tx: Transaction, path: Path, names: frozenset[str]) -> None:
        """Raise `LeaseLost` unless the run has the file PATH, or all the forms NAMES of it, in TX."""
        about = self._about(path)
        held = self._held(tx, about)
        if held and not (names and names <= held):
            raise _lost(tx, about)

    async def _own(self) -> list[Lease]:
        mine = self._journal.principal
        return [each for each in await self._leases.list() if each.holder.same_as(mine)]

    def _held(self, tx: Transaction, about: LeasePath) -> frozenset[str]:
        """Return the forms of ABOUT that the run holds, `WHOLE` when it has all of it."""
        own = own_lease(tx, about, self._journal.principal)
        if own is not None and own.lease.mode in WRITES and not is_over(own, tx.now_ms):
            return WHOLE
        mine = [
            each.path.form
            for each in open_leases(tx, about)
            if each.lease.holder.same_as(self._journal.principal) and each.path.form
        ]
        if not mine:
            raise _lost(tx, about)
        return frozenset(form.casefold() for form in mine)

    async def _take(self, path: str, parent: str | None, mode: LeaseMode = "exclusive") -> Lease:
        return await take_lease(
            self._leases,
            self._journal,
            path,
            reason=self._reason,
            ttl_seconds=self._ttl_seconds(),
            parent=parent,
            mode=mode,
        )

    async def _take_forms(self, path: Path, names: frozenset[str], parent: str | None) -> None:
        for name in sorted(names):
            await self._take(f"{path.as_uri()}#{quote(name)}", parent)

    async def _confined(self, change: Change | None) -> frozenset[str]:
        """Return the forms that CHANGE touches when it touches nothing else, else none."""
        if change is None:
            return WHOLE
        names = await asyncio.to_thread(touched_by, change, self._port)
        if not names or not await asyncio.to_thread(self._stays_inside, change, frozenset(names)):
            return WHOLE
        return frozenset(names)

    async def _check_inside(self, path: Path, names: frozenset[str], change: Change | None) -> None:
        if change is None or await asyncio.to_thread(self._stays_inside, change, names):
            return
        about = self._about(path)
        others = await self._leases.list(path.as_uri())
        foreign = [each for each in others if not each.holder.same_as(self._journal.principal)]
        changed = await asyncio.to_thread(touched_by, change, self._port) or set()
        for lease in foreign:
            if lease.path.partition("#")[2].casefold() in changed:
                raise lease_held(lease, self._journal.store.clock.now_ms())
        raise PolicyDenied(
            f"This run holds the form {', '.join(sorted(names))} of {about.file!r} and may change nothing"
            " else of it; change that form only, or ask for the file",
            path=about.file,
        )

    def _stays_inside(self, change: Change, names: frozenset[str]) -> bool:
        if self._port is None or change.before is None or change.after is None:
            return False
        try:
            before, after = change.before.decode(), change.after.decode()
        except UnicodeDecodeError:
            return False
        one, other = self._port.forms(change.path, before), self._port.forms(change.path, after)
        if one is None or other is None:
            return False
        return formed.stays_inside(names, before, one, after, other)

    def _about(self, path: Path) -> LeasePath:
        return self._leases.paths.of(path.as_uri())


async def take_lease(
    leases: Leases,
    journal: Recorder,
    path: str,
    *,
    reason: str,
    ttl_seconds: float,
    parent: str | None = None,
    mode: LeaseMode = "exclusive",
) -> Lease:
    """Return the lease on PATH for the run of JOURNAL, which keeps it until it ends.

    Errors: `LeaseHeld`; `LeaseLost` when the run had it and somebody else has had it since.
    """
    about = leases.paths.of(path)

    def check(tx: Transaction) -> None:
        own = own_lease(tx, about, journal.principal)
        # A token that was given since our lease ended was somebody else's: the file is not as we knew it.
        if own is not None and is_over(own, tx.now_ms) and next_token(tx, about) > own.lease.token + 1:
            raise _lost(tx, about)

    await journal.store.transact(check)
    return await leases.acquire(
        path,
        journal.principal,
        ttl_seconds=ttl_seconds,
        reason=reason,
        run=journal.run,
        client=journal.client,
        renews=journal.client is None,
        session=journal.session,
        parent=parent,
        mode=mode,
    )


def _is_typed(lease: Lease) -> bool:
    return lease.mode == "intent" and lease.holder.kind == "human"


def _bounds(leases: Leases, files: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the forms that a run on FILES keeps to, by file; a file that stands there too has no bounds."""
    named = [leases.paths.of(file) for file in files]
    whole = {about.file for about in named if about.form is None}
    found: dict[str, frozenset[str]] = {}
    for about in named:
        if about.form is not None and about.file not in whole:
            found[about.file] = found.get(about.file, WHOLE) | {about.form.casefold()}
    return found


def _lost(tx: Transaction, about: LeasePath) -> LeaseLost:
    others = [each.lease for each in open_leases(tx, about)]
    return lease_lost(about.text, next(iter(others), None), tx.now_ms)
