"""Agents, the dispatcher, planners and models: what is called, what becomes of it, what is written down."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from descartes_core.trace import Agent, AgentInfo, Dispatcher, InvokeResult, Planner, Session, WorkingMemory
from descartes_core.trace.agents import ReverseAgent, UppercaseAgent
from descartes_core.trace.errors import SessionInvalidState, ValidationFailed
from descartes_core.trace.llm import LLMError, OllamaProvider
from descartes_core.trace.types import CapabilityCall, EntryType, ErrorCode
from support.ollama import FakeOllama


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


# Planner


class Model:
    """Says what it was told to say."""

    def __init__(self, says: str | Exception) -> None:
        self._says = says
        self.asked: list[tuple[str, str | None]] = []

    def generate(
        self, prompt: str, *, system: str | None = None, schema: Mapping[str, Any] | None = None
    ) -> str:
        self.asked.append((prompt, system))
        if isinstance(self._says, Exception):
            raise self._says
        return self._says


@pytest.mark.ledger("T-14")
@pytest.mark.parametrize(
    ("says", "calls"),
    [
        ('{"calls": [{"capability": "reverse", "params": {"key": "text"}}]}', [("reverse", {"key": "text"})]),
        ('[{"capability": "reverse"}]', [("reverse", {})]),
        ('{"capability": "reverse", "params": {}}', [("reverse", {})]),
        ('Sure [yes]:\n```json\n[{"capability":"uppercase"},\n{"capability":"reverse","params":{}}]\n```',
         [("uppercase", {}), ("reverse", {})]),
        ('[{"capability": "fly", "params": {}}]', "plan_invalid_format"),
        ('[{"capability": "reverse"}, {"capability": "fly"}]', "plan_invalid_format"),
        ("I would reverse it", "plan_invalid_format"),
        ('[{"capability": 3}]', "plan_invalid_format"),
        ('[{"capability": "reverse", "params": [1]}]', "plan_invalid_format"),
        ('["reverse"]', "plan_invalid_format"),
        ('{"calls": "reverse"}', "plan_invalid_format"),
        ('{"calls": []}', "plan_generation_failed"),
        ("", "plan_invalid_format"),
        ("[" * 100_000, "plan_invalid_format"),
        (LLMError("it sleeps"), "plan_llm_error"),
        (RuntimeError("odd"), "plan_llm_error"),
    ],
)  # fmt: skip
def test_a_plan_is_what_the_model_said_checked(
    says: str | Exception, calls: Sequence[tuple[str, Any]] | str
) -> None:
    session = Session()
    session.set("text", "ab")
    model = Model(says)
    plan = Planner(model, ["reverse", "uppercase"]).plan("Turn it round", session)
    assert plan.raw == (says if isinstance(says, str) else None)
    last = session.get_trajectory(1)[0]
    assert (last.agent_id, last.content["raw"], last.content["request"]) == (
        "planner",
        plan.raw,
        "Turn it round",
    )
    if isinstance(calls, str):
        assert (plan.success, plan.calls) == (False, [])
        assert plan.error is not None and plan.error["error_code"] == calls
        assert (last.entry_type, last.content["error"]) == (EntryType.AGENT_FAILED, plan.error)
    else:
        assert plan.success and [(each.capability, each.params) for each in plan.calls] == calls
        assert (last.entry_type, len(last.content["calls"])) == (EntryType.PLAN_CREATED, len(calls))
    prompt, system = model.asked[0]
    assert '{"text": "ab"}' in prompt and "Turn it round" in prompt
    assert system is not None and "reverse, uppercase" in system


def test_an_empty_request_is_not_asked_about() -> None:
    model = Model("[]")
    plan = Planner(model, ["reverse"]).plan("  ", Session())
    assert plan.error is not None and plan.error["error_code"] == "validation_error" and model.asked == []


# Models


@pytest.mark.ledger("T-15")
def test_ollama_is_asked_in_its_own_words(ollama: FakeOllama) -> None:
    usual = OllamaProvider()
    assert (usual.model, usual.base_url) == ("llama3.1:8b", "http://localhost:11434")
    ollama.answers.append("an answer, é😀")
    model = OllamaProvider(model="mistral:7b", base_url=ollama.url + "/", timeout=60)
    assert model.generate("a question", system="be short", schema={"type": "object"}) == "an answer, é😀"
    assert ollama.requests == [
        ("/api/generate", {
            "model": "mistral:7b", "prompt": "a question", "system": "be short", "stream": False,
            "format": {"type": "object"}, "options": {"temperature": 0},
        })
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "timeout", "says"),
    [
        (404, 60, "ollama pull llama3.1:8b"),
        (500, 60, "answered 500: model 500"),
        (b"no json", 60, "Expected JSON"),
        (b'{"done": true}', 60, "without a text"),
        (None, 0.2, "no answer within 0.2 s"),
    ],
)
def test_what_ollama_may_do_instead(
    answer: Any, timeout: float, says: str, ollama: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    ollama.answers.append(answer)
    plan = Planner(OllamaProvider(base_url=ollama.url, timeout=timeout), ["a"]).plan("do it", Session())
    assert plan.error is not None and plan.error["error_code"] == "plan_llm_error"
    assert says in plan.error["message"]


def test_nobody_serves_a_model() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        model = OllamaProvider(base_url=f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(LLMError, match="ollama serve"):
            model.generate("x")
    for wrong in ("localhost:11434", "ftp://x", ""):
        with pytest.raises(ValueError, match="URL"):
            OllamaProvider(base_url=wrong)


# Working memory


@pytest.mark.ledger("S-03")
def test_working_memory_is_a_draft_until_it_is_committed() -> None:
    session = Session()
    plan = WorkingMemory(session, "plan", {"steps": []})
    assert (plan.read(), plan.changed, session.get("plan")) == ({"steps": []}, False, None)
    assert plan.update(lambda draft: draft["steps"].append("read")) == {"steps": ["read"]}
    plan.read()["steps"].append("a copy")
    assert (plan.read(), plan.changed, session.get("plan")) == ({"steps": ["read"]}, True, None)
    assert plan.commit() == 1
    assert (session.get("plan"), plan.changed) == ({"steps": ["read"]}, False)
    assert plan.commit() == 1

    plan.update({"steps": ["all", "wrong"]})

    def breaks(draft: Any) -> None:
        draft["steps"].clear()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        plan.update(breaks)
    with pytest.raises(ValidationFailed):
        plan.update({"not json": object()})
    assert plan.read() == {"steps": ["all", "wrong"]}
    assert plan.rollback() == {"steps": ["read"]} == plan.read() == session.get("plan")
    assert session.get_state_version() == 1
    assert WorkingMemory(Session.resume(session.session_id), "plan").read() == {"steps": ["read"]}


def test_a_commit_over_what_others_committed_is_refused() -> None:
    session = Session()
    first, second = WorkingMemory(session, "n", 0), WorkingMemory(session, "n", 0)
    first.update(1)
    second.update(2)
    first.commit()
    with pytest.raises(SessionInvalidState, match="roll back"):
        second.commit()
    assert (second.read(), second.rollback(), session.get("n")) == (2, 1, 1)
    second.update(lambda n: n + 1)
    second.commit()
    assert session.get("n") == 2
