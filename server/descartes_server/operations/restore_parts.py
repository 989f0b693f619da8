"""The other bodies of a restore as the hub has them: the conversation, and the image, made anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Literal

import descartes_swank as swank
from descartes_core.errors import LispNotRunning
from descartes_core.model import Event
from descartes_core.timetravel import conflicts
from descartes_core.timetravel.conversation import BrainPart
from descartes_core.timetravel.parts import Goal, Part, Prepared, Since, Turn
from descartes_server.operations import image_since
from descartes_server.operations.context import Context
from descartes_server.operations.image import Image
from descartes_server.operations.journal import origin
from descartes_server.operations.replay import fresh, moved_in, work_of
from descartes_server.operations.replaying import Outcome, Replaying

Look = Callable[[], Awaitable[None]]


async def _nothing() -> None:
    """Look at nothing: whatever there is may go."""


class FreshImage(Prepared):
    """An image beside the workspace's in which the journal was repeated. GATE is closed when it moves in.

    LOOK is called behind the gate: it raises when the image there is must not go after all.
    """

    def __init__(
        self,
        text: str,
        image: Image,
        record: swank.ImageRecord,
        replaying: Replaying,
        gate: AsyncExitStack,
        look: Look,
    ) -> None:
        super().__init__(text, note={"pid": record.pid, "startTime": record.start_time})
        self._image, self._record, self._replaying, self._gate = image, record, replaying, gate
        self._look = look
        self._before = image.place_now()

    @property
    def is_in(self) -> bool:
        """See `Prepared`."""
        return self._image.is_of(self._record)

    async def move_in(self) -> None:
        """See `Prepared`. Nothing begins in an image before the log has that this one is there."""
        await self._gate.enter_async_context(self._image.gate.closed())
        await self._look()
        await moved_in(self._image, self._record, self._replaying, self._before)


class ImagePart:
    """The live image. A fresh one repeats what the journal has up to the moment, and takes its place."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def preview(self, run: str, to: Event) -> dict[str, Any]:
        """See `Part`. Errors: `LispNotRunning` when no image ran at the moment."""
        reader = self._context.services.reader
        began = await origin(reader, to.seq)
        if began is None:
            raise LispNotRunning("No Lisp ran at that moment; leave the image out of the restore")
        work = work_of(reader, began, began.seq, to.seq)
        return {"entries": len([event async for event in work])}

    @asynccontextmanager
    async def back(self, goal: Goal) -> AsyncIterator[Prepared]:
        """See `Part`. Errors: those of starting an image and repeating the journal in it."""
        async with self._fresh(goal.to.seq, goal.id) as made:
            yield made

    async def since(self, turn: Turn) -> Since | None:
        """See `Part`."""
        work = await self._work_since(turn)
        return image_since.since(work, turn) if work is not None else None

    @asynccontextmanager
    async def turned(self, turn: Turn) -> AsyncIterator[Prepared]:
        """See `Part`: with all that the image had when the last turn took it away.

        What was done in it since is not lost: the turn after this one repeats that too.
        """
        work = await self._work_since(turn)
        if work is None:
            yield Prepared("the image stays as it is, the log does not tell what it was")
            return

        async def look() -> None:
            if not turn.force and (more := await self.since(turn)):
                raise conflicts.changed_since_restore(turn.kind, [], {"image": more}, turn.done.bodies)

        async with self._fresh(work.seq - 1, turn.id, look) as made:
            if work.ended:
                made.text += _since(len(work.ended), turn.kind)
            yield made

    async def is_in(self, note: Mapping[str, Any]) -> bool:
        """See `Part`."""
        record = await asyncio.to_thread(swank.read_record, self._context.services.workspace.runtime)
        return record is not None and (record.pid, record.start_time) == (note["pid"], note["startTime"])

    async def _work_since(self, turn: Turn) -> image_since.Work | None:
        services = self._context.services
        return await image_since.work_since(services.reader, turn, services.image.evaluations.under_way())

    @asynccontextmanager
    async def _fresh(self, until: int, restore: str, look: Look = _nothing) -> AsyncIterator[Prepared]:
        """Give an image beside with what the journal has up to event UNTIL, for RESTORE."""
        image = self._context.services.image
        async with fresh(self._context, until) as (record, replaying), AsyncExitStack() as gate:
            outcome = replaying.outcome
            made = FreshImage(_told(outcome), image, record, replaying, gate, look)
            made.events = [image.replayed(record, outcome, until=until, restore=restore)]
            yield made


def parts(context: Context) -> Mapping[str, Part]:
    """Return the other bodies as CONTEXT can restore them."""
    return {"brain": BrainPart(context.services.reader), "image": ImagePart(context)}


def _told(outcome: Outcome) -> str:
    entries = "entry" if outcome.repeated == 1 else "entries"
    told = f"the image is a fresh one with {outcome.repeated} {entries} of the journal"
    return f"{told}, {len(outcome.skipped)} could not be repeated" if outcome.skipped else told


def _since(count: int, kind: Literal["undo", "redo"]) -> str:
    back = "redo" if kind == "undo" else "undo"
    if count == 1:
        return f"; the one that came since is not in it, {back} brings it back"
    return f"; the {count} that came since are not in it, {back} brings them back"
