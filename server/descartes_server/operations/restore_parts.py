"""The other bodies of a restore: the conversation, forked at the moment; the image, made anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from descartes_core.errors import DescartesError, LispNotRunning
from descartes_core.model import Event, Principal
from descartes_core.timetravel import brain
from descartes_core.timetravel.restores import Part
from descartes_server.operations.context import Context
from descartes_server.operations.journal import origin
from descartes_server.operations.replay import repeated_until, work_of


class BrainPart:
    """The conversation of a run. Nothing of it is rewritten: a new session goes on from the moment."""

    def __init__(self, context: Context) -> None:
        self._services = context.services

    async def preview(self, run: str, to: Event) -> dict[str, Any]:
        """See `Part`."""
        state = await brain.state_at(self._services.reader, run, to.seq)
        return {"turn": state.turn, "messages": len(state.messages), "skipped": state.skipped}

    async def restore(self, run: str, to: Event, by: Principal) -> dict[str, Any]:
        """See `Part`; a command has no conversation to go back to, which is no failure."""
        if not (await brain.state_at(self._services.reader, run, to.seq)).messages:
            return {"text": "the run had no conversation yet"}
        try:
            session = await brain.fork(self._services.store, run, to.seq, by=by, reason="a restore")
        except DescartesError as error:
            if (await self._services.runs.show(run)).backend == "process":
                return {"text": "a command has no conversation"}
            raise error
        return {
            "text": f"session {session[4:12]} has the conversation up to event {to.seq}",
            "session": session,
        }


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

    async def restore(self, run: str, to: Event, by: Principal) -> dict[str, Any]:
        """See `Part`."""
        done = await repeated_until(self._context, to.seq)
        entries = "entry" if done.repeated == 1 else "entries"
        told = f"the image is a fresh one with {done.repeated} {entries} of the journal"
        return {"text": f"{told}, {len(done.skipped)} left out" if done.skipped else told}


def parts(context: Context) -> Mapping[str, Part]:
    """Return the other bodies as CONTEXT can restore them."""
    return {"brain": BrainPart(context), "image": ImagePart(context)}
