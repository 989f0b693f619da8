"""Runs as anybody can read them from the log, without a hub."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from descartes_core.errors import InvalidParams, RunNotFound
from descartes_core.model import Run
from descartes_core.ports import Clock, SystemClock
from descartes_core.runs.machine import STATUSES, TERMINAL
from descartes_core.runs.projection import run_of
from descartes_core.store import Reader

_SELECT = """
SELECT run.*,
  (SELECT json_group_array(path) FROM lease
    WHERE lease.run = run.id AND ended IS NULL AND expires_ms > ?) AS leases,
  (SELECT count(*) FROM intervention i WHERE i.run = run.id AND i.status = 'open') AS interventions
FROM run
"""


class RunView:
    """Reads runs through READER; what it says of leases and questions holds at the moment of asking."""

    def __init__(self, reader: Reader, clock: Clock | None = None) -> None:
        self._reader = reader
        self._clock = clock or SystemClock()

    async def list(self, status: str | None = None, limit: int = 100) -> Sequence[Run]:
        """Return the newest LIMIT runs, newest first: those with STATUS, or all of them.

        STATUS is one of the eight, or `active` for every run that has not ended.
        Errors: `InvalidParams`.
        """
        if limit < 1:
            raise InvalidParams(f"The limit of a list is 1 or more, not {limit}")
        wanted = _statuses(status)
        marks = ", ".join("?" * len(wanted))
        sql = f"{_SELECT} WHERE run.status IN ({marks}) ORDER BY run.seq DESC LIMIT ?"
        return [run_of(row) for row in await self._rows(sql, *wanted, limit)]

    async def show(self, id_prefix: str) -> Run:
        """Return the run whose id begins with ID_PREFIX (`run_` may be left out).

        Errors: `RunNotFound`; `InvalidParams` with `candidates` when several begin so.
        """
        return run_of(await self.row(id_prefix))

    async def row(self, id_prefix: str) -> dict[str, Any]:
        """Return the row of the run whose id begins with ID_PREFIX; errors as of `show`."""
        id_ = await self._reader.resolve("run", id_prefix)
        for row in await self._rows(f"{_SELECT} WHERE run.id = ?", id_):
            return row
        raise RunNotFound(f"No run has an id that begins with {id_prefix!r}; look at the list", run=id_prefix)

    async def _rows(self, sql: str, *parameters: Any) -> Sequence[dict[str, Any]]:
        return await self._reader.rows(sql, (self._clock.now_ms(), *parameters))


def _statuses(status: str | None) -> Sequence[str]:
    if status is None:
        return STATUSES
    if status == "active":
        return [each for each in STATUSES if each not in TERMINAL]
    if status not in STATUSES:
        raise InvalidParams(f"The status of a run is active or one of {', '.join(STATUSES)}, not {status!r}")
    return [status]
