"""A restore whose process is killed at any instant, and trees of any shape against a simple model."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descartes_core.errors import RestoreConflict
from descartes_core.timetravel.snapshots import Snapshots
from support.running import ANN
from support.time_machine import TimeMachine
from support.trees import Tree, git, private_state, repository, tree, write

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


NAMES = st.sampled_from(["a", "b", "d", "d/a", "d/e", "d/e/f", "caf\udce9", "-x", "sp ace"])
BYTES = st.binary(max_size=12)
ACTIONS = st.one_of(
    st.tuples(st.just("write"), NAMES, BYTES, st.sampled_from([0o644, 0o600, 0o755])),
    st.tuples(st.just("link"), NAMES, st.sampled_from(["a", "d/e", "nowhere"])),
    st.tuples(st.just("folder"), NAMES),
    st.tuples(st.just("remove"), NAMES),
    st.tuples(st.just("snapshot")),
    st.tuples(st.just("restore"), st.integers(0, 5)),
    st.tuples(st.just("undo")),
    st.tuples(st.just("redo")),
)


def change(root: Path, action: tuple[Any, ...]) -> None:
    """Do what a person could do with ACTION to the files below ROOT."""
    verb, name, *more = action
    path = root / name
    if verb != "remove":
        for folder in list(path.parents)[: name.count("/")][::-1]:
            if folder.is_symlink() or not folder.is_dir():
                folder.unlink(missing_ok=True)
                folder.mkdir(mode=0o755)
    elif not all(each.is_dir() and not each.is_symlink() for each in list(path.parents)[: name.count("/")]):
        return
    if path.is_dir() and not path.is_symlink():
        if verb == "folder":
            return
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if verb == "write":
        path.write_bytes(more[0])
        path.chmod(more[1])
    elif verb == "link":
        path.symlink_to(more[0])
    elif verb == "folder":
        path.mkdir(mode=0o755)


class Model:
    """What the tree must be: restores go to a known tree, undo and redo move between two."""

    def __init__(self) -> None:
        self.points: list[tuple[str, Tree]] = []
        self.undo: list[tuple[Tree, Tree]] = []
        self.redo: list[tuple[Tree, Tree]] = []


async def follow(workspace: Path, actions: list[tuple[Any, ...]]) -> None:
    """Do ACTIONS and compare the work tree with the model after each restore."""
    machine, model = await TimeMachine.open(workspace), Model()
    try:
        for action in actions:
            await step(machine, model, workspace, action)
    finally:
        await machine.close()


async def step(machine: TimeMachine, model: Model, root: Path, action: tuple[Any, ...]) -> None:
    verb, now = action[0], tree(root)
    if verb == "snapshot":
        run = await machine.bench.command("true")
        await machine.bench.ended(run.id)
        model.points.append((run.id, now))
    elif verb == "restore" and model.points:
        run_id, then = model.points[action[1] % len(model.points)]
        await machine.restore(run_id)
        assert tree(root) == then
        model.undo.append((now, then))
        model.redo.clear()
    elif verb in ("undo", "redo"):
        source, target = (model.undo, model.redo) if verb == "undo" else (model.redo, model.undo)
        if not source:
            return
        pair = source[-1]
        expected, wanted = (pair[1], pair[0]) if verb == "undo" else pair
        turn = machine.restores.undo if verb == "undo" else machine.restores.redo
        if now != expected:
            # Something was changed since: only forced, and nothing beyond what the restore changed.
            with_other = {
                path for path in now.keys() | expected.keys() if now.get(path) != expected.get(path)
            }
            about = {
                path for path in wanted.keys() | expected.keys() if wanted.get(path) != expected.get(path)
            }
            if with_other & about or any(_within(one, other) for one in with_other for other in about):
                return
            await turn(ANN)
            after = tree(root)
            assert {path: after.get(path) for path in about} == {path: wanted.get(path) for path in about}
            assert all(after.get(path) == now.get(path) for path in with_other)
        else:
            await turn(ANN)
            assert tree(root) == wanted
        target.append(source.pop())
    elif verb not in ("snapshot", "restore"):
        change(root, action)


def _within(one: str, other: str) -> bool:
    return one.startswith(f"{other}/") or other.startswith(f"{one}/")


def tried(actions: list[tuple[Any, ...]]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="dsc-model-"))
    try:
        workspace = folder / "workspace"
        workspace.mkdir()
        asyncio.run(follow(workspace, actions))
    finally:
        shutil.rmtree(folder)


QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=6, deadline=None, suppress_health_check=QUIET)
@given(st.lists(ACTIONS, min_size=4, max_size=12))
def test_any_interleaving_equals_a_simple_model(actions: list[tuple[Any, ...]]) -> None:
    tried(actions)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=QUIET)
@given(st.lists(ACTIONS, min_size=8, max_size=30))
def test_many_interleavings_equal_a_simple_model(actions: list[tuple[Any, ...]]) -> None:
    tried([("write", "a", b"1", 0o644), ("snapshot",), *actions])


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
