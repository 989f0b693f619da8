"""Model runs paused, resumed, stopped and killed."""

from __future__ import annotations

import asyncio
import os

import pytest

from descartes_core.errors import (
    InterventionClosed,
    InvalidTransition,
)
from descartes_core.processes import identity
from descartes_core.processes.identity import identify
from support.running import ANN, BOB, Bench, bench, call
from support.until import until

__all__ = ["bench"]


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
