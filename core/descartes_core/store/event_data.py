"""The data of the core's own events: runs, tools, conversation, leases, questions.

How to add others: `schemas`.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from descartes_core.model import Choice, Intervention, InterventionKind, Lease, RunStatus, Shape, Usage
from descartes_core.store.schemas import Data, register


class Thought(Data, frozen=True, kw_only=True):
    """What a model thought before it said or did something."""

    content: str
    thought_type: str = "general"
    thought_id: str


class CallData(Shape, frozen=True, kw_only=True):
    """A tool that a message asks for; ID is unique in its run."""

    id: str
    name: str
    arguments: dict[str, Any]


class MessageData(Data, frozen=True, kw_only=True):
    """Something said in a run: to it (role user) or by it (assistant)."""

    role: Literal["user", "assistant"]
    content: str
    message_id: str
    heard: int | None = None
    """How many messages it had been told since the one before."""
    tool_calls: list[CallData] = []


class FileWritten(Data, frozen=True, kw_only=True):
    """A run, or who uses the operations `file.*`, replaced or made a file."""

    path: str
    sha256_before: str | None
    sha256_after: str


class FileSaved(Data, frozen=True, kw_only=True):
    """A person saved a file in an editor, with other content than it had."""

    path: str
    sha256_before: str | None
    """Of the text as the editor had it before, None when that was too long to say."""
    sha256_after: str


class LeaseRequested(Data, frozen=True, kw_only=True):
    """Somebody asks the holder of a lease for it."""

    path: str
    message: str
    lease: Lease


class ToolStarted(Data, frozen=True, kw_only=True):
    """A tool call begins, or (executed: false) gets its result without being executed."""

    call_id: str
    tool: str
    arguments: dict[str, Any]
    executed: bool = True


class ToolCompleted(Data, frozen=True, kw_only=True):
    """A tool call succeeded."""

    call_id: str
    tool: str
    result: str
    duration_ms: int
    executed: bool = True


class ProblemData(Shape, frozen=True, kw_only=True):
    """An error as every door shows it."""

    code: str
    message: str
    data: dict[str, Any] = {}


class ToolFailed(Data, frozen=True, kw_only=True):
    """A tool call failed, was refused, rejected or interrupted."""

    call_id: str
    tool: str
    error: ProblemData
    duration_ms: int
    executed: bool = True


class RunStatusChanged(Data, frozen=True, kw_only=True):
    """A run goes from one status to the next."""

    from_: RunStatus
    to: RunStatus
    event: Literal["start", "ready", "think", "act", "pause", "resume", "complete", "fail", "terminate"]
    phase: str | None = None
    reason: str | None = None
    exit_code: int | None = None
    intervention: str | None = None
    mode: str | None = None
    """How it was paused, cooperative or forced."""


class RunPhase(Data, frozen=True, kw_only=True):
    """What a run does within its status changed."""

    phase: str | None


class Answered(Data, frozen=True, kw_only=True):
    """A person answered a question."""

    id: str
    kind: InterventionKind
    choice: str
    arguments: list[str]
    reason: str | None
    call_id: str | None = None
    call_key: str | None = None


class Closed(Data, frozen=True, kw_only=True):
    """A question was closed without an answer, because it no longer matters."""

    id: str
    kind: InterventionKind
    reason: str


class Problem(Data, frozen=True, kw_only=True):
    """Something went wrong; the parent is what it went wrong in."""

    code: str
    message: str
    recoverable: bool


class RunSpawned(Shape, frozen=True, kw_only=True):
    """A run begins: what it is for and with what it works."""

    id: str
    agent: str
    backend: str
    task: str
    session: str
    runner: str
    token_hash: str
    tool_level: str
    tags: list[str] = []


class RunProcess(Data, frozen=True, kw_only=True):
    """The process of a run was started."""

    boot: str
    pid: int
    start: str


class AgentConnected(Data, frozen=True, kw_only=True):
    """The agent of another program introduced itself, and began a session of its own for a run."""

    protocol: int
    """The version of the Agent Client Protocol."""
    name: str | None
    version: str | None
    agent_session: str
    """The session's id with the agent."""
    loads: bool = False
    """Whether the agent can take that session up again when it was started anew."""


class Opened(Intervention, frozen=True, kw_only=True):
    """A question was asked: an approval, a restart, a conflict."""

    choices: list[Choice]


class UsageCounted(Usage, frozen=True, kw_only=True):
    """What a turn of a model used."""


class LeaseChanged(Lease, frozen=True, kw_only=True):
    """A lease was acquired, renewed, released or stolen, soon expires or has expired."""


class LeaseMoved(Lease, frozen=True, kw_only=True):
    """A lease followed its file, or the folder around it, to a new name."""

    origin: str = msgspec.field(name="from")
    """The path that it was on."""


register("thought", {"thought": Thought})
register("action", {"file.written": FileWritten, "file.saved": FileSaved})
register(
    "action",
    {
        f"lease.{change}": LeaseChanged
        for change in ("acquired", "renewed", "released", "stolen", "expiring", "expired")
    },
)
register(
    "tool_use", {"tool.started": ToolStarted, "tool.completed": ToolCompleted, "tool.failed": ToolFailed}
)
register(
    "state_change",
    {"run.status": RunStatusChanged, "run.phase": RunPhase},
)
register("action", {"lease.moved": LeaseMoved})
register("communication", {"message": MessageData, "lease.requested": LeaseRequested})
register(
    "decision",
    {"intervention.opened": Opened, "intervention.answered": Answered, "intervention.closed": Closed},
)
register("error", {"error": Problem})
register(
    "system",
    {
        "run.spawned": RunSpawned,
        "run.process": RunProcess,
        "run.usage": UsageCounted,
        "agent.connected": AgentConnected,
    },
)
