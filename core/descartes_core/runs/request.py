"""What is asked for when a run is spawned. A module of its own, so that doors load nothing else for it."""

from __future__ import annotations

from descartes_core.model import Shape


class SpawnRequest(Shape, frozen=True):
    """What is asked for, as the operation `run.spawn` takes it."""

    task: str
    agent: str | None = None
    backend: str | None = None
    model: str | None = None
    tool_level: str | None = None
    command: list[str] | None = None
    files: list[str] = []
    secrets: list[str] = []
    """Names of secrets that the command, or any step of a model, may have."""
    tags: list[str] = []
    """What its events are tagged with, so that they are found together with those of other runs."""
    fork: str | None = None
    """A session that was forked off another: the run goes on with its conversation."""
    session: str | None = None
    """The session that it belongs to, whose whiteboard it shares; by default a new one, or its spawner's."""
