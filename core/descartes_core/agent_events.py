"""The events of agents under the names that agent programs know: a view of the log, nothing of its own.

| name | event of the log |
|---|---|
| `agent_started`, `sub_agent_started` | `run.spawned`, by a person or by another run |
| `agent_completed`, `sub_agent_completed` | `run.status` to completed, failed or terminated |
| `tool_started`, `tool_completed`, `tool_failed` | `tool.started`, `tool.completed`, `tool.failed` |
| `planning_complete` | `session.plan.created` |
| `todos_updated` | `session.plan.step_started`, `session.plan.step_completed` |
| `state_checkpointed` | `body.snapshot`, `session.saved` |
| `token_usage` | `run.usage` |

`streaming_token` is no event: what a run prints is the notification `descartes/run/output`.
"""

from __future__ import annotations

from typing import Any, Literal

from descartes_core.model import Event, Shape
from descartes_core.store import EventQuery, Reader, Redactor

AgentEventName = Literal[
    "agent_started",
    "agent_completed",
    "sub_agent_started",
    "sub_agent_completed",
    "tool_started",
    "tool_completed",
    "tool_failed",
    "planning_complete",
    "todos_updated",
    "state_checkpointed",
    "token_usage",
]
NAMES: dict[str, AgentEventName] = {
    "tool.started": "tool_started",
    "tool.completed": "tool_completed",
    "tool.failed": "tool_failed",
    "session.plan.created": "planning_complete",
    "session.plan.step_started": "todos_updated",
    "session.plan.step_completed": "todos_updated",
    "body.snapshot": "state_checkpointed",
    "session.saved": "state_checkpointed",
    "run.usage": "token_usage",
}
_SHOWN = Redactor()
ENDED = frozenset(["completed", "failed", "terminated"])


class Metadata(Shape, frozen=True, kw_only=True, rename=None):
    """What every event says beside its data, in the names that agent programs know."""

    thread_id: str
    correlation_id: str
    timestamp: str
    customer_id: str | None = None


class AgentEvent(Shape, frozen=True, kw_only=True, rename=None):
    """An event of an agent: its NAME, its METADATA, the run, and the data of the log's event ID.

    SUMMARY is the data in a hundred characters.
    """

    name: AgentEventName
    metadata: Metadata
    id: str
    run: str | None
    data: dict[str, Any]
    summary: str


def metadata_of(event: Event) -> Metadata:
    """Return the metadata of EVENT: the thread is its session, or what it belongs to where it has none.

    A customer is named by whoever appends, in the metadata `customerId`.
    """
    correlation = event.correlation or event.id
    customer = event.metadata.get("customerId")
    return Metadata(
        thread_id=event.session or correlation,
        correlation_id=correlation,
        timestamp=event.at,
        customer_id=customer if isinstance(customer, str) else None,
    )


class AgentEvents:
    """The view, read through READER. Concurrency: belongs to the loop of READER."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._sub: dict[str, bool] = {}

    async def of(self, event: Event) -> AgentEvent | None:
        """Return EVENT under the name that agent programs know, None when they have none for it."""
        name = await self._name(event)
        if name is None:
            return None
        return AgentEvent(
            name=name,
            metadata=metadata_of(event),
            id=event.id,
            run=event.run,
            data=event.data,
            summary=_SHOWN.preview(event.data),
        )

    async def _name(self, event: Event) -> AgentEventName | None:
        if event.name == "run.spawned":
            return "sub_agent_started" if _is_sub(event) else "agent_started"
        if event.name == "run.status" and event.data.get("to") in ENDED:
            return "sub_agent_completed" if await self._of_sub(event) else "agent_completed"
        return NAMES.get(event.name)

    async def _of_sub(self, event: Event) -> bool:
        run = event.run or ""
        if run not in self._sub:
            spawned = (await self._reader.events(EventQuery(run=run, type="run.spawned", limit=1))).events
            self._sub[run] = bool(spawned) and _is_sub(spawned[0])
        return self._sub[run]


def _is_sub(spawned: Event) -> bool:
    return spawned.actor.kind == "agent" and spawned.actor.id != spawned.run
