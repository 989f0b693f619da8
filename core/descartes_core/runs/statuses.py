"""How a run goes from one status to the next: by an event in the log, decided in its transaction."""

from __future__ import annotations

from typing import Any

from descartes_core.agents.journal import Journal
from descartes_core.model import Principal, RunStatus
from descartes_core.runs import machine
from descartes_core.runs.machine import RunEvent
from descartes_core.runs.projection import resumed_status
from descartes_core.store import Transaction


class Statuses:
    """The status of one run. Invariant: what the log says decides; nothing is remembered here."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def advance(
        self, event: RunEvent, *, by: Principal | None = None, phase: str | None = None, **data: Any
    ) -> RunStatus:
        """Take EVENT, caused by BY, and return the status after it; PHASE is what the run does in it.

        A status that is there already is no edge and leaves no event; a changed PHASE does.
        Errors: `InvalidTransition`.
        """
        return await self._journal.store.transact(lambda tx: self.take(tx, event, by=by, phase=phase, **data))

    def take(
        self,
        tx: Transaction,
        event: RunEvent,
        *,
        by: Principal | None = None,
        phase: str | None = None,
        **data: Any,
    ) -> RunStatus:
        """Do what `advance` does inside TX."""
        row = self._row(tx)
        target = machine.after(row["status"], event, resumed=resumed_status(row))
        if target == row["status"]:
            self.enter_phase(tx, phase, by=by)
            return target
        moved = {"from": row["status"], "to": target, "event": event, **data}
        if phase is not None:
            moved["phase"] = phase
        tx.append(self._journal.event("state_change", "run.status", moved, by=by))
        return target

    def leave_pause(self, tx: Transaction) -> None:
        """End a pause inside TX that somebody ended without us, such as by a SIGCONT of their own."""
        if self._row(tx)["status"] == "paused":
            self.take(tx, "resume")

    def enter_phase(self, tx: Transaction, phase: str | None, *, by: Principal | None = None) -> None:
        """Note inside TX that the run is in PHASE now, its status unchanged."""
        if phase != self._row(tx)["phase"]:
            tx.append(self._journal.event("state_change", "run.phase", {"phase": phase}, by=by))

    async def phase(self, phase: str | None, *, by: Principal | None = None) -> None:
        """Note that the run is in PHASE now."""
        await self._journal.store.transact(lambda tx: self.enter_phase(tx, phase, by=by))

    def _row(self, tx: Transaction) -> dict[str, Any]:
        columns = ("status", "phase", "paused_from")
        found = tx.execute(f"SELECT {', '.join(columns)} FROM run WHERE id = ?", (self._journal.run,))
        return dict(zip(columns, found.fetchone(), strict=True))
