"""`Body`: the files of a workspace as runs and restores share them, with a snapshot around each step.

While files are put back, steps that would change them wait at their beginning; while such a step is under
way, nothing is put back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from descartes_core.errors import DescartesError, RestoreConflict
from descartes_core.git_head import head_commit
from descartes_core.model import Event, NewEvent, Principal
from descartes_core.store import Store
from descartes_core.timetravel.snapshots import LARGEST_BYTES, Snapshot, Snapshots

log = logging.getLogger(__name__)

When = Literal["start", "before", "after", "end", "preview", "backup", "restored", "edited"]
HUB = Principal(kind="service", id="hub", name="the hub")
RUN_STEP = "run"
"""The one step of a run that is a command: it begins and ends with the run."""


@dataclass(frozen=True)
class Kept:
    """A snapshot and the event that tells of it."""

    snapshot: Snapshot
    event: Event


class Body:
    """The work tree of the workspace at ROOT, with its snapshots; fills the port `BodySnapshots`.

    Concurrency: belongs to the loop of its store; one for a workspace.
    """

    def __init__(
        self,
        store: Store,
        root: Path,
        state: Path,
        *,
        largest_bytes: Callable[[], int] = lambda: LARGEST_BYTES,
    ) -> None:
        """LARGEST_BYTES() is up to which size a file is kept; asked before each snapshot."""
        self.root = root
        self.state = state
        self.snapshots = Snapshots(root, state)
        self._largest_bytes = largest_bytes
        self._store = store
        self._open: dict[tuple[str, str], str] = {}
        self._refs: dict[str, str] = {}
        self._restoring = asyncio.Lock()
        self._taking = asyncio.Lock()

    async def run_begins(self, run: str, *, works: bool) -> None:
        """Keep the files as they are before RUN does anything; WORKS: all of it is one step, a command."""
        if works:
            await self._enter(run, RUN_STEP, "its command")
        await self._tell(run, "start", RUN_STEP if works else None, "the run begins")

    async def run_ended(self, run: str) -> None:
        """Keep the files as RUN leaves them."""
        await self._tell(run, "end", None, "the run ended")
        self._leave(run)

    async def before_step(self, run: str, call: str, reason: str) -> None:
        """Keep the files before the step CALL of RUN changes them, once no restore is under way any more."""
        await self._enter(run, call, reason)
        await self._tell(run, "before", call, reason)

    async def after_step(self, run: str, call: str) -> None:
        """Keep the files as the step CALL of RUN left them."""
        try:
            await self._tell(run, "after", call, "the step is done")
        finally:
            self._open.pop((run, call), None)

    def abandon(self, run: str, call: str) -> None:
        """Forget the step CALL of RUN, which was cancelled; the end of the run keeps what it left."""
        self._open.pop((run, call), None)

    @asynccontextmanager
    async def change_of(
        self, who: Principal, call: str, reason: str, *, run: str | None = None
    ) -> AsyncIterator[None]:
        """Have the files kept before and after what WHO does inside the block: CALL, for REASON.

        WHO is no run of ours, though it may be the child of RUN; nothing is restored meanwhile.
        """
        await self._enter(who.name, call, reason)
        try:
            await self._tell(run, "before", call, reason, who)
            yield
            await self._tell(run, "after", call, "the change is made", who)
        finally:
            self._open.pop((who.name, call), None)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Have the files for oneself inside the block.

        Errors: `RestoreConflict` naming the step of a run that is changing them now.
        """
        async with self._restoring:
            for (run, _), reason in self._open.items():
                who = f"run {run[4:12]}" if run.startswith("run_") else run
                raise RestoreConflict(
                    f"Expected that no run is changing files, {who} is ({reason});"
                    " wait for its step, or pause or stop it",
                    run=run,
                )
            yield

    @asynccontextmanager
    async def unrestored(self) -> AsyncIterator[None]:
        """Have no restore begin inside the block, whatever runs do."""
        async with self._restoring:
            yield

    async def keep(
        self,
        when: When,
        reason: str,
        *,
        run: str | None = None,
        call: str | None = None,
        also: Iterable[str] = (),
        name: str = "workspace",
        actor: Principal = HUB,
    ) -> Kept:
        """Keep the files as they are now, for RUN or under NAME, and log it; ALSO is as in `Snapshots.take`.

        Errors: `GitFailed`; `OSError` where the disk is full.
        """
        extra = list(also)
        async with self._taking:
            self.snapshots.largest_bytes = self._largest_bytes()
            snapshot = await asyncio.to_thread(lambda: self.snapshots.take(extra))
            at = await asyncio.to_thread(head_commit, self.snapshots.root)
            ref = await self._ref((run or name).removeprefix("run_"), snapshot.commit)
            data: dict[str, Any] = {
                "commit": snapshot.commit,
                "ref": ref,
                "when": when,
                "reason": reason,
                "fresh": snapshot.fresh,
                "files": sum(each.kind != "folder" for each in snapshot.manifest.entries.values()),
                "left": len(snapshot.manifest.left),
            }
            if call is not None:
                data["callId"] = call
            (event,) = await self._store.append(
                NewEvent(
                    category="system",
                    name="body.snapshot",
                    stream=f"run/{run}" if run else "body",
                    actor=actor,
                    run=run,
                    data=data,
                    git_commit=at,
                )
            )
        return Kept(snapshot, event)

    async def _ref(self, name: str, commit: str) -> str:
        """Return the name of the ref that keeps COMMIT for NAME; one more only when it is another commit."""
        known = self._refs.get(name, "")
        if known.partition(" ")[2] != commit:
            number = await self._store.reader.last_seq() + 1
            ref = f"{name}/{number}"
            await asyncio.to_thread(self.snapshots.keep, ref, commit)
            self._refs[name] = known = f"{ref} {commit}"
        return known.partition(" ")[0]

    async def _enter(self, run: str, call: str, reason: str) -> None:
        async with self._restoring:
            self._open[run, call] = reason

    def _leave(self, run: str) -> None:
        for key in [key for key in self._open if key[0] == run]:
            del self._open[key]
        self._refs.pop(run.removeprefix("run_"), None)

    async def _tell(
        self, run: str | None, when: When, call: str | None, reason: str, actor: Principal = HUB
    ) -> None:
        """Keep the files for RUN. A failure is logged and stops no run: it could not be restored to here."""
        try:
            await self.keep(when, reason, run=run, call=call, actor=actor)
        except (DescartesError, OSError) as error:
            said = error.message if isinstance(error, DescartesError) else str(error)
            log.warning("the files were not kept for %s: %s", run, said)
            await self._store.append(
                NewEvent(
                    category="error",
                    name="body.snapshot.failed",
                    stream=f"run/{run}" if run else "body",
                    actor=actor,
                    run=run,
                    data={"when": when, "reason": reason, "message": said},
                )
            )
