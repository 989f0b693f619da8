"""Model runs: the loop, what it asks, what it leases, and what stands in the log afterwards."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from descartes_core.agents.run_leases import RunLeases
from descartes_core.config.table import LeaseSettings, Settings
from descartes_core.errors import (
    InterventionClosed,
    InvalidParams,
    InvalidTransition,
    LeaseHeld,
    LeaseLost,
    PolicyDenied,
    RunNotFound,
)
from descartes_core.model import Principal
from descartes_core.processes import identity
from descartes_core.processes.identity import identify
from descartes_core.store import EventQuery, Store
from support.log import FakeClock
from support.running import ANN, BOB, Bench, call
from support.until import until


@pytest.fixture
async def bench(workspace: Path) -> AsyncIterator[Bench]:
    bench = await Bench.open(workspace)
    yield bench
    await bench.close()


@pytest.mark.ledger("D-06")
async def test_a_run_says_its_turns_and_completes(bench: Bench) -> None:
    run = await bench.spawn({"text": "Hello."}, {"text": "Done 😀."})
    ended = await bench.ended(run.id)
    assert (ended.status, ended.reason, ended.ended_at is not None) == ("completed", None, True)
    said = [(e.data["role"], e.data["content"]) for e in await bench.events(run.id, "message")]
    assert said == [("user", "try it"), ("assistant", "Hello."), ("assistant", "Done 😀.")]
    assert (await bench.runs.output(run.id)).text == "Hello.\nDone 😀.\n"
    assert bench.printed == [(run.id, "stdout", "Hello.\n"), (run.id, "stdout", "Done 😀.\n")]


@pytest.mark.ledger("D-02")
async def test_a_thought_is_an_event_of_its_own(bench: Bench) -> None:
    run = await bench.spawn({"thinking": "Hm.", "text": "Yes."})
    await bench.ended(run.id)
    (thought,) = await bench.events(run.id, "thought")
    assert (thought.category, thought.data["content"], thought.data["thoughtType"]) == (
        "thought",
        "Hm.",
        "general",
    )


@pytest.mark.ledger("D-05")
async def test_every_edge_taken_is_one_event(bench: Bench) -> None:
    run = await bench.spawn(call("list"), call("write", path="a", content="x"), {"text": "Done."})
    await bench.answer(run.id, "accept")
    await bench.ended(run.id)
    edges = [
        (e.data["from"], e.data["to"], e.data["event"]) for e in await bench.events(run.id, "run.status")
    ]
    assert edges == [
        ("idle", "initializing", "start"),
        ("initializing", "thinking", "think"),
        ("thinking", "running", "act"),
        ("running", "thinking", "think"),
        ("thinking", "running", "act"),
        ("running", "paused", "pause"),
        ("paused", "running", "resume"),
        ("running", "thinking", "think"),
        ("thinking", "completed", "complete"),
    ]


@pytest.mark.ledger("D-04")
async def test_every_call_is_started_once_and_ended_once(bench: Bench) -> None:
    run = await bench.spawn(
        {"toolCalls": [{"name": "list", "arguments": {}}, {"name": "read", "arguments": {"path": "none"}}]},
        call("read", file="wrong argument"),
        call("no_such_tool"),
        call("write", path="a", content="x"),
        call("write", path="a", content="y"),
        call("write", path="b", content="z"),
    )
    await bench.answer(run.id, "reject", reason="no")
    await bench.answer(run.id, "respond", "Leave it.")
    await bench.answer(run.id, "accept")
    assert (await bench.ended(run.id)).status == "completed"
    events = await bench.events(run.id, "tool_use")
    started = {e.data["callId"]: e.id for e in events if e.name == "tool.started"}
    ended = {e.data["callId"]: e for e in events if e.name != "tool.started"}
    assert len(started) == len(ended) == 7 and len(events) == 14
    assert all(ended[call_id].parent == started[call_id] for call_id in started)
    assert [e.name.removeprefix("tool.") for e in ended.values()] == [
        "completed", "failed", "failed", "failed", "failed", "completed", "completed",
    ]  # fmt: skip
    assert all(e.data["durationMs"] >= 0 for e in ended.values())


@pytest.mark.ledger("D-08")
async def test_a_failing_tool_is_an_error_whose_parent_is_the_tool_event(bench: Bench) -> None:
    run = await bench.spawn(call("read", path="none.lisp"), {"text": "So be it."})
    assert (await bench.ended(run.id)).status == "completed"
    (failed,) = await bench.events(run.id, "tool.failed")
    (error,) = await bench.events(run.id, "error")
    assert (error.category, error.parent, error.data["code"]) == ("error", failed.id, "not_found")
    assert error.data["recoverable"] is True


@pytest.mark.ledger("A-12")
async def test_wrong_arguments_go_back_to_the_model_with_what_the_tool_takes(bench: Bench) -> None:
    run = await bench.spawn(call("edit", path="a", old=1))
    await bench.ended(run.id)
    (failed,) = await bench.events(run.id, "tool.failed")
    assert failed.data["error"]["code"] == "invalid_params"
    assert "edit takes {path, old, new}" in failed.data["error"]["message"]
    assert failed.data["executed"] is False


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


async def test_a_person_may_take_the_lease_over_while_the_run_waits(bench: Bench) -> None:
    (bench.workspace / "a").write_text("theirs")
    run = await bench.spawn(
        call("edit", path="a", old="theirs", new="mine"), call("write", path="b", content="x")
    )
    await bench.question(run.id)
    with pytest.raises(LeaseHeld) as refused:
        await bench.leases.acquire("a", ANN)
    assert refused.value.data["lease"]["holder"]["id"] == run.id
    await bench.leases.steal("a", ANN, reason="mine")
    await bench.answer(run.id, "accept")
    ended = await bench.ended(run.id)
    assert (ended.status, ended.leases) == ("failed", [])
    assert "Ann" in (ended.reason or "") and "'a'" in (ended.reason or "")
    assert (bench.workspace / "a").read_text() == "theirs"
    assert not (bench.workspace / "b").exists()
    (failed,) = await bench.events(run.id, "tool.failed")
    assert failed.data["error"]["code"] == "lease_lost"
    last = (await bench.events(run.id, "message"))[-1]
    assert "Ann" in last.data["content"] and "stays unwritten" in last.data["content"]
    assert "I stop here" in (await bench.runs.output(run.id)).text


@pytest.mark.ledger("D-57")
async def test_a_lease_that_was_taken_and_given_back_is_lost_all_the_same(bench: Bench) -> None:
    run = await bench.spawn(
        call("write", path="a", content="1"),
        call("shell", command="true"),
        call("write", path="a", content="2"),
    )
    await bench.answer(run.id, "accept")
    question = await bench.until(lambda: shell_question(bench, run.id))
    await bench.leases.steal("a", ANN)
    (bench.workspace / "a").write_text("Ann was here")
    await bench.leases.release("a", ANN)
    await bench.questions.answer(question.id, "accept", by=ANN)
    ended = await bench.ended(run.id)
    assert ended.status == "failed"
    assert (bench.workspace / "a").read_text() == "Ann was here"


async def shell_question(bench: Bench, run: str) -> Any:
    return next((q for q in await bench.questions.list(run=run) if q.data["toolName"] == "shell"), None)


async def test_a_file_leased_by_another_is_a_tool_error_that_names_the_holder(bench: Bench) -> None:
    await bench.leases.acquire("a", BOB, reason="thinking")
    run = await bench.spawn(call("write", path="a", content="x"), {"text": "Then not."})
    assert (await bench.ended(run.id)).status == "completed"
    (failed,) = await bench.events(run.id, "tool.failed")
    assert failed.data["error"]["code"] == "lease_held"
    assert "Bob" in failed.data["error"]["message"]
    assert not await bench.events(run.id, "intervention.opened")


@pytest.mark.ledger("A-19")
async def test_a_write_to_a_file_that_another_run_has_leased_is_refused(bench: Bench) -> None:
    first = await bench.spawn(call("write", path="new/deep/a", content="first"))
    await bench.question(first.id)
    second = await bench.spawn(call("write", path="new/deep/a", content="second"), tool_level="trusted")
    assert (await bench.ended(second.id)).status == "completed"
    (failed,) = await bench.events(second.id, "tool.failed")
    assert failed.data["error"]["code"] == "lease_held"
    assert failed.data["error"]["data"]["lease"]["holder"]["id"] == first.id
    assert not (bench.workspace / "new").exists()
    await bench.answer(first.id, "accept")
    assert (await bench.ended(first.id)).status == "completed"
    assert (bench.workspace / "new" / "deep" / "a").read_text() == "first"


async def test_a_write_refused_at_the_last_moment_leaves_no_folders(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise LeaseLost("The lease was taken over")

    (bench.workspace / "there").mkdir()
    monkeypatch.setattr(RunLeases, "check", refuse)
    run = await bench.spawn(call("write", path="there/new/deep/a", content="x"), tool_level="trusted")
    assert (await bench.ended(run.id)).status == "failed"
    assert [*(bench.workspace / "there").iterdir()] == []


@pytest.mark.ledger("D-59")
async def test_a_write_below_what_a_person_is_typing_is_asked_about_even_of_a_trusted_run(
    bench: Bench,
) -> None:
    (bench.workspace / "a").write_text("saved")
    bench.unsaved["a"] = "Emacs"
    run = await bench.spawn(call("edit", path="a", old="saved", new="x"), tool_level="trusted")
    question = await bench.question(run.id)
    assert "unsaved changes in Emacs" in question.detail
    await bench.answer(run.id, "reject")
    await bench.ended(run.id)
    assert (bench.workspace / "a").read_text() == "saved"


async def test_files_are_leased_at_the_start_and_released_at_the_end(bench: Bench) -> None:
    run = await bench.spawn(call("shell", command="true"), files=["a.lisp", "src/*.lisp"], agent="fixer")
    await bench.question(run.id)
    lease = await bench.leases.show("a.lisp")
    assert lease is not None
    assert (lease.holder.kind, lease.holder.id, lease.holder.name) == ("agent", run.id, "fixer")
    assert (lease.reason, lease.run) == ("try it", run.id)
    assert (await bench.runs.show(run.id)).leases == ["a.lisp", "src/*.lisp"]
    (spawned,) = await bench.events(run.id, "run.spawned")
    assert {e.parent for e in await bench.events(run.id, "lease.acquired")} == {spawned.id}
    await bench.answer(run.id, "accept")
    await bench.ended(run.id)
    assert await bench.leases.list() == []


async def test_all_that_happens_in_a_run_has_its_tags(bench: Bench) -> None:
    run = await bench.spawn(
        call("write", path="a.lisp", content="one"),
        call("write", path="b.lisp", content="two"),
        files=["c.lisp"], tags=["nightly", "lexer"],
    )  # fmt: skip
    await bench.answer(run.id, "accept")
    waiting = await bench.question(run.id)
    await bench.leases.steal("a.lisp", BOB, reason="mine now")
    await bench.questions.close(waiting.id, "enough", by=BOB)
    await bench.ended(run.id)
    events = await bench.events(run.id)
    happened = {
        "lease.acquired",
        "lease.released",
        "lease.stolen",
        "intervention.answered",
        "intervention.closed",
    }
    assert happened <= {each.name for each in events}
    assert {tuple(each.tags) for each in events} == {("nightly", "lexer")}
    tagged = await bench.store.reader.events(EventQuery(tags=["lexer"], order="asc", limit=1000))
    assert [each.seq for each in tagged.events] == [each.seq for each in events]
    other = await bench.spawn(call("read", path="a.lisp"))
    await bench.ended(other.id)
    assert {tuple(each.tags) for each in await bench.events(other.id)} == {()}


async def test_a_spawn_whose_file_is_held_leaves_nothing_behind(bench: Bench) -> None:
    await bench.leases.acquire("b", BOB)
    before = await bench.store.reader.last_seq()
    with pytest.raises(LeaseHeld) as caught:
        await bench.spawn({"text": "x"}, files=["a", "b"])
    assert caught.value.data["lease"]["holder"]["name"] == "Bob"
    assert await bench.runs.list() == []
    assert await bench.leases.show("a") is None
    assert await bench.store.reader.last_seq() == before


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ('{"text": "fine"}\n{"txt": "?"}\n', "script.jsonl:2: expected {text?"),
        ('{"text": 1}\n', "script.jsonl:1"),
        ('\n\n{"toolCalls": [{"name": "read"}]}\n', "script.jsonl:3"),
        ("not json\n", "script.jsonl:1"),
        ('{"delayMs": -1}', "script.jsonl:1: delayMs must be 0 or more"),
    ],
)
async def test_a_wrong_line_of_a_script_fails_the_run_and_is_named(
    bench: Bench, script: str, told: str
) -> None:
    (bench.workspace / "script.jsonl").write_text(script)
    run = await bench.spawn(model="scripted:script.jsonl")
    ended = await bench.ended(run.id)
    assert ended.status == "failed"
    assert told in (ended.reason or "")


async def test_a_script_that_is_not_there_fails_the_run(bench: Bench) -> None:
    ended = await bench.ended((await bench.spawn(model="scripted:none.jsonl")).id)
    assert ended.status == "failed" and "none.jsonl" in (ended.reason or "")


async def test_a_request_that_makes_no_run_is_refused_with_what_is_missing(bench: Bench) -> None:
    for request, told in (
        ({"model": None}, "a command or a model"),
        ({"model": "gpt", "backend": "magic"}, "magic"),
        ({"model": "x", "task": "  "}, "needs a task"),
        ({"model": "x", "tool_level": "god"}, "read-only, lisp-developer, full, trusted"),
        ({"model": None, "backend": "model"}, "scripted:PATH"),
    ):
        with pytest.raises(InvalidParams, match=told):
            await bench.spawn(**request)
    assert await bench.runs.list() == []


@pytest.mark.ledger("D-33")
async def test_a_pause_takes_effect_at_the_next_step_and_ends_with_resume(bench: Bench) -> None:
    there, back = bench.workspace / "there", bench.workspace / "back"
    os.mkfifo(there)
    os.mkfifo(back)
    command = "echo in > there; read line < back; echo done"
    run = await bench.spawn(call("shell", command=command), {"text": "After."}, tool_level="trusted")
    await asyncio.to_thread(there.read_text)
    pausing = await bench.runs.pause(run.id, by=ANN)
    assert (pausing.status, pausing.phase) == ("running", "pausing")
    await asyncio.to_thread(back.write_text, "go\n")
    paused = await bench.status(run.id, "paused")
    assert paused.phase is None
    results = [e.data["result"] for e in await bench.events(run.id, "tool.completed")]
    assert results == ["done\n(exit code 0)"]
    resumed = await bench.runs.resume(run.id, by=BOB)
    assert resumed.status != "paused"
    assert (await bench.ended(run.id)).status == "completed"
    actors = {e.data["event"]: e.actor.name for e in await bench.events(run.id, "run.status")}
    assert (actors["pause"], actors["resume"]) == ("Ann", "Bob")


@pytest.mark.ledger("D-33")
async def test_a_pause_by_force_stops_the_command_of_the_step_where_it_is(bench: Bench) -> None:
    there, back = bench.workspace / "there", bench.workspace / "back"
    os.mkfifo(there)
    os.mkfifo(back)
    command = "echo $$ > there; read line < back; echo $line"
    run = await bench.spawn(call("shell", command=command), {"text": "After."}, tool_level="trusted")
    pid = int(await asyncio.to_thread(there.read_text))
    paused = await bench.runs.pause(run.id, by=ANN, force=True)
    assert (paused.status, paused.pause_mode, paused.phase) == ("paused", "forced", None)
    await until(lambda: identity.state(pid) == "T", "the command is stopped")
    assert (await bench.runs.pause(run.id, by=BOB, force=True)).status == "paused"
    resumed = await bench.runs.resume(run.id, by=BOB)
    assert resumed.status == "running"
    await asyncio.to_thread(back.write_text, "went on\n")
    assert (await bench.ended(run.id)).status == "completed"
    results = [e.data["result"] for e in await bench.events(run.id, "tool.completed")]
    assert results == ["went on\n(exit code 0)"]
    edges = [(e.data["event"], e.actor.name) for e in await bench.events(run.id, "run.status")]
    assert [each for each in edges if each[0] in ("pause", "resume")] == [("pause", "Ann"), ("resume", "Bob")]


async def test_a_run_whose_command_is_frozen_can_be_stopped(bench: Bench) -> None:
    pid_file = bench.workspace / "pid"
    run = await bench.spawn(call("shell", command="echo $$ > pid; sleep 600"), tool_level="trusted")
    await until(lambda: pid_file.exists() and pid_file.read_text().strip() != "", "the command runs")
    await bench.runs.pause(run.id, by=ANN)
    paused = await bench.runs.pause(run.id, by=ANN, force=True)
    assert (paused.status, paused.pause_mode, paused.phase) == ("paused", "forced", None)
    assert (await bench.runs.stop(run.id, by=ANN)).status == "terminated"
    await until(lambda: identify(int(pid_file.read_text())) is None, "the command is gone")


async def test_a_run_may_be_paused_before_its_first_step_and_changed_in_mind(bench: Bench) -> None:
    run = await bench.spawn({"delayMs": 60_000, "text": "late"}, {"text": "never"})
    await bench.runs.pause(run.id, by=ANN)
    await bench.runs.resume(run.id, by=ANN)
    assert (await bench.status(run.id, "thinking", "initializing")).phase is None
    stopped = await bench.runs.stop(run.id, by=ANN)
    assert (stopped.status, stopped.reason) == ("terminated", "stopped by Ann")


async def test_a_run_that_waits_for_an_answer_is_not_resumed_but_answered(bench: Bench) -> None:
    run = await bench.spawn(call("shell", command="true"))
    await bench.status(run.id, "waiting")
    with pytest.raises(InvalidTransition, match="waits for an answer"):
        await bench.runs.resume(run.id, by=ANN)


async def test_stopping_a_waiting_run_closes_its_question_and_frees_its_lease(bench: Bench) -> None:
    run = await bench.spawn(call("write", path="a", content="x"))
    question = await bench.question(run.id)
    stopped = await bench.runs.stop(run.id, by=ANN)
    assert (stopped.status, stopped.interventions, stopped.leases) == ("terminated", 0, [])
    with pytest.raises(InterventionClosed):
        await bench.questions.answer(question.id, "accept", by=ANN)
    assert await bench.leases.show("a") is None
    assert not (bench.workspace / "a").exists()


async def test_killing_a_run_ends_the_command_it_is_executing(bench: Bench) -> None:
    run = await bench.spawn(call("shell", command="echo $$ > pid; sleep 60"), tool_level="trusted")
    pid_file = bench.workspace / "pid"
    await until(lambda: pid_file.exists() and pid_file.read_text().strip() != "", "the command runs")
    killed = await bench.runs.kill(run.id, by=ANN)
    assert (killed.status, killed.reason) == ("terminated", "killed by Ann")
    await until(lambda: identify(int(pid_file.read_text())) is None, "the command is gone")
    (failed,) = await bench.events(run.id, "tool.failed")
    assert failed.data["error"]["code"] == "cancelled"


async def test_an_ended_run_takes_no_command(bench: Bench) -> None:
    run = await bench.spawn({"text": "x"})
    await bench.ended(run.id)
    before = await bench.store.reader.last_seq()
    for order in (bench.runs.pause, bench.runs.resume, bench.runs.stop, bench.runs.kill):
        with pytest.raises(InvalidTransition, match="completed"):
            await order(run.id, by=ANN)
    with pytest.raises(InvalidTransition):
        await bench.runs.send(run.id, "hello?", by=ANN)
    assert await bench.store.reader.last_seq() == before


async def test_runs_are_listed_newest_first_and_found_by_prefix(bench: Bench) -> None:
    first = await bench.spawn({"text": "1"})
    await bench.ended(first.id)
    second = await bench.spawn({"delayMs": 60_000})
    assert [run.id for run in await bench.runs.list()] == [second.id, first.id]
    assert [run.id for run in await bench.runs.list(limit=1)] == [second.id]
    assert [run.id for run in await bench.runs.list("completed")] == [first.id]
    assert [run.id for run in await bench.runs.list("active")] == [second.id]
    assert (await bench.runs.show(first.id[4:16])).id == first.id
    with pytest.raises(RunNotFound):
        await bench.runs.show("ffffffffffffffff")
    with pytest.raises(InvalidParams) as caught:
        await bench.runs.show("run_")
    assert set(caught.value.data["candidates"]) == {first.id, second.id}
    with pytest.raises(InvalidParams, match="active or one of"):
        await bench.runs.list("sleeping")


async def test_a_message_reaches_the_run_and_stands_in_its_history(bench: Bench) -> None:
    run = await bench.spawn(call("shell", command="true"))
    await bench.question(run.id)
    await bench.runs.send(run.id, "Hurry.", by=ANN)
    await bench.answer(run.id, "accept")
    await bench.ended(run.id)
    heard = [
        (e.actor.name, e.data["content"])
        for e in await bench.events(run.id, "message")
        if "heard" not in e.data
    ]
    assert heard == [("Ann", "try it"), ("Ann", "Hurry.")]


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


@pytest.mark.ledger("D-55")
async def test_leases_are_renewed_while_the_run_lives(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("descartes_core.runs.renewing.LONGEST_SECONDS", 0.02)
    run = await bench.spawn(call("shell", command="true"), files=["a"])
    await bench.question(run.id)
    soon = bench.store.clock.now_ms() + 10_000
    await bench.store.transact(lambda tx: tx.execute("UPDATE lease SET expires_ms = ?", (soon,)))
    (renewed,) = await bench.until(lambda: bench.events(run.id, "lease.renewed"))
    assert (renewed.data["path"], renewed.data["token"]) == ("a", 1)


@pytest.mark.ledger("D-55")
async def test_the_shortest_leases_of_a_run_never_lapse_while_it_lives(workspace: Path) -> None:
    clock = FakeClock()
    store = await Store.open(workspace / ".descartes" / "descartes.db", clock=clock)
    bench = Bench(workspace, store, None, settings=lambda: Settings(leases=LeaseSettings(ttl_seconds=1)))
    run = await bench.spawn(call("write", path="b", content="x"), call("shell", command="true"), files=["a"])
    await bench.question(run.id)
    await bench.answer(run.id, "accept")
    await bench.until(lambda: shell_question(bench, run.id))
    for renewals in (2, 4, 6):
        clock.advance(0.6)
        await bench.until(partial(_renewed, bench, run.id, renewals))
    assert [each.path for each in await bench.leases.list(run=run.id)] == ["a", "b"]
    assert "lease.expired" not in await bench.names(run.id)
    await bench.close()


async def _renewed(bench: Bench, run: str, times: int) -> bool:
    return len(await bench.events(run, "lease.renewed")) >= times


@pytest.mark.ledger("D-32")
async def test_the_times_of_a_run_follow_one_another(bench: Bench) -> None:
    run = await bench.spawn(call("shell", command="true"))
    await bench.answer(run.id, "accept")
    ended = await bench.ended(run.id)
    assert ended.started_at <= (ended.paused_at or "") <= (ended.ended_at or "")
    assert ended.pause_mode is None  # it waited for an answer


@pytest.mark.ledger("D-11")
async def test_every_event_of_a_run_but_the_first_has_a_parent_before_it(bench: Bench) -> None:
    run = await bench.spawn(call("write", path="a", content="x"), call("read", path="none"), files=["b"])
    await bench.question(run.id)
    await bench.runs.send(run.id, "more", by=ANN)
    await bench.answer(run.id, "accept")
    await bench.ended(run.id)
    first, *events = await bench.events(run.id)
    assert first.name == "run.spawned" and first.parent is None
    seen = {first.id}
    for event in events:
        if event.name != "lease.released":
            assert event.parent in seen, event.name
        seen.add(event.id)


async def test_rebuilding_the_table_changes_no_run(bench: Bench) -> None:
    run = await bench.spawn(call("write", path="a", content="x"))
    await bench.answer(run.id, "accept")
    await bench.ended(run.id)
    other = await bench.spawn(call("shell", command="true"))
    await bench.status(other.id, "waiting")
    before = await bench.runs.list()
    await bench.store.rebuild()
    assert await bench.runs.list() == before
