"""Runs: their state machine, their supervisor, and the table that lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descartes_core.runs.output import read_output
from descartes_core.runs.queries import RunView
from descartes_core.runs.request import SpawnRequest

if TYPE_CHECKING:
    from descartes_core.runs.supervisor import Runs

__all__ = ["RunView", "Runs", "SpawnRequest", "read_output"]


def __getattr__(name: str) -> Any:
    """Return `Runs` when it is asked for: only the hub needs what it brings along."""
    if name != "Runs":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from descartes_core.runs.supervisor import Runs

    return Runs
