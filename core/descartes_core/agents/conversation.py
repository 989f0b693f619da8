"""What a run has said, heard and done so far: a fold over the events of its part of the log.

Pure, and the only memory of the loop: a run that is taken up after a crash folds its events and is exactly
where it was. It appends nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import msgspec

from descartes_core.agents.models import Message
from descartes_core.model import Event
from descartes_core.policy.rules import ToolCall


@dataclass(frozen=True)
class Step:
    """A tool call that has no result yet."""

    call: ToolCall
    asked_by: str
    """The event of the message that asked for it."""
    started: str | None = None
    """The event `tool.started`, when its execution had begun."""


@dataclass
class Conversation:
    """The fold. Invariant: `steps` are all of the last message of the assistant, in its order."""

    messages: list[Message] = field(default_factory=list)
    """What the model has been shown or has said; what arrived since is not among them."""
    steps: list[Step] = field(default_factory=list)
    turns: int = 0
    last_event: str | None = None
    """The last event of the conversation itself: the parent of the next turn."""
    rejections: Counter[str] = field(default_factory=Counter)
    """How often a person rejected a call, by `ToolCall.key`."""
    questions: dict[tuple[str, str | None], str] = field(default_factory=dict)
    """What was asked about a call, by its id and, when it was interrupted, the event of its start."""
    _unheard: list[Message] = field(default_factory=list)

    def apply(self, event: Event) -> None:
        """Take EVENT into account; events that are not of the conversation change nothing."""
        match event.name:
            case "message":
                self._message(event)
            case "tool.started":
                self._change(event.data["callId"], event.id)
            case "tool.completed" | "tool.failed":
                self._result(event)
            case "intervention.opened" if "callId" in event.data["data"]:
                about = event.data["data"]
                self.questions[(about["callId"], about.get("started"))] = event.data["id"]
            case "intervention.answered" if event.data.get("choice") == "reject" and "callKey" in event.data:
                self.rejections[event.data["callKey"]] += 1
            case _:
                return

    def request(self) -> tuple[list[Message], int]:
        """Return what the model is shown for its next turn, and how many messages of it are new.

        The number belongs into the event of the turn, as `heard`.
        """
        return [*self.messages, *self._unheard], len(self._unheard)

    def branch(self) -> None:
        """Go on as a fork of the run so far: a call that was begun is not begun here, nothing was asked."""
        self.steps = [replace(step, started=None) for step in self.steps]
        self.questions = {}

    def copy(self) -> Conversation:
        """Return the same conversation, which goes on apart from this one."""
        return replace(
            self,
            messages=[*self.messages],
            steps=[*self.steps],
            rejections=Counter(self.rejections),
            questions={**self.questions},
            _unheard=[*self._unheard],
        )

    def _message(self, event: Event) -> None:
        data = event.data
        if data["role"] == "user":
            self._unheard.append(Message(role="user", content=data["content"]))
            self.last_event = self.last_event or event.id
        elif "heard" in data:
            self._turn(event)

    def _turn(self, event: Event) -> None:
        # What arrived while the model was answering was not heard: it stays behind this answer, so that
        # a restored run shows the model exactly the messages that this one was shown.
        calls = msgspec.convert(event.data["toolCalls"], list[ToolCall])
        heard, self._unheard = self._unheard[: event.data["heard"]], self._unheard[event.data["heard"] :]
        self.messages += [*heard, Message(role="assistant", content=event.data["content"], tool_calls=calls)]
        self.steps = [Step(call, event.id) for call in calls]
        self.turns += 1
        self.last_event = event.id

    def _change(self, call: str, started: str) -> None:
        self.steps = [replace(step, started=started) if step.call.id == call else step for step in self.steps]

    def _result(self, event: Event) -> None:
        call, failed = event.data["callId"], event.name == "tool.failed"
        content = event.data["error"]["message"] if failed else event.data["result"]
        self.steps = [step for step in self.steps if step.call.id != call]
        self.messages.append(Message(role="tool", content=content, call=call, failed=failed))
        self.last_event = event.id


def fold(events: Iterable[Event]) -> Conversation:
    """Return the conversation that EVENTS, of one run and oldest first, add up to."""
    conversation = Conversation()
    for event in events:
        conversation.apply(event)
    return conversation
