"""The state of a run's mind at any moment of the log, read-only.

A state is a fold over the events up to a sequence number, so the state at k is the same whether it is asked
for later or was followed as it came. Going on from a state is a fork (`fork`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from descartes_core.agents.models import Message
from descartes_core.agents.past import events_of, stretches
from descartes_core.errors import InvalidParams, RestoreConflict, TooLarge
from descartes_core.model import Event, NewEvent, Principal, RunStatus, Shape
from descartes_core.policy.rules import ToolCall
from descartes_core.store import EventQuery, Reader, Store
from descartes_core.store.times import milliseconds
from descartes_core.timetravel import checkpoints
from descartes_core.timetravel.fold import Brain, Missing
from descartes_core.timetravel.forks import fork_event, record_fork
from descartes_core.timetravel.thoughts import Decision, Thought, orphans, tree


class Pending(Shape, frozen=True, kw_only=True):
    """A tool call without a result; STARTED is the event of its start."""

    call: ToolCall
    started: str | None = None


class OpenQuestion(Shape, frozen=True, kw_only=True):
    """A question to a person that had no answer yet."""

    id: str
    title: str


class TouchedFile(Shape, frozen=True, kw_only=True):
    """A file that the run had written, and the events that did it."""

    path: str
    events: list[str]


class BrainState(Shape, frozen=True, kw_only=True):
    """What was in the mind of RUN behind event SEQ of the log. TURN counts the answers of the model."""

    run: str
    seq: int
    at: str | None
    """The time of the last event that counts; None before the first."""
    event: str | None
    status: RunStatus | None
    phase: str | None
    messages: list[Message]
    """What the model would be shown next."""
    turn: int
    pending: list[Pending]
    context: dict[str, Any]
    """What the run was begun with, what it has used and what it put into its working memory."""
    thoughts: list[Thought]
    decisions: list[Decision]
    """The first ones, each with what followed from it."""
    files: list[TouchedFile]
    leases: list[str]
    questions: list[OpenQuestion]
    skipped: list[str] = []
    """Events that speak of something the log does not have, left out."""


@dataclass(frozen=True)
class Filters:
    """Which events a restore looks at: of one of TYPES (category, beginning of a name), with all TAGS."""

    types: Sequence[str] = ()
    tags: Sequence[str] = ()

    def take(self, event: Event) -> bool:
        """Return whether EVENT is looked at."""
        wanted = not self.types or any(
            event.category == each or event.name.startswith(each) for each in self.types
        )
        return wanted and set(self.tags) <= set(event.tags)


@dataclass(frozen=True)
class RestoreOptions:
    """How strictly a state is put together again."""

    validate: bool = True
    """Refuse a state with orphans among thoughts and decisions, or without one of its turns."""
    skip_missing: bool = False
    """Leave out events that speak of something the log does not have, instead of refusing."""
    strict_causality: bool = False
    """Refuse an event whose cause does not stand before it in the log."""
    max_events: int | None = None
    """Refuse a past of more events."""
    include_metadata: bool = True
    """Whether thoughts and decisions carry tags and metadata."""
    filters: Filters = field(default_factory=Filters)


@dataclass(frozen=True)
class ConversationContext:
    """What the loop of an agent needs to go on: the MESSAGES the model is shown, TURN, and the rest."""

    messages: Sequence[Message]
    turn: int
    context: Mapping[str, Any]


LENIENT = RestoreOptions(validate=False, skip_missing=True)
"""For looking: whatever is left of a past is shown."""


class BrainRestore:
    """The mind of RUN (a whole id) as it was, put together from the log that READER reads."""

    def __init__(self, reader: Reader, run: str, options: RestoreOptions | None = None) -> None:
        self._reader = reader
        self._run = run
        self._options = options or RestoreOptions()

    async def restore_to(self, at: str | int | None = None) -> BrainState:
        """Return the state at AT: an ISO time, an event id, a sequence number, or now.

        Errors: `InvalidParams` for a moment that is none, `RestoreConflict` for a past that cannot be put
        together as the options want it (`data.problems`), `TooLarge`.
        """
        seq = await moment(self._reader, self._run, at)
        brain, skipped = await self._fold(seq)
        if self._options.validate and (problems := problems_of(brain)):
            raise RestoreConflict(
                f"The past of {self._run} does not hold together: {problems[0]}; restore to another moment,"
                " or without validation",
                problems=problems,
            )
        return _state(brain, self._run, seq, skipped, metadata=self._options.include_metadata)

    async def rebuild_thoughts(self, at: str | int | None = None) -> Sequence[Thought]:
        """Return the thoughts up to AT in the order of the log, which equal times do not change."""
        return (await self.restore_to(at)).thoughts

    async def rebuild_decisions(self, at: str | int | None = None) -> Sequence[Decision]:
        """Return the first decisions up to AT, each with all that followed from it."""
        return (await self.restore_to(at)).decisions

    async def rebuild_context(self, at: str | int | None = None) -> ConversationContext:
        """Return what the loop needs to go on from AT."""
        state = await self.restore_to(at)
        return ConversationContext(state.messages, state.turn, state.context)

    async def _fold(self, seq: int) -> tuple[Brain, list[str]]:
        brain, after, skipped = Brain(), 0, list[str]()
        parts = await stretches(self._reader, self._run, seq)
        plain = self._options.filters == Filters() and not self._options.strict_causality
        plain = plain and self._options.max_events is None
        kept = await checkpoints.before(self._reader, self._run, seq) if plain else None
        if kept is not None:
            brain, after, skipped = kept.brain.copy(), kept.seq, [*kept.skipped]
            parts = parts[-1:]
        ids: set[str] = set()
        for stretch in parts:
            if stretch is not parts[0]:
                brain.branch()
            async for event in events_of(self._reader, stretch, after):
                await self._take(brain, event, ids, skipped)
        if skipped and not self._options.skip_missing:
            raise RestoreConflict(
                f"The event {skipped[0]} speaks of something that the log does not have;"
                " skip what is missing, or restore to a moment before it",
                problems=skipped,
            )
        if plain:
            checkpoints.keep(self._reader, self._run, brain, skipped)
        return brain, skipped

    async def _take(self, brain: Brain, event: Event, ids: set[str], skipped: list[str]) -> None:
        options = self._options
        if not options.filters.take(event):
            return
        if options.max_events is not None and brain.events >= options.max_events:
            raise TooLarge(
                f"The past of {self._run} has more than {options.max_events} events; allow more,"
                " or restore to an earlier moment"
            )
        if options.strict_causality:
            await self._check_cause(event, ids)
        try:
            brain.apply(event)
        except Missing as missing:
            skipped.append(f"{event.id}: it {missing}")

    async def _check_cause(self, event: Event, ids: set[str]) -> None:
        ids.add(event.id)
        if event.parent is None or event.parent in ids:
            return
        found = await self._reader.rows("SELECT seq FROM event WHERE id = ?", (event.parent,))
        if not found or found[0]["seq"] >= event.seq:
            raise RestoreConflict(
                f"The event {event.id} names the cause {event.parent}, which does not stand before it;"
                " restore to a moment before it, or without strict causality",
                problems=[event.id],
            )


async def state_at(reader: Reader, run: str, seq: int | str | None) -> BrainState:
    """Return what was in the mind of RUN behind event SEQ (also an ISO time or event id; None: now).

    Whatever the log still has is shown; what it lost is named in `skipped`. Errors: `InvalidParams`.
    """
    return await BrainRestore(reader, run, LENIENT).restore_to(seq)


async def fork(
    store: Store,
    run: str,
    at: int | str | None,
    *,
    by: Principal,
    reason: str | None = None,
    options: RestoreOptions | None = None,
) -> str:
    """Return the id of a new session that goes on from RUN at AT, because of REASON; RUN stays as it is.

    OPTIONS say what a past must be like to go on from it.
    Errors: those of `BrainRestore.restore_to`; `InvalidParams` when RUN has no conversation.
    """
    state = await BrainRestore(store.reader, run, options).restore_to(at)
    return await record_fork(store, run, state.seq, by=by, reason=reason)


async def forking(
    reader: Reader, run: str, at: int | str | None, *, by: Principal, reason: str | None = None
) -> NewEvent:
    """Return the event that does what `fork` does, for whoever appends it. Errors: as for `fork`."""
    state = await BrainRestore(reader, run).restore_to(at)
    return await fork_event(reader, run, state.seq, by=by, reason=reason)


async def moment(reader: Reader, run: str | None, at: str | int | None) -> int:
    """Return AT as a sequence number: an ISO time (the last event of RUN until then), an event id, a number.

    Errors: `InvalidParams` for a time before the run or a number that no event has; `NotFound` for an id.
    """
    if at is None:
        return await reader.last_seq()
    if isinstance(at, int) or (at.isdecimal() and len(at) < 8):
        seq, last = int(at), await reader.last_seq()
        if not 0 <= seq <= last:
            raise InvalidParams(f"Expected a sequence number from 0 to {last}, got {at}; look at the history")
        return seq
    if not at.startswith("evt_") and any(sign in at for sign in "-:T"):
        milliseconds(at)
        page = await reader.events(EventQuery(run=run, until=at, limit=1))
        if not page.events:
            raise InvalidParams(f"Expected a moment after the run began, got {at}; look at its history")
        return page.events[0].seq
    return (await reader.event(at)).seq


def problems_of(brain: Brain) -> list[str]:
    """Return in a sentence each what does not hold together in BRAIN: orphans, turns that are not there."""
    thoughts = orphans({each.id: each.parent for each in brain.thoughts.values()})
    decisions = orphans({each.id: each.parent for each in brain.decisions.values()})
    return [
        *(f"the thought {id_} follows from one that is not there" for id_ in thoughts),
        *(f"the decision {id_} follows from one that is not there" for id_ in decisions),
        *_lost_turns(brain),
    ]


def _lost_turns(brain: Brain) -> Sequence[str]:
    """A call carries the number of its turn, `call_TURN_INDEX`: a turn that is missing shifts the rest."""
    answers = [each for each in brain.conversation.messages if each.role == "assistant"]
    if len(answers) != brain.conversation.turns:
        return [f"there are {len(answers)} answers in {brain.conversation.turns} turns"]
    for number, answer in enumerate(answers, start=1):
        told = [call.id.split("_")[1] for call in answer.tool_calls if call.id.startswith("call_")]
        if any(each != str(number) for each in told):
            return [f"the answer that was turn {told[0]} is number {number}"]
    return []


def _state(brain: Brain, run: str, seq: int, skipped: list[str], *, metadata: bool) -> BrainState:
    conversation = brain.conversation
    thoughts = sorted(brain.thoughts.values(), key=lambda each: each.seq)
    decisions = brain.decisions
    if not metadata:
        thoughts = [msgspec.structs.replace(each, tags=[], metadata={}) for each in thoughts]
        decisions = {
            id_: msgspec.structs.replace(each, tags=[], metadata={}) for id_, each in decisions.items()
        }
    last = brain.last
    return BrainState(
        run=run,
        seq=seq,
        at=last.at if last else None,
        event=last.id if last else None,
        status=brain.status,
        phase=brain.phase,
        messages=conversation.request()[0],
        turn=conversation.turns,
        pending=[Pending(call=step.call, started=step.started) for step in conversation.steps],
        context=_context(brain),
        thoughts=thoughts,
        decisions=tree(decisions),
        files=[TouchedFile(path=path, events=[*events]) for path, events in sorted(brain.files.items())],
        leases=sorted(brain.leases),
        questions=[OpenQuestion(id=id_, title=title) for id_, title in brain.questions.items()],
        skipped=skipped,
    )


def _context(brain: Brain) -> dict[str, Any]:
    hidden = ("id", "tokenHash")
    begun = {key: value for key, value in brain.spawned.items() if key not in hidden and value is not None}
    return {**begun, "usage": {**brain.usage}, "memory": {**brain.remembered}}
