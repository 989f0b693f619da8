"""The operations `history.*` about a moment: what was then, as documents and as pictures."""

from __future__ import annotations

from descartes_core.timetravel.brain import BrainState, moment, state_at
from descartes_server.operations.context import Context
from descartes_server.operations.registry import Params, operation


class StateParams(Params, frozen=True, kw_only=True):
    """A RUN; AT: an ISO time, an event id or a number (None: now)."""

    run: str
    at: str | None = None


@operation("history.state", kind="read", for_agents=True, positional=("run",))
async def state(context: Context, params: StateParams) -> BrainState:
    """Show what a run knew, had written, held and was waiting for at a moment."""
    reader = context.services.reader
    run = await reader.resolve("run", params.run)
    return await state_at(reader, run, await moment(reader, run, params.at))
