"""Model runs: the loop, its calls and errors, its scripts, and what stands in the log afterwards."""

from __future__ import annotations

import pytest

from descartes_core.errors import (
    InvalidParams,
    RunNotFound,
)
from descartes_core.store import EventQuery
from support.running import ANN, BOB, Bench, bench, call

__all__ = ["bench"]


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
