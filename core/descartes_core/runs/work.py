"""What the supervisor needs from a backend: one `Work` for each run, which knows how such a run works."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from descartes_core.agents.hands import Places
from descartes_core.agents.journal import Journal
from descartes_core.agents.step_secrets import StepSecrets
from descartes_core.config.table import Settings
from descartes_core.leases import Leases
from descartes_core.memory.memory import Memory
from descartes_core.model import NewEvent, Principal
from descartes_core.policy.interventions import Interventions
from descartes_core.ports import BodySnapshots, Forms, LispPort
from descartes_core.runs.projection import RunRecord
from descartes_core.runs.statuses import Statuses
from descartes_core.store import Store
from descartes_core.vault.audit import Visitor
from descartes_core.vault.secrets import Secrets

OutputListener = Callable[[str, str, str], None]
"""Told of each piece of output: run, stream (`stdout`, `stderr`), text."""


@dataclass(frozen=True)
class ToolServer:
    """A program that offers tools by the Model Context Protocol on its standard input and output."""

    name: str
    command: list[str]


@dataclass(frozen=True)
class Surroundings:
    """What every run of a workspace works with."""

    store: Store
    leases: Leases
    interventions: Interventions
    lisp: LispPort | None
    workspace: Path
    state: Path
    """Where output is kept: `.descartes` of the workspace."""
    runtime: Path
    """Where records of processes lie; never inside the workspace."""
    on_output: OutputListener | None
    unsaved_in: Callable[[Path], str | None]
    """Names the editor in which a file, by its real path, has unsaved changes."""
    body: BodySnapshots
    """Keeps the files around what runs do to them."""
    forms: Forms | None = None
    memory: Memory | None = None
    """Notes, boards and wisdom; without it runs have none of these tools."""
    settings: Callable[[], Settings] = Settings
    """The settings as they are at the moment of asking."""
    secrets: Secrets | None = None
    tool_server: ToolServer | None = None
    """What agents of other programs are given beside their own tools."""

    def places(self, run: str) -> Places:
        """Return the folders of RUN."""
        return Places(self.workspace, self.runtime / "runs" / run, self.state / "output" / run)


@dataclass(frozen=True)
class Job:
    """One run as its backend is given it."""

    record: RunRecord
    environment: Mapping[str, str]
    recovered: Mapping[str, Any] | None
    """The row of a run that had begun under a hub that is gone, as that hub left it."""
    around: Surroundings
    places: Places
    journal: Journal
    statuses: Statuses

    def lease_seconds(self) -> float:
        """Return how long a lease of this run lasts unless it is renewed, as the settings are now."""
        return self.around.settings().leases.ttl_seconds

    @property
    def visitor(self) -> Visitor:
        """The run as the vault knows it."""
        return visitor_of(self.record, "a run")

    @property
    def secrets(self) -> StepSecrets:
        """What this run may have of the vault."""
        return StepSecrets(self.around.secrets, self.visitor, self.record.secrets)


def visitor_of(record: RunRecord, source: str) -> Visitor:
    """Return the run of RECORD as the vault knows it when it comes through SOURCE."""
    principal = Principal(kind="agent", id=record.id, name=record.agent)
    return Visitor(principal, source, ["agent", record.tool_level], run=record.id, named=record.vouched)


@dataclass(frozen=True)
class Ending:
    """How a run ends."""

    event: Literal["complete", "fail", "terminate"]
    reason: str | None = None
    exit_code: int | None = None


class Work(Protocol):
    """One run at work. `perform` runs in a task of its own; the other methods are called beside it."""

    async def perform(self) -> Ending:
        """Do the work and return how it ended.

        Errors: a `DescartesError` makes the run fail with its message, `Cancelled` terminates it.
        Concurrency: when it is cancelled it leaves at once and leaves nothing running that it started,
        except a process under a keeper.
        """
        ...

    async def pause(self, by: Principal, *, force: bool) -> None:
        """Pause as BY wants it, by FORCE at once, else when the current step is done."""
        ...

    async def resume(self, by: Principal) -> None:
        """Go on after a pause."""
        ...

    async def stop(self, grace_seconds: float) -> None:
        """Make `perform` end: politely within GRACE_SECONDS, then by force; with 0 at once."""
        ...

    async def send(self, text: str) -> None:
        """Take TEXT, which stands in the log already."""
        ...

    def unfinished(self) -> Sequence[NewEvent]:
        """Return the events that belong into the log because the run ends here."""
        ...
