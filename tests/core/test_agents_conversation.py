"""The conversation as a fold: where a run is follows from its events, at every point of the log."""

from __future__ import annotations

from typing import Any

from descartes_core.agents.conversation import Conversation, fold
from descartes_core.agents.models import ScriptedModel, ScriptedTurn
from descartes_core.model import Event, Principal

ANN = Principal(kind="human", id="ann", name="Ann")


def events(*named: tuple[str, dict[str, Any]]) -> list[Event]:
    return [
        Event(
            id=f"evt_{seq}", seq=seq, at="", category="system", name=name, actor=ANN, run="run_1", data=data
        )
        for seq, (name, data) in enumerate(named, start=1)
    ]


def user(text: str) -> tuple[str, dict[str, Any]]:
    return "message", {"role": "user", "content": text}


def assistant(text: str, heard: int, *calls: str) -> tuple[str, dict[str, Any]]:
    made = [{"id": each, "name": "read", "arguments": {"path": each}} for each in calls]
    return "message", {"role": "assistant", "content": text, "heard": heard, "toolCalls": made}


def shown(conversation: Conversation) -> list[str]:
    return [f"{message.role}: {message.content}" for message in conversation.request()[0]]


def test_a_message_that_came_while_the_model_answered_stands_behind_the_answer() -> None:
    conversation = fold(events(user("task"), user("more"), assistant("yes", 1), user("again")))
    assert shown(conversation) == ["user: task", "assistant: yes", "user: more", "user: again"]
    assert conversation.request()[1] == 2


def test_steps_are_what_was_asked_for_and_has_no_result() -> None:
    begun = ("tool.started", {"callId": "b"})
    done = ("tool.completed", {"callId": "a", "result": "A"})
    failed = ("tool.failed", {"callId": "b", "error": {"message": "no"}})
    log = events(user("task"), assistant("", 1, "a", "b", "c"), done, begun, failed)
    states = [[(s.call.id, s.started) for s in fold(log[:count]).steps] for count in range(len(log) + 1)]
    assert states == [
        [],
        [],
        [("a", None), ("b", None), ("c", None)],
        [("b", None), ("c", None)],
        [("b", "evt_4"), ("c", None)],
        [("c", None)],
    ]
    assert shown(fold(log)) == ["user: task", "assistant: ", "tool: A", "tool: no"]


def test_folding_piece_by_piece_is_folding_at_once() -> None:
    log = events(
        user("task"), assistant("x", 1, "a"), ("tool.completed", {"callId": "a", "result": "A"}), user("y")
    )
    growing = Conversation()
    for count, event in enumerate(log, start=1):
        growing.apply(event)
        assert growing == fold(log[:count])


async def test_a_script_goes_on_behind_the_answers_that_were_given() -> None:
    model = ScriptedModel([ScriptedTurn(text="1"), ScriptedTurn(text="2")])
    log = events(user("task"), assistant("1", 1))
    said = [await model.answer(fold(log[:count]).request()[0]) for count in (1, 2)]
    assert [turn.text for turn in said if turn] == ["1", "2"]
    assert await model.answer(fold([*log, *events(assistant("2", 0))]).request()[0]) is None
