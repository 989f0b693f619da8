"""Planners and the models they ask; working memory as a draft."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from descartes_core.trace import Planner, Session, WorkingMemory
from descartes_core.trace.errors import SessionInvalidState, ValidationFailed
from descartes_core.trace.llm import LLMError, OllamaProvider
from descartes_core.trace.types import EntryType
from support.ollama import FakeOllama


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
