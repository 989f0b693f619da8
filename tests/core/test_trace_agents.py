"""Agents and the dispatcher: what is called, what becomes of it, what is written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from descartes_core.trace import Agent, AgentInfo, Dispatcher, InvokeResult, Session
from descartes_core.trace.agents import ReverseAgent, UppercaseAgent
from descartes_core.trace.types import CapabilityCall, EntryType, ErrorCode


class Scripted(Agent):
    """Does whatever BODY does; registered under ID with CAPABILITIES."""

    def __init__(
        self, body: Callable[[Session, dict[str, Any]], Any], *capabilities: str, id: str = "scripted"
    ):
        self._body = body
        self._info = AgentInfo(id, id, "1.0.0", list(capabilities))

    def info(self) -> AgentInfo:
        return self._info

    def invoke(self, capability: str, session: Session, params: dict[str, Any]) -> Any:
        return self._body(session, params)


def fine(session: Session, params: dict[str, Any]) -> InvokeResult:
    return InvokeResult.ok({"done": True}, "scripted", "do")


def failing(error: BaseException) -> Callable[[Session, dict[str, Any]], Any]:
    def body(session: Session, params: dict[str, Any]) -> Any:
        raise error

    return body


def told(session: Session) -> list[str]:
    """Return the trajectory of SESSION behind its first entry, `who type` each."""
    return [f"{entry.agent_id} {entry.entry_type.value}" for entry in session.get_trajectory()[1:]]


def dispatcher(*agents: Agent) -> Dispatcher:
    made = Dispatcher()
    for agent in agents:
        made.register(agent)
    return made


# Results


@pytest.mark.ledger("T-16")
def test_the_codes() -> None:
    codes = """
        session_not_found session_corrupted session_invalid_state agent_not_found agent_capability_not_found
        agent_invocation_failed agent_invalid_params agent_timeout dispatch_sequence_failed
        dispatch_no_agent_for_capability plan_generation_failed plan_invalid_format plan_llm_error
        persist_save_failed persist_load_failed persist_file_not_found persist_schema_mismatch
        artifact_not_found artifact_too_large artifact_invalid_name unknown_error validation_error
    """
    assert sorted(ErrorCode) == sorted(codes.split())
    assert len(ErrorCode) == 22


@pytest.mark.ledger("T-10")
def test_a_result_has_an_error_exactly_when_it_failed() -> None:
    good = InvokeResult.ok({"n": 1}, "a", "c")
    assert (good.success, good.error, good.result, good.agent_id, good.capability) == (
        True,
        None,
        {"n": 1},
        "a",
        "c",
    )
    bad = InvokeResult.fail(ErrorCode.AGENT_TIMEOUT, "too slow", "a", "c", {"ms": 5})
    assert (bad.success, bad.error) == (
        False,
        {"error_code": "agent_timeout", "message": "too slow", "details": {"ms": 5}},
    )
    assert InvokeResult.fail("unknown_error", "m").error == {"error_code": "unknown_error", "message": "m"}
    for wrong in (
        lambda: InvokeResult(True, error={"error_code": "unknown_error", "message": "m"}),
        lambda: InvokeResult(False),
        lambda: InvokeResult(False, error={"message": "m"}),
        lambda: InvokeResult.fail("no_such_code", "m"),
    ):
        with pytest.raises(ValueError):
            wrong()


# Dispatcher


@pytest.mark.ledger("T-11")
def test_the_last_registered_agent_does_it_and_frees_only_its_own() -> None:
    first = Scripted(fine, "b", "a", id="first")
    second = Scripted(fine, "b", "c", id="second")
    made = dispatcher(first, second)
    assert made.get_capabilities() == ["a", "b", "c"]
    assert (made.get_agent("a"), made.get_agent("b"), made.get_agent("x")) == (first, second, None)
    assert (made.unregister("second"), made.unregister("second")) == (True, False)
    assert made.get_capabilities() == ["a"]
    again = Scripted(fine, "d", id="first")
    made.register(again)
    assert (made.get_capabilities(), made.get_agent("d")) == (["d"], again)


@pytest.mark.ledger("T-12")
def test_a_sequence_stops_at_its_first_failure() -> None:
    session = Session()
    session.set("text", "ab")
    made = dispatcher(
        ReverseAgent(), UppercaseAgent(), Scripted(failing(ZeroDivisionError("by zero")), "break")
    )
    result = made.dispatch_sequence(
        [
            {"capability": "reverse", "params": {"key": "text"}},
            CapabilityCall("break", {"n": [1]}),
            CapabilityCall("uppercase"),
        ],
        session,
    )
    assert (result.success, result.failed_at, result.executed_count) == (False, 1, 2)
    assert [each.success for each in result.results] == [True, False]
    assert result.error == {
        "error_code": "agent_invocation_failed",
        "message": "ZeroDivisionError: by zero",
        "details": {"exception": "ZeroDivisionError"},
    }
    assert session.get("text") == "ba"
    assert told(session)[5:] == [
        "dispatcher plan_step_completed",
        "dispatcher plan_step_started",
        "scripted agent_invoked",
        "scripted agent_failed",
        "dispatcher plan_step_completed",
    ]
    steps = [
        each.content for each in session.get_trajectory() if each.entry_type is EntryType.PLAN_STEP_COMPLETED
    ]
    assert [(each["step_index"], each["capability"], each["success"]) for each in steps] == [
        (0, "reverse", True),
        (1, "break", False),
    ]
    empty = made.dispatch_sequence([], session)
    assert (empty.success, empty.failed_at, empty.error, empty.results) == (True, None, None, [])


def test_an_agent_cannot_hide_what_it_does_wrong() -> None:
    session = Session()

    def changes_its_params(session: Session, params: dict[str, Any]) -> InvokeResult:
        params["list"].append("mine")
        return InvokeResult.fail(ErrorCode.UNKNOWN_ERROR, "m", details={"odd": object()})

    params = {"list": [1]}
    made = dispatcher(
        Scripted(changes_its_params, "change", id="a"),
        Scripted(lambda session, params: "no result", "lie", id="b"),
        Scripted(lambda session, params: session.set("k", object()), "spoil", id="c"),
    )
    assert not made.dispatch_single("change", session, params).success
    assert params == {"list": [1]}
    lie = made.dispatch_single("lie", session)
    assert lie.error is not None and "InvokeResult" in lie.error["message"]
    spoilt = made.dispatch_single("spoil", session)
    assert spoilt.error is not None and spoilt.error["error_code"] == "agent_invocation_failed"
    assert "Expected JSON" in spoilt.error["message"]
    assert made.dispatch_single("fly", session).error == {
        "error_code": "dispatch_no_agent_for_capability",
        "message": "No agent has the capability 'fly'; register one, or call one of these:"
        " change, lie, spoil",
        "details": {"available_capabilities": ["change", "lie", "spoil"]},
    }
    assert ReverseAgent().invoke("fly", session, {}).error["error_code"] == "agent_capability_not_found"  # type: ignore[index]
    missing = dispatcher(ReverseAgent()).dispatch_single("reverse", session, {"key": "nothing"})
    assert missing.error is not None and missing.error["error_code"] == "agent_invalid_params"


@pytest.mark.ledger("T-13")
def test_one_call_is_written_down_as_a_sequence_of_one() -> None:
    entries = []
    for way in ("single", "sequence"):
        session, made = Session(), dispatcher(ReverseAgent(), Scripted(failing(OSError("x")), "break"))
        session.set("text", "ab")
        for capability in ("reverse", "break", "fly"):
            if way == "single":
                made.dispatch_single(capability, session, {"key": "text"})
            else:
                made.dispatch_sequence([CapabilityCall(capability, {"key": "text"})], session)
        entries.append(
            [(e.seq_num, e.agent_id, e.entry_type, e.content) for e in session.get_trajectory()[1:]]
        )
    assert entries[0] == entries[1]
    asked = {"capability": "reverse", "params": {"key": "text"}}
    changed = {"key": "text", "old_value": "ab", "new_value": "ba", "state_version": 2}
    outcome = {
        "step_index": 0,
        "capability": "reverse",
        "agent_id": "reverse_agent_v1",
        "success": True,
        "result_summary": "{'output': 'ba'}",
    }
    assert entries[0][1:7] == [
        (3, "dispatcher", EntryType.PLAN_STEP_STARTED, {"step_index": 0, **asked}),
        (4, "reverse_agent_v1", EntryType.AGENT_INVOKED, asked),
        (5, "reverse_agent_v1", EntryType.STATE_SET, changed),
        (6, "reverse_agent_v1", EntryType.AGENT_COMPLETED, {"key": "text", "input": "ab", "output": "ba"}),
        (7, "dispatcher", EntryType.PLAN_STEP_COMPLETED, outcome),
        (8, "dispatcher", EntryType.PLAN_STEP_STARTED, {"step_index": 0, **asked, "capability": "break"}),
    ]


def test_a_sequence_is_taken_up_where_it_was_broken_off() -> None:
    session = Session()
    session.set("text", "ab")
    calls = [CapabilityCall("reverse", {"key": "text"}), CapabilityCall("stop"), CapabilityCall("uppercase")]
    made = dispatcher(ReverseAgent(), UppercaseAgent(), Scripted(failing(KeyboardInterrupt()), "stop"))
    with pytest.raises(KeyboardInterrupt):
        made.dispatch_sequence(calls, session)
    made.register(Scripted(fine, "stop"))
    resumed = Session.resume(session.session_id)
    result = made.resume_sequence(calls, resumed)
    assert (result.success, result.results[0].result) == (True, {"skipped": True})
    assert resumed.get("text") == "BA"
    assert told(resumed).count("reverse_agent_v1 agent_invoked") == 1
    # Other calls at the same places are others.
    made.resume_sequence([CapabilityCall("uppercase")], resumed)
    assert told(resumed).count("uppercase_agent_v1 agent_invoked") == 2
