"""The conversation of a run as a body of a restore: a new session that goes on from the moment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from descartes_core.model import Event
from descartes_core.store import Reader
from descartes_core.timetravel import brain, forks
from descartes_core.timetravel.parts import Goal, Prepared, Since, Turn


class BrainPart:
    """The conversation of a run. Nothing of it is rewritten; fills the port `Part`."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def preview(self, run: str, to: Event) -> dict[str, Any]:
        """See `Part`."""
        state = await brain.state_at(self._reader, run, to.seq)
        return {"turn": state.turn, "messages": len(state.messages), "skipped": state.skipped}

    @asynccontextmanager
    async def back(self, goal: Goal) -> AsyncIterator[Prepared]:
        """See `Part`; a command has no conversation to go back to, which is no failure."""
        begun = await forks.run_begun(self._reader, goal.run)
        if begun.data.get("backend") == "acp":
            yield Prepared(
                "the agent keeps its conversation itself", "no run is started, spawn the agent again"
            )
        elif begun.data.get("backend") == "process":
            yield Prepared("a command has no conversation", "a command is not started again")
        elif not (await brain.state_at(self._reader, goal.run, goal.to.seq)).messages:
            yield Prepared(
                "the run had no conversation yet", "no run is started, there is nothing to go on with"
            )
        else:
            forked = await brain.forking(self._reader, goal.run, goal.to.seq, by=goal.by, reason="a restore")
            goes_on = f"a new run goes on in session {_short(forked.session)}" if goal.resume else None
            yield Prepared(
                f"session {_short(forked.session)} has the conversation up to event {goal.to.seq}",
                (goes_on or _how(forked.session)) + await self._still(goal.run),
                session=forked.session,
                session_before=begun.session,
                events=[forked],
            )

    async def since(self, turn: Turn) -> Since | None:
        """See `Part`; nothing of a conversation is ever taken away."""
        return None

    @asynccontextmanager
    async def turned(self, turn: Turn) -> AsyncIterator[Prepared]:
        """See `Part`; both sessions stay, and it is said in which one to go on."""
        began, before = turn.done.session, turn.done.session_before
        if began is None:
            yield Prepared("the restore began no session, so there is none to leave", "no run is started")
        elif turn.kind == "undo":
            yield Prepared(
                f"session {_short(before)} goes on as before;"
                f" {_short(began)}, which the restore began, is kept",
                "no run is started" + await self._still(turn.done.run),
                session=before,
                session_before=began,
            )
        else:
            yield Prepared(
                f"session {_short(began)}, which the restore began, goes on; {_short(before)} is kept",
                _how(began) + await self._still(turn.done.run),
                session=began,
                session_before=before,
            )

    async def _still(self, run: str | None) -> str:
        """Return what there is to know of RUN where it has not ended: its conversation is its own."""
        live = "SELECT status, phase FROM run WHERE id = ? AND ended_at IS NULL"
        for row in await self._reader.rows(live, (run,)):
            short = (run or "")[4:12]
            goes_on = "it goes on"
            if row["phase"] == "waiting":
                goes_on = "its question answered it goes on"
            elif row["status"] == "paused":
                goes_on = f"`descartes run resume {short}` lets it go on"
            return f"; run {short} is {row['phase'] or row['status']}, {goes_on} with the conversation it has"
        return ""

    async def is_in(self, note: Mapping[str, Any]) -> bool:
        """See `Part`; it is an event of the log, so nothing has to move."""
        return True


def _how(session: str | None) -> str:
    return f"nothing runs by itself, `descartes spawn --fork {_short(session)}` goes on from there"


def _short(session: str | None) -> str:
    return (session or "ses_?")[4:12]
