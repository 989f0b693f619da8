"""Processes under a keeper: real processes, real signals, and nobody left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from descartes_core.agents.running_command import RunningCommand
from descartes_core.errors import InvalidParams, TimedOut
from descartes_core.processes import identity
from descartes_core.processes.identity import ProcessIdentity, identify, is_alive
from descartes_core.processes.kept import Command, KeptProcess
from support.until import until

Start = Callable[..., Awaitable[KeptProcess]]


@pytest.fixture
async def start(workspace: Path) -> AsyncIterator[Start]:
    started: list[KeptProcess] = []

    async def start_one(*command: str, **environment: str) -> KeptProcess:
        folder = workspace / f"process{len(started)}"
        kept = await KeptProcess.start(
            folder,
            Command(
                command=list(command),
                cwd=str(workspace),
                environment={"PATH": os.environ["PATH"], **environment},
                stdout=str(workspace / "stdout"),
                stderr=str(workspace / "stderr"),
            ),
        )
        started.append(kept)
        return kept

    yield start_one
    for kept in started:
        kept.signal(signal.SIGKILL)
        kept.close()


def pids_in(file: Path) -> list[int]:
    """Return the numbers in the lines of FILE that are written to their end."""
    text = file.read_text() if file.exists() else ""
    return [int(word) for word in text[: text.rfind("\n") + 1].split()]


async def test_the_exit_code_and_both_outputs_are_kept(start: Start, workspace: Path) -> None:
    kept = await start("/bin/sh", "-c", "echo out; echo err >&2; exit 3")
    assert (await kept.wait()).code == 3
    assert (workspace / "stdout").read_text() == "out\n"
    assert (workspace / "stderr").read_text() == "err\n"


async def test_what_is_written_arrives_at_the_standard_input(start: Start, workspace: Path) -> None:
    kept = await start("/bin/sh", "-c", 'read line; echo "got $line"')
    await kept.write("λ 😀\n")
    assert (await kept.wait()).code == 0
    assert (workspace / "stdout").read_text() == "got λ 😀\n"


async def test_a_process_that_reads_nothing_does_not_hold_up_its_writer(start: Start) -> None:
    kept = await start("sleep", "60")
    with pytest.raises(TimedOut) as caught:
        await kept.write("x" * 1_000_000, timeout_seconds=0.2)
    assert 0 < caught.value.data["written"] < 1_000_000


async def test_a_program_that_does_not_exist_is_named(start: Start) -> None:
    with pytest.raises(InvalidParams, match="no-such-program"):
        await start("/no-such-program")


async def test_the_environment_is_exactly_the_given_one(start: Start, workspace: Path) -> None:
    kept = await start(
        sys.executable, "-c", "import os; print(os.environ.get('DESCARTES_RUN'))", DESCARTES_RUN="run_1"
    )
    await kept.wait()
    assert (workspace / "stdout").read_text() == "run_1\n"


async def test_killing_the_group_leaves_no_orphan(start: Start, workspace: Path) -> None:
    kept = await start("/bin/sh", "-c", "sleep 60 & echo $! $$; sleep 60 & echo $!; wait")
    await until(lambda: len(pids_in(workspace / "stdout")) == 3, "three processes")
    family = [identify(pid) for pid in pids_in(workspace / "stdout")]
    assert all(family)
    ended = await kept.end(grace_seconds=0)
    assert str(ended) == "killed by SIGKILL"
    await until(lambda: not any(is_alive(member) for member in family if member), "nobody of the group lives")


async def test_what_a_command_left_in_the_background_ends_with_it(start: Start, workspace: Path) -> None:
    kept = await start("/bin/sh", "-c", "sleep 60 & echo $!")
    assert (await kept.wait()).code == 0
    [orphan] = pids_in(workspace / "stdout")
    await until(lambda: identify(orphan) is None, "the background process is gone")


async def test_ending_asks_before_it_kills(start: Start, workspace: Path) -> None:
    kept = await start(
        "/bin/sh", "-c", "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done"
    )
    await until(lambda: (workspace / "stdout").read_text() == "ready\n", "ready")
    assert (await kept.end(grace_seconds=60)).code == 0
    assert (workspace / "stdout").read_text() == "ready\nbye\n"


async def test_a_process_that_ignores_the_request_is_killed_after_the_grace(
    start: Start, workspace: Path
) -> None:
    kept = await start("/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.01; done")
    await until(lambda: (workspace / "stdout").read_text() == "ready\n", "ready")
    assert str(await kept.end(grace_seconds=0.1)) == "killed by SIGKILL"


async def test_a_process_is_taken_up_again_running_or_ended(start: Start, workspace: Path) -> None:
    first = await start("/bin/sh", "-c", "read line; exit 7")
    first.close()
    second = await KeptProcess.take_up(workspace / "process0")
    assert second is not None and is_alive(second.identity)
    await second.write("go\n")
    assert (await second.wait()).code == 7
    second.close()
    third = await KeptProcess.take_up(workspace / "process0")
    assert third is not None and (await third.wait()).code == 7
    third.close()
    assert await KeptProcess.take_up(workspace / "nothing") is None


async def run_keeper(folder: Path, workspace: Path, script: str) -> None:
    """Do what a hub does that dies while its keeper starts: give the order and read no answer."""
    specification = {
        "command": ["/bin/sh", "-c", script],
        "cwd": str(workspace),
        "environment": {"PATH": os.environ["PATH"]},
        "takesInput": False,
        "stdout": str(workspace / "stdout"),
        "stderr": str(workspace / "stderr"),
    }
    nobody_reads, report = os.pipe()
    keeper = subprocess.Popen(
        [sys.executable, "-m", "descartes_core.processes.keeper", str(folder)],
        stdin=subprocess.PIPE,
        stdout=report,
    )
    os.close(report)
    os.close(nobody_reads)
    await asyncio.to_thread(keeper.communicate, json.dumps(specification).encode() + b"\n")


def folder_of_a_dead_hub(workspace: Path) -> Path:
    folder = workspace / "process"
    folder.mkdir()
    for name in ("alive", "stdin"):
        os.mkfifo(folder / name)
    return folder


async def test_a_keeper_whose_hub_died_while_it_started_goes_on(workspace: Path) -> None:
    folder = folder_of_a_dead_hub(workspace)
    await run_keeper(folder, workspace, "exit 5")
    kept = await KeptProcess.take_up(folder)
    assert kept is not None and (await kept.wait()).code == 5
    kept.close()


async def test_a_process_that_is_taken_up_while_its_keeper_starts_is_waited_for(workspace: Path) -> None:
    folder = folder_of_a_dead_hub(workspace)
    running = asyncio.create_task(run_keeper(folder, workspace, "exit 6"))
    await until((folder / "claim").exists, "the keeper is about to start its command")
    kept = await KeptProcess.take_up(folder)
    assert kept is not None and (await kept.wait()).code == 6
    kept.close()
    await running


async def test_a_keeper_that_comes_too_late_starts_nothing(workspace: Path) -> None:
    folder = folder_of_a_dead_hub(workspace)
    assert await KeptProcess.take_up(folder) is None
    await run_keeper(folder, workspace, "touch made")
    assert not (workspace / "made").exists()


async def test_when_the_keeper_is_killed_the_process_ends_and_says_that_nobody_saw_how(
    start: Start, workspace: Path
) -> None:
    kept = await start("/bin/sh", "-c", "echo $PPID; sleep 60")
    await until(lambda: len(pids_in(workspace / "stdout")) == 1, "the keeper's number")
    os.kill(pids_in(workspace / "stdout")[0], signal.SIGKILL)
    assert (await kept.wait()).code is None
    await until(lambda: not is_alive(kept.identity), "the process is gone")


async def test_nothing_is_signalled_when_the_number_means_another_process(
    start: Start, workspace: Path
) -> None:
    kept = await start("sleep", "60")
    real = kept.identity
    for wrong in (real._replace(start="1"), real._replace(boot="another boot")):
        kept.identity = wrong
        assert kept.signal(signal.SIGKILL) is False
    assert is_alive(real)
    kept.identity = real


async def test_a_zombie_is_gone() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    try:
        await until(lambda: identity.state(pid) == "Z", "a zombie")
        assert identify(pid) is None
        assert not is_alive(ProcessIdentity(identity.boot(), pid, "0"))
    finally:
        await asyncio.to_thread(os.waitpid, pid, 0)


async def test_the_time_of_a_command_does_not_run_while_it_is_frozen(start: Start) -> None:
    kept = await start("/bin/sleep", "600")
    async with asyncio.timeout(600) as limit:
        command, ends = RunningCommand(kept, limit), limit.when()
        assert command.freeze() and command.freeze()
        await until(lambda: identity.state(kept.identity.pid) == "T", "it is stopped")
        assert limit.when() is None
        command.thaw()
        await until(lambda: identity.state(kept.identity.pid) != "T", "it goes on")
        assert (limit.when() or 0) >= (ends or 0) > 0
        await kept.end(grace_seconds=0)
        assert not command.freeze()
