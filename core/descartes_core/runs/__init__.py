"""Runs: their state machine, their supervisor, and the table that lists them."""

from descartes_core.runs.queries import RunView
from descartes_core.runs.spawning import SpawnRequest
from descartes_core.runs.supervisor import Runs, read_output

__all__ = ["RunView", "Runs", "SpawnRequest", "read_output"]
