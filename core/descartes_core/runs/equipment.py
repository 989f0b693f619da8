"""What a run works with that calls tools: its hands, the executor of its calls, what the log has of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from descartes_core.agents.control import Control
from descartes_core.agents.conversation import Conversation
from descartes_core.agents.executor import ToolExecutor
from descartes_core.agents.hands import Hands
from descartes_core.agents.questions import Questions
from descartes_core.agents.run_leases import RunLeases
from descartes_core.agents.tools import TOOLS
from descartes_core.agents.tools.tool import Tool
from descartes_core.model import Event
from descartes_core.policy.rules import Policy
from descartes_core.runs.work import Job
from descartes_core.store import EventQuery

EVERYTHING = 1_000_000


def hands_of(job: Job) -> Hands:
    """Return the hands of the run of JOB."""
    record, around = job.record, job.around
    return Hands(
        journal=job.journal,
        leases=RunLeases(
            around.leases,
            job.journal,
            around.forms,
            reason=record.purpose,
            files=record.files,
            ttl_seconds=job.lease_seconds,
        ),
        places=job.places,
        environment=job.environment,
        secrets=job.secrets,
    )


def policy_of(job: Job) -> Policy:
    """Return the policy for the calls of the run of JOB, with the rules as they are at each call."""
    around = job.around
    return Policy(lambda: around.settings().policy.rules)


def about(job: Job) -> dict[str, str | None]:
    """Return what conditions of the settings know of the run of JOB."""
    record = job.record
    return {"id": record.id, "agent": record.agent, "task": record.task, "model": record.model}


def executor_of(
    job: Job,
    conversation: Conversation,
    hands: Hands,
    control: Control,
    tools: Mapping[str, Tool] = TOOLS,
) -> ToolExecutor:
    """Return what executes the calls of TOOLS for the run of JOB, by its HANDS."""
    around = job.around
    return ToolExecutor(
        workspace=around.workspace,
        tools=tools,
        level=job.record.tool_level,
        policy=policy_of(job),
        about=about(job),
        conversation=conversation,
        questions=Questions(
            around.interventions,
            level=job.record.tool_level,
            conversation=conversation,
            journal=job.journal,
            control=control,
        ),
        journal=job.journal,
        hands=hands,
        lisp=around.lisp,
        unsaved_in=around.unsaved_in,
        memory=around.memory,
        body=around.body,
        secrets=job.secrets,
    )


async def follow(job: Job, fold: Callable[[Event], None]) -> Callable[[], None]:
    """Have FOLD take what the log has of the run of JOB, and what comes; return what ends that."""
    store, run = job.around.store, job.record.id
    early: list[Event] = []
    take: Callable[[Event], None] = early.append

    def listen(events: Sequence[Event]) -> None:
        for event in events:
            if event.run == run:
                take(event)

    forget = store.on_events(listen)
    try:
        page = await store.reader.events(EventQuery(run=run, order="asc", limit=EVERYTHING))
    except BaseException:
        forget()
        raise
    last = page.events[-1].seq if page.events else 0
    for event in [*page.events, *(each for each in early if each.seq > last)]:
        fold(event)
    take = fold
    return forget
