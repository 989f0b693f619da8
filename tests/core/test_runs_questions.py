"""What a model run asks, and what the answers do; what a run may."""

from __future__ import annotations

import json

import pytest

from descartes_core.errors import (
    InvalidParams,
    PolicyDenied,
)
from descartes_core.model import Principal
from support.running import ANN, Bench, bench, call

__all__ = ["bench"]


@pytest.mark.ledger("A-24", "D-03")
async def test_an_accepted_write_happens_exactly_as_asked(bench: Bench) -> None:
    content = "(defun f ())\n"
    run = await bench.spawn(call("write", path="src/a.lisp", content=content))
    waiting = await bench.status(run.id, "waiting")
    assert (waiting.status, waiting.interventions, waiting.leases) == ("paused", 1, ["src/a.lisp"])
    assert not (bench.workspace / "src").exists()
    question = await bench.answer(run.id, "accept")
    assert question.data["toolArgs"] == {"path": "src/a.lisp", "content": content}
    ended = await bench.ended(run.id)
    assert (ended.status, ended.leases, ended.interventions) == ("completed", [], 0)
    assert (bench.workspace / "src/a.lisp").read_text() == content
    (started,) = await bench.events(run.id, "tool.started")
    (written,) = await bench.events(run.id, "file.written")
    assert started.data["arguments"] == question.data["toolArgs"]
    assert (written.category, written.parent, written.data["path"]) == ("action", started.id, "src/a.lisp")
    assert written.data["sha256Before"] is None and len(written.data["sha256After"]) == 64


@pytest.mark.ledger("A-25")
async def test_edited_arguments_are_checked_executed_and_recorded(bench: Bench) -> None:
    run = await bench.spawn(call("write", path="a.lisp", content="1"), tool_level="full")
    question = await bench.question(run.id)
    for wrong in ("not json", '["a"]', '{"path": 1, "content": ""}', '{"path": "b"}'):
        with pytest.raises(InvalidParams):
            await bench.questions.answer(question.id, "edit", [wrong], by=ANN)
    with pytest.raises(InvalidParams):
        await bench.questions.answer(question.id, "edit", by=ANN)
    edited = {"path": "b.lisp", "content": "2"}
    await bench.questions.answer(question.id, "edit", [json.dumps(edited)], by=ANN)
    assert (await bench.ended(run.id)).status == "completed"
    assert not (bench.workspace / "a.lisp").exists()
    assert (bench.workspace / "b.lisp").read_text() == "2"
    (started,) = await bench.events(run.id, "tool.started")
    (answered,) = await bench.events(run.id, "intervention.answered")
    assert started.data["arguments"] == edited
    assert json.loads(answered.data["arguments"][0]) == edited
    leased = [e.data["path"] for e in await bench.events(run.id, "lease.acquired")]
    assert leased == ["a.lisp", "b.lisp"]


async def test_an_edit_cannot_lead_out_of_the_workspace(bench: Bench) -> None:
    run = await bench.spawn(call("write", path="a", content="1"))
    await bench.answer(run.id, "edit", json.dumps({"path": "../out", "content": "2"}))
    await bench.ended(run.id)
    (failed,) = await bench.events(run.id, "tool.failed")
    assert failed.data["error"]["code"] == "policy_denied"
    assert not (bench.workspace.parent / "out").exists()


@pytest.mark.ledger("A-26")
async def test_a_call_rejected_twice_is_denied_without_asking(bench: Bench) -> None:
    write = call("write", path="a", content="x")
    reordered = {"toolCalls": [{"name": "write", "arguments": {"content": "x", "path": "a"}}]}
    run = await bench.spawn(write, reordered, write, call("write", path="a", content="y"))
    await bench.answer(run.id, "reject", reason="not this file")
    await bench.answer(run.id, "reject")
    question = await bench.question(run.id)
    assert question.data["toolArgs"]["content"] == "y"
    await bench.answer(run.id, "reject")
    await bench.ended(run.id)
    told = [e.data["error"]["message"] for e in await bench.events(run.id, "tool.failed")]
    assert told[0] == "Ann rejected this call: not this file"
    assert "rejected exactly this call twice" in told[2]
    assert not (bench.workspace / "a").exists()


@pytest.mark.ledger("A-27")
async def test_a_response_replaces_the_execution(bench: Bench) -> None:
    run = await bench.spawn(call("shell", command="touch made"))
    await bench.answer(run.id, "respond", "It exists already.")
    assert (await bench.ended(run.id)).status == "completed"
    assert not (bench.workspace / "made").exists()
    (completed,) = await bench.events(run.id, "tool.completed")
    assert (completed.data["result"], completed.data["executed"]) == ("It exists already.", False)


async def test_one_waiting_run_holds_up_no_other(bench: Bench) -> None:
    waiting = [await bench.spawn(call("shell", command="true")) for _ in range(5)]
    for each in waiting:
        await bench.status(each.id, "waiting")
    assert (await bench.ended((await bench.spawn({"text": "quick"})).id)).status == "completed"
    assert len({question.id for question in await bench.questions.list()}) == 5


async def test_a_token_names_its_run_and_nothing_else_does(bench: Bench) -> None:
    run = await bench.spawn(
        call("shell", command="echo $DESCARTES_RUN $DESCARTES_RUN_TOKEN"),
        tool_level="trusted",
        agent="speaker",
    )
    await bench.ended(run.id)
    (completed,) = await bench.events(run.id, "tool.completed")
    name, token = completed.data["result"].split("\n")[0].split()
    assert name == run.id
    assert await bench.runs.principal(name, token) == Principal(kind="agent", id=run.id, name="speaker")
    assert await bench.runs.principal(name, token[:-1] + "x") is None
    assert await bench.runs.principal("run_" + "0" * 32, token) is None
    (spawned,) = await bench.events(run.id, "run.spawned")
    assert token not in json.dumps(spawned.data)


@pytest.mark.ledger("A-20")
async def test_a_run_spawns_nothing_that_may_more_than_itself(bench: Bench) -> None:
    parent = await bench.spawn({"delayMs": 60_000}, tool_level="lisp-developer")
    agent = Principal(kind="agent", id=parent.id, name=parent.agent)
    with pytest.raises(PolicyDenied):
        await bench.spawn({"text": "x"}, by=agent, tool_level="full")
    child = await bench.spawn(call("write", path="a", content="x"), by=agent)
    await bench.ended(child.id)
    (failed,) = await bench.events(child.id, "tool.failed")
    assert "lisp-developer" in failed.data["error"]["message"]


async def test_a_question_that_is_closed_is_a_tool_error_and_the_run_goes_on(bench: Bench) -> None:
    run = await bench.spawn(call("shell", command="true"), {"text": "Never mind."})
    question = await bench.question(run.id)
    await bench.questions.close(question.id, "no time", by=ANN)
    assert (await bench.ended(run.id)).status == "completed"
    (failed,) = await bench.events(run.id, "tool.failed")
    assert failed.data["error"]["code"] == "intervention_closed"
