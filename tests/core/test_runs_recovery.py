"""What becomes of runs when the hub dies: nothing is lost, nothing is done twice, nobody is left alone."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from descartes_core.agents.conversation import fold
from descartes_core.errors import LeaseHeld
from descartes_core.processes import identity
from descartes_core.processes.identity import identify
from support.running import ANN, BOB, Bench, call
from support.until import until

Open = Callable[[], Awaitable[Bench]]
TESTS = Path(__file__).resolve().parent.parent


@pytest.fixture
async def open_bench(workspace: Path) -> AsyncIterator[Open]:
    opened: list[Bench] = []

    async def open_one() -> Bench:
        opened.append(await Bench.open(workspace))
        return opened[-1]

    yield open_one
    for bench in opened:
        await bench.close(kill=False)
    # Whatever a test left behind, under a supervisor or under nobody, ends here.
    last = await Bench.open(workspace)
    await last.runs.recover()
    await last.close()


class Supervisor:
    """A supervisor in a process of its own."""

    def __init__(self, workspace: Path, *requests: dict[str, object]) -> None:
        program = str(TESTS / "support" / "supervisor_process.py")
        self.process = subprocess.Popen(
            [sys.executable, program, str(workspace), *map(json.dumps, requests)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(TESTS)},
        )
        assert self.process.stdout is not None
        self.runs: list[str] = json.loads(self.process.stdout.readline())

    def pause(self, run: str) -> None:
        """Have RUN paused by force."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{run}\n".encode())
        self.process.stdin.flush()
        assert self.process.stdout.readline().decode().strip() == run

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def supervisors() -> Iterator[Callable[..., Supervisor]]:
    started: list[Supervisor] = []

    def start(workspace: Path, *requests: dict[str, object]) -> Supervisor:
        started.append(Supervisor(workspace, *requests))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def script(workspace: Path, *turns: dict[str, object]) -> str:
    (workspace / "script.jsonl").write_text("".join(json.dumps(turn) + "\n" for turn in turns))
    return "scripted:script.jsonl"


@pytest.mark.ledger("A-21")
async def test_a_killed_supervisor_loses_neither_a_process_nor_a_waiting_run(
    workspace: Path, supervisors: Callable[..., Supervisor], open_bench: Open
) -> None:
    model = script(workspace, {"text": "First."}, call("write", path="a", content="x"), {"text": "Last."})
    first = supervisors(
        workspace,
        {"task": "wait", "command": ["sh", "-c", "echo $$; read line; echo got $line; exit 4"]},
        {"task": "write", "model": model, "files": ["b"]},
    )
    process, waiting = first.runs
    printed = workspace / ".descartes" / "output" / process / "stdout"
    await until(lambda: printed.exists() and printed.read_text().endswith("\n"), "the process runs")
    watching = await open_bench()
    await until_phase(watching, waiting, "waiting")
    await until_status(watching, process, "running")
    (question,) = await watching.questions.list()
    await watching.close(kill=False)
    first.kill()
    assert identify(int(printed.read_text())), "the process lives on"

    bench = await open_bench()
    recovered = {run.id: run for run in await bench.runs.recover()}
    assert (recovered[process].status, recovered[waiting].status) == ("running", "paused")
    await bench.until(lambda: phase_is(bench, process, None))
    assert (await bench.status(waiting, "waiting")).leases == ["a", "b"]
    assert [each.id for each in await bench.questions.list()] == [question.id], (
        "the same question, not a second"
    )
    await bench.answer(waiting, "accept")
    await bench.runs.send(process, "hello\n", by=ANN)
    assert (await bench.ended(waiting)).status == "completed"
    ended = await bench.ended(process)
    assert (ended.status, ended.exit_code, ended.reason) == ("failed", 4, "exit code 4")
    assert (workspace / "a").read_text() == "x"
    said = [e.data["content"] for e in await bench.events(waiting, "message")]
    assert said == ["write", "First.", "", "Last."], "no turn was said twice"
    assert (await bench.runs.output(process)).text.endswith("got hello\n")
    assert await bench.edges(process) == ["initializing", "running", "failed"]


async def until_status(bench: Bench, run: str, status: str) -> None:
    """Wait for what another process writes into the log, which tells nobody here."""
    async with asyncio.timeout(60):
        while (await bench.runs.show(run)).status != status:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def until_phase(bench: Bench, run: str, phase: str) -> None:
    async with asyncio.timeout(60):
        while (await bench.runs.show(run)).phase != phase:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_process_that_ended_meanwhile_is_read_from_its_records(
    workspace: Path, supervisors: Callable[..., Supervisor], open_bench: Open
) -> None:
    command = "echo $$ $PPID; while [ ! -e go ]; do sleep 0.01; done; exit 7"
    first = supervisors(workspace, {"task": "t", "command": ["sh", "-c", command]})
    (run,) = first.runs
    printed = workspace / ".descartes" / "output" / run / "stdout"
    await until(lambda: printed.exists() and printed.read_text().endswith("\n"), "the process runs")
    first.kill()
    pids = [int(word) for word in printed.read_text().split()]
    (workspace / "go").touch()
    await until(lambda: not any(map(identify, pids)), "the process and its keeper have ended")
    bench = await open_bench()
    await bench.runs.recover()
    ended = await bench.ended(run)
    assert (ended.status, ended.exit_code) == ("failed", 7)


@pytest.mark.parametrize(
    ("choice", "status", "lines"),
    [("retry", "completed", 2), ("skip", "completed", 1), ("stop", "terminated", 1)],
)
async def test_a_step_that_was_interrupted_is_asked_about_and_its_command_is_ended(
    workspace: Path,
    supervisors: Callable[..., Supervisor],
    open_bench: Open,
    choice: str,
    status: str,
    lines: int,
) -> None:
    command = "echo $$ >> log; [ $(wc -l < log) -gt 1 ] || sleep 60"
    model = script(workspace, call("shell", command=command), {"text": "After."})
    first = supervisors(workspace, {"task": "t", "model": model, "toolLevel": "trusted"})
    (run,) = first.runs
    log = workspace / "log"
    await until(lambda: log.exists() and log.read_text().endswith("\n"), "the command runs")
    first.kill()
    leftover = int(log.read_text())
    bench = await open_bench()
    await bench.runs.recover()
    question = await bench.question(run)
    assert (question.kind, [each.id for each in question.choices]) == ("question", ["retry", "skip", "stop"])
    assert (await bench.status(run, "waiting")).status == "paused"
    assert identify(leftover) is None
    await bench.answer(run, choice)
    ended = await bench.ended(run)
    assert ended.status == status
    assert len(log.read_text().splitlines()) == lines
    started, over = [await bench.events(run, name) for name in ("tool.started", "tool.completed")]
    failed = await bench.events(run, "tool.failed")
    assert len(started) == lines
    assert len(over) + len(failed) == 1


async def test_a_run_goes_on_at_the_turn_where_it_was(open_bench: Open, workspace: Path) -> None:
    first = await open_bench()
    run = await first.spawn(
        call("write", path="a", content="1"), call("write", path="b", content="2"), {"text": "Done."}
    )
    await first.answer(run.id, "accept")
    await first.until(lambda: question_about(first, run.id, "b"))
    await first.close(kill=False)
    assert (workspace / "a").read_text() == "1"
    (workspace / "a").write_text("changed since")

    second = await open_bench()
    (taken_up,) = await second.runs.recover()
    assert (taken_up.id, taken_up.status) == (run.id, "paused")
    await second.answer(run.id, "accept")
    assert (await second.ended(run.id)).status == "completed"
    assert (workspace / "a").read_text() == "changed since", "a finished step is never done twice"
    assert (workspace / "b").read_text() == "2"
    phases = [e.data["phase"] for e in await second.events(run.id, "run.phase")]
    assert phases[:2] == ["recovering", "waiting"]


async def question_about(bench: Bench, run: str, path: str) -> bool:
    asked = [question.data["toolArgs"]["path"] for question in await bench.questions.list(run=run)]
    return path in asked and (await bench.runs.show(run)).phase == "waiting"


async def test_a_paused_run_stays_paused_until_somebody_resumes_it(
    open_bench: Open,
) -> None:
    first = await open_bench()
    run = await first.spawn(call("shell", command="true"), {"text": "Done."})
    await first.question(run.id)
    await first.runs.pause(run.id, by=ANN)
    await first.answer(run.id, "accept")

    async def held() -> bool:
        found = await first.runs.show(run.id)
        return found.status == "paused" and found.phase is None

    await first.until(held)
    await first.close(kill=False)
    second = await open_bench()
    await second.runs.recover()
    await second.until(lambda: phase_is(second, run.id, None))
    assert (await second.runs.resume(run.id, by=BOB)).status != "paused"
    assert (await second.ended(run.id)).status == "completed"


async def test_a_command_that_was_frozen_when_the_hub_died_ends_with_its_run(
    workspace: Path, supervisors: Callable[..., Supervisor], open_bench: Open
) -> None:
    model = script(workspace, call("shell", command="echo $$ > log; exec sleep 600"), {"text": "After."})
    first = supervisors(workspace, {"task": "t", "model": model, "toolLevel": "trusted"})
    (run,) = first.runs
    log = workspace / "log"
    await until(lambda: log.exists() and log.read_text().endswith("\n"), "the command runs")
    first.pause(run)
    first.kill()
    await until(lambda: identity.state(int(log.read_text())) == "T", "the command is stopped")
    bench = await open_bench()
    await bench.runs.recover()
    paused = await bench.runs.show(run)
    assert (paused.status, paused.pause_mode) == ("paused", "forced")
    assert (await bench.runs.stop(run, by=ANN)).status == "terminated"
    assert identify(int(log.read_text())) is None


async def test_a_run_that_this_program_does_not_understand_keeps_no_other_from_going_on(
    open_bench: Open,
) -> None:
    first = await open_bench()
    strange = await first.spawn(call("shell", command="true"))
    other = await first.spawn(call("shell", command="true"))
    for run in (strange, other):
        await first.question(run.id)
    await first.close(kill=False)
    second = await open_bench()
    change = "UPDATE run SET spawned = replace(spawned, '\"model\"', '\"telepathy\"') WHERE id = ?"
    await second.store.transact(lambda tx: tx.execute(change, (strange.id,)) and None)
    assert [run.id for run in await second.runs.recover()] == [other.id]
    await second.answer(other.id, "accept")
    assert (await second.ended(other.id)).status == "completed"
    await second.store.rebuild()
    await second.runs.recover()


async def phase_is(bench: Bench, run: str, phase: str | None) -> bool:
    return (await bench.runs.show(run)).phase == phase


async def test_a_recovered_child_still_proves_who_it_is(open_bench: Open) -> None:
    first = await open_bench()
    show = "echo $DESCARTES_RUN $DESCARTES_RUN_TOKEN"
    run = await first.spawn(call("shell", command="true"), call("shell", command=show))
    await first.question(run.id)
    await first.close(kill=False)
    second = await open_bench()
    await second.runs.recover()
    await second.answer(run.id, "accept")
    await second.until(lambda: second.questions.list(run=run.id))
    await second.answer(run.id, "accept")
    await second.ended(run.id)
    result = (await second.events(run.id, "tool.completed"))[-1].data["result"]
    name, token = result.split("\n")[0].split()
    principal = await second.runs.principal(name, token)
    assert principal is not None and principal.id == run.id


@pytest.mark.ledger("D-18")
async def test_a_restored_conversation_shows_the_model_the_same_messages(
    open_bench: Open,
) -> None:
    bench = await open_bench()
    run = await bench.spawn(call("shell", command="echo hi"), {"text": "Bye."})
    await bench.question(run.id)
    await bench.runs.send(run.id, "While you wait.", by=ANN)
    await bench.answer(run.id, "accept")
    await bench.ended(run.id)
    messages, _ = fold(await bench.events(run.id)).request()
    assert [(m.role, m.content) for m in messages] == [
        ("user", "try it"),
        ("assistant", ""),
        ("tool", "hi\n(exit code 0)"),
        ("user", "While you wait."),
        ("assistant", "Bye."),
    ]


async def test_leases_that_ran_out_without_a_hub_are_taken_again_unless_somebody_was_quicker(
    open_bench: Open, workspace: Path
) -> None:
    first = await open_bench()
    run = await first.spawn(call("write", path="a", content="x"), files=["b"])
    await first.question(run.id)
    await first.store.transact(lambda tx: tx.execute("UPDATE lease SET expires_ms = 1"))
    await first.leases.expire_due()
    await first.leases.acquire("a", BOB)
    await first.close(kill=False)
    second = await open_bench()
    await second.runs.recover()
    with pytest.raises(LeaseHeld):
        await second.leases.acquire("b", BOB)
    ended = await second.ended(run.id)
    assert ended.status == "failed" and "Bob" in (ended.reason or "")
    assert not (workspace / "a").exists()
