"""Checkpoints: the state of an agent's thread, kept by version where whoever goes on with it can read it.

An agent works without one. Open one by its URL: `await open_checkpointer("sqlite:///work/state.db")`.
"""

from descartes_core.checkpoints.opening import open_checkpointer
from descartes_core.checkpoints.port import Checkpoint, Checkpointer
from descartes_core.checkpoints.snapshot import AgentInterrupt, AgentStateSnapshot, TodoItem

__all__ = [
    "AgentInterrupt",
    "AgentStateSnapshot",
    "Checkpoint",
    "Checkpointer",
    "TodoItem",
    "open_checkpointer",
]
