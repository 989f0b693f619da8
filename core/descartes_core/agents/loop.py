"""The loop of an agent: the model answers, its tool calls are executed one by one, the model is told.

It keeps nothing in mind: where it is follows from the conversation, which is a fold over the log, so that
entering it again after a crash is the same as going on.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from descartes_core.agents.control import Control
from descartes_core.agents.conversation import Conversation
from descartes_core.agents.executor import ToolExecutor
from descartes_core.agents.journal import Journal
from descartes_core.agents.models import Model, Turn
from descartes_core.model import NewEvent, Usage
from descartes_core.policy.rules import ToolCall


async def drive(
    model: Model, conversation: Conversation, executor: ToolExecutor, journal: Journal, control: Control
) -> None:
    """Go on with CONVERSATION until MODEL has nothing more to say.

    CONVERSATION must be fed with the run's events as they are committed.
    Errors: `LeaseLost` when a lease of the run was taken over, whatever the model raises.
    Concurrency: cancel it to stop; what had begun and not ended then has no result in the log.
    """
    # What the log masks in the arguments of a call is still needed to execute it; after a crash it is gone,
    # and the executor refuses what is left.
    asked: dict[str, ToolCall] = {}
    while True:
        for step in tuple(conversation.steps):
            await control.boundary()
            await control.acting()
            await executor.execute(replace(step, call=asked.get(step.call.id, step.call)))
        await control.boundary()
        await control.thinking()
        messages, heard = conversation.request()
        turn = await model.answer(messages)
        if turn is None:
            return
        calls = _calls(turn, conversation.turns + 1)
        asked = {call.id: call for call in calls}
        await journal.add(*_events(turn, calls, heard, conversation, journal))
        if turn.text:
            control.say(f"{turn.text}\n")


def _calls(turn: Turn, number: int) -> list[ToolCall]:
    return [
        ToolCall(id=f"call_{number}_{index}", name=each.name, arguments=each.arguments)
        for index, each in enumerate(turn.tool_calls, start=1)
    ]


def _events(
    turn: Turn, calls: Sequence[ToolCall], heard: int, conversation: Conversation, journal: Journal
) -> list[NewEvent]:
    parent = conversation.last_event
    events = []
    if turn.thought:
        thought = {"content": turn.thought, "thoughtType": "general", "thoughtId": uuid.uuid4().hex}
        events.append(journal.event("thought", "thought", thought, parent=parent))
    message = {
        "role": "assistant", "content": turn.text, "messageId": uuid.uuid4().hex, "heard": heard,
        "toolCalls": msgspec.to_builtins(calls),
    }  # fmt: skip
    events.append(journal.event("communication", "message", message, parent=parent))
    if turn.usage != Usage():
        events.append(journal.event("system", "run.usage", msgspec.to_builtins(turn.usage), parent=parent))
    return events
