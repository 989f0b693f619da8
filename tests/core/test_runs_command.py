"""Process runs: any command, watched, signalled as a group, and fed."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from descartes_core.errors import InvalidParams, InvalidTransition
from descartes_core.model import Principal
from descartes_core.processes import identity
from support.running import ANN, Bench
from support.until import until

AGENT = Principal(kind="agent", id="run_" + "0" * 32, name="other")


@pytest.fixture
async def bench(workspace: Path) -> AsyncIterator[Bench]:
    bench = await Bench.open(workspace)
    yield bench
    await bench.close()


async def pids(bench: Bench, run: str, count: int) -> list[int]:
    """Return the COUNT numbers that RUN prints first."""
    printed = bench.workspace / ".descartes" / "output" / run / "stdout"
    await until(lambda: printed.exists() and len(printed.read_text().split()) >= count, "numbers")
    return [int(word) for word in printed.read_text().split()[:count]]


async def test_a_command_completes_with_its_output_kept_by_stream(bench: Bench) -> None:
    run = await bench.command("sh", "-c", "echo λ out; echo err >&2; pwd", agent="sh")
    ended = await bench.ended(run.id)
    assert (ended.status, ended.exit_code, ended.backend) == ("completed", 0, "process")
    assert (await bench.runs.output(run.id)).text == f"λ out\n{bench.workspace.resolve()}\n"
    assert (await bench.runs.output(run.id, "stderr")).text == "err\n"
    assert await bench.edges(run.id) == ["initializing", "running", "completed"]
    told = "".join(text for _, stream, text in bench.printed if stream == "stdout")
    assert told == f"λ out\n{bench.workspace.resolve()}\n"


@pytest.mark.parametrize(
    ("script", "code", "reason"), [("exit 3", 3, "exit code 3"), ("kill -9 $$", 137, "SIGKILL")]
)
async def test_a_command_that_fails_says_how(bench: Bench, script: str, code: int, reason: str) -> None:
    ended = await bench.ended((await bench.command("sh", "-c", script)).id)
    assert (ended.status, ended.exit_code) == ("failed", code)
    assert reason in (ended.reason or "")


async def test_output_is_read_by_cursor_and_never_cuts_a_character(bench: Bench) -> None:
    run = await bench.command("sh", "-c", "printf 'a\\360\\237'; read line; printf '\\230\\200b\\n'")
    output = bench.workspace / ".descartes" / "output" / run.id / "stdout"
    await until(lambda: output.exists() and output.stat().st_size == 3, "half a character")
    first = await bench.runs.output(run.id)
    assert (first.text, first.next) == ("a", 1)
    await bench.runs.send(run.id, "go\n", by=ANN)
    await bench.ended(run.id)
    rest = await bench.runs.output(run.id, since=first.next)
    assert (rest.text, rest.next, rest.more) == ("😀b\n", 7, False)
    with pytest.raises(InvalidParams, match="stdout and stderr"):
        await bench.runs.output(run.id, "stdlog")


async def test_text_that_is_sent_arrives_and_stands_in_the_history(bench: Bench) -> None:
    run = await bench.command("sh", "-c", "read a; read b; echo $b $a")
    await bench.status(run.id, "running")
    await bench.runs.send(run.id, "world\nhello\n", by=ANN)
    assert (await bench.ended(run.id)).status == "completed"
    assert (await bench.runs.output(run.id)).text == "hello world\n"
    messages = [e.data["content"] for e in await bench.events(run.id, "message")]
    assert messages == ["run it", "world\nhello\n"]


@pytest.mark.ledger("D-33")
async def test_a_forced_pause_stops_the_process_and_resume_lets_it_go_on(bench: Bench) -> None:
    run = await bench.command("sh", "-c", "sleep 60 & echo $! $$; read line; echo $line")
    family = await pids(bench, run.id, 2)
    with pytest.raises(InvalidParams, match="pause it by force"):
        await bench.runs.pause(run.id, by=ANN)
    paused = await bench.runs.pause(run.id, by=ANN, force=True)
    assert (paused.status, paused.pause_mode) == ("paused", "forced")
    assert (paused.paused_at or "") >= paused.started_at
    await until(lambda: {identity.state(pid) for pid in family} == {"T"}, "both are stopped")
    resumed = await bench.runs.resume(run.id, by=ANN)
    assert resumed.status == "running"
    await until(lambda: "T" not in {identity.state(pid) for pid in family}, "both go on")
    await bench.runs.send(run.id, "on\n", by=ANN)
    assert (await bench.ended(run.id)).status == "completed"
    assert await bench.edges(run.id) == ["initializing", "running", "paused", "running", "completed"]


@pytest.mark.ledger("Z-14")
async def test_stop_asks_first_and_kill_does_not(bench: Bench) -> None:
    polite = "trap 'echo bye; exit 0' TERM; echo $$; while :; do sleep 0.01; done"
    stopped, killed = [await bench.command("sh", "-c", polite) for _ in range(2)]
    for run in (stopped, killed):
        await pids(bench, run.id, 1)
    ended = await bench.runs.stop(stopped.id, by=ANN)
    assert (ended.status, ended.reason, ended.exit_code) == ("terminated", "stopped by Ann", 0)
    assert "bye" in (await bench.runs.output(stopped.id)).text
    ended = await bench.runs.kill(killed.id, by=ANN)
    assert (ended.status, ended.reason, ended.exit_code) == ("terminated", "killed by Ann", 137)
    assert "bye" not in (await bench.runs.output(killed.id)).text


async def test_a_stopped_process_can_be_stopped_for_good(bench: Bench) -> None:
    run = await bench.command("sh", "-c", "trap 'exit 0' TERM; echo $$; while :; do sleep 0.01; done")
    await pids(bench, run.id, 1)
    await bench.runs.pause(run.id, by=ANN, force=True)
    assert (await bench.runs.stop(run.id, by=ANN)).status == "terminated"


async def test_killing_leaves_no_orphan(bench: Bench) -> None:
    run = await bench.command("sh", "-c", "sleep 60 & echo $! $$; (sleep 60 & echo $!; wait) & wait")
    family = [identity.identify(pid) for pid in await pids(bench, run.id, 3)]
    await bench.runs.kill(run.id, by=ANN)
    await until(lambda: not any(identity.is_alive(each) for each in family if each), "all are gone")


async def test_a_process_that_somebody_else_continues_and_that_ends_is_completed(bench: Bench) -> None:
    run = await bench.command("sh", "-c", "echo $$; read line")
    (pid,) = await pids(bench, run.id, 1)
    await bench.runs.pause(run.id, by=ANN, force=True)
    await bench.runs.send(run.id, "\n", by=ANN)
    os.kill(pid, signal.SIGCONT)
    assert (await bench.ended(run.id)).status == "completed"
    assert (await bench.edges(run.id))[-3:] == ["paused", "running", "completed"]


async def test_a_kill_in_the_moment_of_the_start_ends_the_run(bench: Bench) -> None:
    run = await bench.command("sleep", "60")
    ended = await bench.runs.kill(run.id, by=ANN)
    assert (ended.status, ended.reason) == ("terminated", "killed by Ann")
    with pytest.raises(InvalidTransition):
        await bench.runs.pause(run.id, by=ANN, force=True)


async def test_what_cannot_be_started_says_so(bench: Bench) -> None:
    with pytest.raises(InvalidParams, match="no program 'no-such-program'"):
        await bench.command("no-such-program")
    with pytest.raises(InvalidParams, match="a list of words"):
        await bench.command(backend="process")
    (bench.workspace / "plain").write_text("text")
    ended = await bench.ended((await bench.command("./plain")).id)
    assert ended.status == "failed"
    assert "./plain" in (ended.reason or "")


async def test_a_command_that_an_agent_chose_waits_for_a_person(bench: Bench) -> None:
    run = await bench.command("sh", "-c", "touch made", by=AGENT)
    waiting = await bench.status(run.id, "waiting")
    assert waiting.status == "initializing"
    question = await bench.question(run.id)
    assert question.title == "Run sh -c 'touch made'"
    assert not (bench.workspace / "made").exists()
    await bench.answer(run.id, "accept")
    assert (await bench.ended(run.id)).status == "completed"
    assert (bench.workspace / "made").exists()

    refused = await bench.command("sh", "-c", "touch other", by=AGENT)
    await bench.answer(refused.id, "reject", reason="no")
    ended = await bench.ended(refused.id)
    assert (ended.status, ended.reason) == ("terminated", "Ann did not allow the command: no")
    assert not (bench.workspace / "other").exists()


async def test_files_of_a_process_are_leased_while_it_runs(bench: Bench) -> None:
    run = await bench.command("sh", "-c", "read line", files=["a"])
    lease = await bench.leases.show("a")
    assert lease is not None and lease.holder.id == run.id
    await bench.runs.kill(run.id, by=ANN)
    assert await bench.leases.show("a") is None


async def test_nothing_is_left_in_the_runtime_folder(bench: Bench) -> None:
    run = await bench.command("true")
    await bench.ended(run.id)
    assert list((bench.workspace.parent / "run" / "runs").iterdir()) == []
