"""Entries of a trajectory as events of the log, and back.

An entry is an event `session.…` on the stream `session/<id>`. Its data: `seqNum`, the `content` that the
Trace document describes, and what is not of that document: `effective` (it changed state or artifacts, and
was not merely written down), `blob` (the SHA-256 of an artifact's bytes), `at` (when it happened, for entries
that were imported), `correction` (what an imported file had beside what its trajectory tells) and `exact`
(the blob with content and correction as they were given, where the log masks something of them).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from descartes_core.model import Category, Event, NewEvent, Principal
from descartes_core.store.schemas import Data, register
from descartes_core.trace.errors import SessionCorrupted
from descartes_core.trace.types import SCHEMA_VERSION, EntryType, TrajectoryEntry

KINDS: Mapping[EntryType, tuple[str, Category]] = {
    EntryType.SESSION_CREATED: ("session.created", "system"),
    EntryType.SESSION_LOADED: ("session.loaded", "system"),
    EntryType.SESSION_SAVED: ("session.saved", "system"),
    EntryType.STATE_SET: ("session.state.set", "state_change"),
    EntryType.STATE_DELETED: ("session.state.deleted", "state_change"),
    EntryType.ARTIFACT_WRITTEN: ("session.artifact.written", "state_change"),
    EntryType.ARTIFACT_DELETED: ("session.artifact.deleted", "state_change"),
    EntryType.AGENT_INVOKED: ("session.agent.invoked", "action"),
    EntryType.AGENT_COMPLETED: ("session.agent.completed", "action"),
    EntryType.AGENT_FAILED: ("session.agent.failed", "error"),
    EntryType.PLAN_CREATED: ("session.plan.created", "decision"),
    EntryType.PLAN_STEP_STARTED: ("session.plan.step_started", "action"),
    EntryType.PLAN_STEP_COMPLETED: ("session.plan.step_completed", "action"),
    EntryType.USER_INPUT: ("session.user_input", "communication"),
    EntryType.SYSTEM_NOTE: ("session.note", "system"),
}
"""The name and category of the event for each type of entry."""

FORKED, IMPORTED, EXPORTED = "session.forked", "session.imported", "session.exported"
"""Events that are no entries: how a session began that was not created here, and that it was written out."""

_TYPES = {name: entry_type for entry_type, (name, _) in KINDS.items()}
_OF_RUNS = {
    "run.spawned": EntryType.SESSION_CREATED,
    "tool.started": EntryType.AGENT_INVOKED,
    "tool.completed": EntryType.AGENT_COMPLETED,
    "tool.failed": EntryType.AGENT_FAILED,
}


class EntryData(Data, frozen=True, kw_only=True, omit_defaults=True):
    """An entry of a session's trajectory; its content is what the Trace document describes."""

    seq_num: int
    content: dict[str, Any]
    effective: bool = False
    blob: str | None = None
    at: str | None = None
    correction: dict[str, Any] | None = None
    exact: str | None = None


class Forked(Data, frozen=True, kw_only=True):
    """A new session goes on from another one behind the event SEQ of the log; RUN: with its conversation."""

    session: str
    parent: str
    seq: int
    event: str
    run: str | None = None
    reason: str | None = None
    entries: int | None = None
    state_version: int | None = None


class Imported(Data, frozen=True, kw_only=True):
    """A session was read from a `.trace` file; PARENT is the one that had its id already."""

    session: str
    source: str
    saved_as: str
    max_artifact_size: int
    parent: str | None = None


class Exported(Data, frozen=True, kw_only=True):
    """A session was written to the `.trace` file PATH."""

    session: str
    path: str


for _name, _category in KINDS.values():
    register(_category, {_name: EntryData})
register("state_change", {FORKED: Forked})
register("system", {IMPORTED: Imported, EXPORTED: Exported})


@dataclass(frozen=True)
class Record:
    """An ENTRY with what the log knows beside it; SEQ and EVENT are the number and id of its event."""

    entry: TrajectoryEntry
    seq: int
    event: str
    effective: bool = False
    blob: str | None = None
    correction: dict[str, Any] | None = None
    exact: str | None = None


def stream(session: str) -> str:
    """Return the stream on which the entries of SESSION stand."""
    return f"session/{session}"


def principal(agent_id: str) -> Principal:
    """Return who AGENT_ID is in the log: never a person, which a program can only say it is."""
    return Principal(kind="service" if agent_id == "system" else "agent", id=agent_id, name=agent_id)


def new_event(session: str, agent_id: str, entry_type: EntryType, data: EntryData) -> NewEvent:
    """Return the event for an entry of AGENT_ID in SESSION."""
    name, category = KINDS[entry_type]
    return NewEvent(
        category=category,
        name=name,
        stream=stream(session),
        actor=principal(agent_id),
        session=session,
        agent=agent_id,
        data=msgspec.to_builtins(data),
    )


def record_of(event: Event) -> Record:
    """Return the entry that EVENT is. Errors: `SessionCorrupted` when its data is not in the log any more."""
    data = event.data
    if "seqNum" not in data:
        raise SessionCorrupted(
            f"Expected an entry of the session {event.session!r} in event {event.seq}, its data is gone;"
            " take the session from a file it was saved to"
        )
    entry = TrajectoryEntry(
        seq_num=data["seqNum"],
        timestamp=datetime.fromisoformat(data.get("at") or event.at).astimezone(UTC),
        agent_id=event.agent or event.actor.id,
        entry_type=_TYPES[event.name],
        content=data["content"],
    )
    effective = bool(data.get("effective"))
    return Record(
        entry, event.seq, event.id, effective, data.get("blob"), data.get("correction"), data.get("exact")
    )


def record_of_run(event: Event, seq_num: int) -> Record:
    """Return EVENT of a run as the entry SEQ_NUM of its session, as near as a trajectory has words for it."""
    entry_type = _OF_RUNS.get(event.name, EntryType.SYSTEM_NOTE)
    content: dict[str, Any] = {"event": event.name, "data": event.data}
    if event.name == "message" and event.data.get("role") == "user":
        entry_type = EntryType.USER_INPUT
    elif event.name == "run.spawned":
        content = {"session_id": event.session, "schema_version": SCHEMA_VERSION, **content}
    at = datetime.fromisoformat(event.at).astimezone(UTC)
    entry = TrajectoryEntry(seq_num, at, event.agent or event.actor.id, entry_type, content)
    return Record(entry, event.seq, event.id)
