"""The projections with which every process opens the log: one list, so that no writer leaves one behind."""

from __future__ import annotations

from descartes_core.store.projections import Projection


def standard() -> tuple[Projection, ...]:
    """Return all projections of Descartes. Add yours here (imported inside, so that no cycle arises)."""
    from descartes_core.leases.projection import LEASES
    from descartes_core.memory.associative import ASSOCIATIONS
    from descartes_core.memory.whiteboard import WHITEBOARD
    from descartes_core.memory.wisdom import WISDOM
    from descartes_core.policy.projection import INTERVENTIONS
    from descartes_core.runs.projection import RUNS
    from descartes_core.trace.projection import SESSIONS

    return (LEASES, RUNS, INTERVENTIONS, SESSIONS, WHITEBOARD, WISDOM, ASSOCIATIONS)
