"""The shapes that stand in the log and travel through every door, exactly as interface.md names them.

Python attributes are snake_case; `msgspec.to_builtins` and `msgspec.json` give the camelCase wire names.
Times are ISO 8601 UTC with milliseconds in these shapes (`2026-11-21T08:40:32.123Z`) and integer
milliseconds UTC inside the store.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Category = Literal[
    "thought", "action", "tool_use", "state_change", "communication", "decision", "error", "system"
]
PrincipalKind = Literal["human", "agent", "service"]
LeaseMode = Literal["exclusive", "shared", "intent"]
PauseMode = Literal["cooperative", "forced"]
RunStatus = Literal[
    "idle", "initializing", "running", "thinking", "paused", "completed", "failed", "terminated"
]
InterventionKind = Literal[
    "approval", "restart", "stall", "breakpoint", "restore", "review", "lease", "question"
]


class Shape(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Base of all wire shapes: immutable, camelCase on the wire."""


class Principal(Shape, frozen=True, kw_only=True):
    """Who acts: a person, an agent (a run) or another program. KIND and ID decide identity; NAME is shown."""

    kind: PrincipalKind
    id: str
    name: str
    via: str | None = None
    """The editor or door a person came through, such as `Emacs`; never part of identity."""

    def same_as(self, other: Principal) -> bool:
        """Return whether OTHER is the same principal: kind and id alone decide."""
        return (self.kind, self.id) == (other.kind, other.id)


class Event(Shape, frozen=True, kw_only=True):
    """One row of the log as it is published."""

    id: str
    seq: int
    at: str
    category: Category
    name: str
    actor: Principal
    run: str | None = None
    session: str | None = None
    agent: str | None = None
    parent: str | None = None
    correlation: str | None = None
    """What belongs together across streams: the run, an evaluation, a session, else the event itself."""
    tags: list[str] = []
    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    git_commit: str | None = None


class NewEvent(Shape, frozen=True, kw_only=True):
    """An event to append. STREAM is what is versioned together: `run/<id>`, `lease/<path>`, `lisp`, `hub`."""

    category: Category
    name: str
    stream: str
    actor: Principal
    run: str | None = None
    session: str | None = None
    agent: str | None = None
    parent: str | None = None
    correlation: str | None = None
    tags: list[str] = []
    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    git_commit: str | None = None
    id: str | None = None
    """`evt_<32 hex digits>`; made by the store when left out."""


class Lease(Shape, frozen=True, kw_only=True):
    """Who may write a file, why, and until when. PATH is relative to the workspace, absolute outside it."""

    path: str
    uri: str
    holder: Principal
    mode: LeaseMode
    token: int
    acquired_at: str
    expires_at: str
    reason: str | None = None
    run: str | None = None


class Usage(Shape, frozen=True, kw_only=True):
    """What a run has used; COST_USD is None where the backend names no price."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None


class Run(Shape, frozen=True, kw_only=True):
    """One agent at work, or that was at work."""

    id: str
    agent: str
    backend: str
    task: str
    status: RunStatus
    session: str
    runner: str
    started_at: str
    phase: str | None = None
    ended_at: str | None = None
    leases: list[str] = []
    interventions: int = 0
    usage: Usage = Usage()
    exit_code: int | None = None
    reason: str | None = None
    paused_at: str | None = None
    """When it was paused last, also after it went on."""
    pause_mode: PauseMode | None = None
    """How: between two steps, or its processes by force; None where it waited for an answer."""


class Choice(Shape, frozen=True, kw_only=True):
    """One way to answer an intervention; ARGUMENTS names what may be given with it."""

    id: str
    title: str
    arguments: list[str] = []


class Intervention(Shape, frozen=True, kw_only=True):
    """A question to a person with typed choices."""

    id: str
    kind: InterventionKind
    title: str
    detail: str
    choices: list[Choice]
    run: str | None = None
    default: str | None = None
    deadline: str | None = None
    status: Literal["open", "answered", "closed"] = "open"
    data: dict[str, Any] = {}
