"""What is in an agent's mind, as a fold over its events: conversation, thoughts, decisions, what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from descartes_core.agents.conversation import Conversation
from descartes_core.model import Event, RunStatus
from descartes_core.runs.machine import is_terminal
from descartes_core.timetravel.thoughts import Decision, Lineage, Thought, decision_of, thought_of

_ANSWERS = frozenset(["tool.started", "tool.completed", "tool.failed"])

_LEASE_GIVEN = frozenset({"lease.acquired", "lease.stolen", "lease.moved"})


class Missing(Exception):
    """An event speaks of something that is not in the log before it; the argument says of what."""


@dataclass
class Brain:
    """The fold. Invariant: whatever an event is refused for, nothing of it has been taken in."""

    conversation: Conversation = field(default_factory=Conversation)
    thoughts: dict[str, Thought] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    spawned: Mapping[str, Any] = field(default_factory=dict)
    """The data of `run.spawned`: the task and with what it was begun."""
    status: RunStatus | None = None
    phase: str | None = None
    usage: dict[str, float] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)
    """The events that wrote each file, by its path."""
    leases: list[str] = field(default_factory=list)
    questions: dict[str, str] = field(default_factory=dict)
    """The title of every open question, by its id."""
    remembered: dict[str, str] = field(default_factory=dict)
    """What actions put into the working memory (`memory_key`, `memory_value`)."""
    events: int = 0
    last: Event | None = None
    _thinking: Lineage = field(default_factory=Lineage)
    _deciding: Lineage = field(default_factory=Lineage)

    def apply(self, event: Event) -> None:
        """Take EVENT into account. Errors: `Missing`, and then it was not."""
        try:
            self._apply(event)
        except KeyError as absent:
            raise Missing(f"has no {absent.args[0]!r} any more") from None
        except msgspec.ValidationError as wrong:
            raise Missing(f"has data of another kind: {wrong}") from None
        self._thinking.note(event, self._thought_id(event))
        self._deciding.note(event, self._decision_id(event))
        self.events += 1
        self.last = event

    def branch(self) -> None:
        """Go on as a fork: the mind stays, what the run held and asked does not."""
        self.conversation.branch()
        self.leases = []
        self.questions = {}
        self.status = self.phase = None

    def copy(self) -> Brain:
        """Return the same mind, which goes on apart from this one."""
        return Brain(
            conversation=self.conversation.copy(),
            thoughts={**self.thoughts},
            decisions={**self.decisions},
            spawned=self.spawned,
            status=self.status,
            phase=self.phase,
            usage={**self.usage},
            files={path: [*events] for path, events in self.files.items()},
            leases=[*self.leases],
            questions={**self.questions},
            remembered={**self.remembered},
            events=self.events,
            last=self.last,
            _thinking=self._thinking.copy(),
            _deciding=self._deciding.copy(),
        )

    def _apply(self, event: Event) -> None:
        if event.category == "thought" and event.name == "thought":
            thought = thought_of(event, self._thinking.above(event))
            self.thoughts[thought.id] = thought
        elif event.category == "decision":
            self._decide(event)
        elif event.name.startswith("lease."):
            self._lease(event)
        elif event.name.startswith("run."):
            self._run(event)
        elif event.category == "action":
            self._act(event)
        if event.name in _ANSWERS and not self._is_asked_for(event.data["callId"]):
            raise Missing(f"answers the call {event.data['callId']!r}, which nobody made")
        self.conversation.apply(event)

    def _is_asked_for(self, call: str) -> bool:
        return any(step.call.id == call for step in self.conversation.steps)

    def _decide(self, event: Event) -> None:
        data = event.data
        if event.name not in ("intervention.answered", "intervention.closed"):
            decision = decision_of(event, self._deciding.above(event))
            self.decisions[decision.id] = decision
            if event.name == "intervention.opened":
                self.questions[data["id"]] = data["title"]
            return
        asked = self.decisions.get(data["id"])
        if asked is not None:
            outcome = data.get("choice") or "closed"
            self.decisions[asked.id] = msgspec.structs.replace(
                asked, outcome=outcome, reason=data.get("reason"), by=event.actor
            )
        self.questions.pop(data["id"], None)

    def _lease(self, event: Event) -> None:
        if event.name not in _LEASE_GIVEN and event.name not in ("lease.released", "lease.expired"):
            return
        path = event.data["path"]
        # What was taken over may lie below PATH, or have another name; `previous` has those of this run.
        over = {path, event.data.get("from"), *(each["path"] for each in event.metadata.get("previous", ()))}
        self.leases = [each for each in self.leases if each not in over]
        if event.name in _LEASE_GIVEN and event.data.get("run") == event.run:
            self.leases.append(path)

    def _run(self, event: Event) -> None:
        match event.name:
            case "run.spawned":
                self.spawned, self.status = event.data, "idle"
            case "run.status":
                self.status, self.phase = event.data["to"], event.data.get("phase")
                self.leases = [] if is_terminal(event.data["to"]) else self.leases
            case "run.phase":
                self.phase = event.data["phase"]
            case "run.usage":
                for name, amount in event.data.items():
                    self.usage[name] = self.usage.get(name, 0) + (amount or 0)

    def _act(self, event: Event) -> None:
        data = event.data
        if event.name == "file.written":
            self.files.setdefault(data["path"], []).append(event.id)
        if "memory_key" in data:
            self.remembered[str(data["memory_key"])] = str(data.get("memory_value"))

    @staticmethod
    def _thought_id(event: Event) -> str | None:
        return event.data.get("thoughtId") or event.id if event.name == "thought" else None

    @staticmethod
    def _decision_id(event: Event) -> str | None:
        if event.category != "decision":
            return None
        return event.data.get("id") or event.data.get("decisionId") or event.id
