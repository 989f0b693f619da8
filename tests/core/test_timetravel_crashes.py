"""A restore whose process is killed at any instant, and trees that are large or changed at random."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import RestoreConflict
from descartes_core.timetravel.snapshots import Snapshots
from support.running import ANN
from support.time_machine import TimeMachine
from support.trees import change, git, private_state, repository, tree, write

FILES: dict[str, str | bytes] = {"a.lisp": "(a)\n", "src/b.lisp": "(b)\n", "c.txt": "keep\n", "d/e/f": "f"}
DOES = "rm -r src; echo changed > a.lisp; mkdir new; echo n > new/file; chmod +x c.txt; rm -r d; echo d > d"
HELPER = Path(__file__).parent.parent / "support" / "restore_process.py"


async def restoring(workspace: Path, run: str, to: str, instant: str) -> tuple[int, str]:
    """Return exit status and output of a process that restores and dies at INSTANT."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HELPER), str(workspace), run, to, instant),
        env=os.environ | {"PYTHONPATH": str(HELPER.parent.parent)},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode()


async def prepared(workspace: Path) -> tuple[str, str]:
    """Return a run that changed much in WORKSPACE, and its first event."""
    repository(workspace, FILES)
    write(workspace, {"untracked": "u"})
    machine = await TimeMachine.open(workspace)
    run = await machine.shell(DOES)
    first = await machine.first(run.id)
    await machine.close()
    return run.id, first


@pytest.mark.slow
async def test_killed_at_any_instant_it_is_finished_or_rolled_back(workspace: Path) -> None:
    run, to = await prepared(workspace)
    before, state = tree(workspace), private_state(workspace)
    status, out = await restoring(workspace, run, to, "count")
    assert status == 0
    after, instants = tree(workspace), json.loads(out)
    assert after != before and len(instants) > 15
    for number in range(len(instants)):
        machine = await TimeMachine.open(workspace)
        if tree(workspace) != before:
            await machine.restores.undo(ANN)
        await machine.close()
        assert tree(workspace) == before
        status, _ = await restoring(workspace, run, to, str(number))
        assert status == -signal.SIGKILL, instants[number]
        machine = await TimeMachine.open(workspace)
        told = await machine.restores.recover()
        done = number >= instants.index("moved")
        assert tree(workspace) == (after if done else before), instants[number]
        assert private_state(workspace) == state
        assert await machine.restores.recover() is None
        events = [event.name for event in await machine.bench.events(type="restore")]
        if told is not None:
            assert events[-1] == ("restore.applied" if done else "restore.failed"), instants[number]
        await machine.close()


async def test_what_a_person_wrote_after_a_crash_is_kept(workspace: Path) -> None:
    run, to = await prepared(workspace)
    _, out = await restoring(workspace, run, to, "count")
    swapped = json.loads(out).index("swapped")
    machine = await TimeMachine.open(workspace)
    await machine.restores.undo(ANN)
    await machine.close()
    await restoring(workspace, run, to, str(swapped))
    write(workspace, {"a.lisp": "a person's", "src/b.lisp": "a person's"})
    machine = await TimeMachine.open(workspace)
    with pytest.raises(RestoreConflict, match="interrupted"):
        await machine.restore(run, to)
    told = await machine.restores.recover()
    assert told is not None and "rolled back" in told and "a.lisp was changed meanwhile" in told
    assert (workspace / "a.lisp").read_text() == "a person's"
    assert (workspace / "src" / "b.lisp").read_text() == "a person's"
    kept = workspace / ".descartes" / "restore" / "kept" / "a.lisp"
    assert kept.read_text() == "changed\n" and (workspace / "new" / "file").read_text() == "n\n"
    await machine.close()


@pytest.mark.slow
async def test_a_thousand_random_edits_come_back_byte_for_byte(workspace: Path) -> None:
    chance = random.Random(4)
    repository(
        workspace, {f"f{n}/g{n % 7}/file{n}": chance.randbytes(chance.randrange(2000)) for n in range(120)}
    )
    machine, before = await TimeMachine.open(workspace), tree(workspace)
    run = await machine.bench.command("true")
    await machine.bench.ended(run.id)
    written = [path for path, each in before.items() if each[0] == "file"]
    for _ in range(1000):
        name = "/".join(chance.choice(["f1", "f2", "x", "y\n", "é", "caf\udce9"]) for _ in range(3))
        old = chance.choice(written)
        action = chance.choice(
            [
                (
                    "write",
                    name,
                    chance.randbytes(chance.randrange(3000)),
                    chance.choice([0o644, 0o755, 0o600]),
                ),
                ("write", old, chance.randbytes(50), 0o644),
                ("remove", old),
                ("link", name, chance.choice(["f1", "nowhere", old])),
                ("folder", name),
            ]
        )
        change(workspace, action)
        written.append(name)
    after = tree(workspace)
    assert (await machine.restore(run.id)).complete and tree(workspace) == before
    assert git(workspace, "status", "--porcelain") == ""
    await machine.restores.undo(ANN)
    assert tree(workspace) == after
    await machine.close()


@pytest.mark.slow
def test_twenty_thousand_files_are_looked_at_without_being_read(workspace: Path) -> None:
    for number in range(20_000):
        file = workspace / f"d{number % 200}" / f"f{number}"
        file.parent.mkdir(exist_ok=True)
        file.write_text(str(number))
    repository(workspace, {})
    snapshots = Snapshots(workspace, workspace / ".descartes")
    first = snapshots.take()
    read: list[int] = []
    store, repository_ = snapshots.repository.store_files, snapshots.repository

    def counting(paths: Any) -> list[str]:
        read.append(len(paths))
        return store(paths)

    repository_.store_files = counting  # type: ignore[method-assign]
    write(workspace, {"d1/f1": "changed"})
    second = snapshots.take()
    assert second.commit != first.commit and sum(read) < 200
