"""Restores: looked at first, all or nothing, undone, done again, never at the cost of a person's work."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import (
    InvalidParams,
    LeaseHeld,
    NotFound,
    RestoreConflict,
    RunNotFound,
    Unsupported,
)
from descartes_core.leases import standing
from support.restored import DOES, FILES, Faults
from support.running import ANN, BOB, call
from support.time_machine import TimeMachine
from support.trees import git, private_state, repository, tree, write


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
async def machine(workspace: Path, faults: Faults) -> AsyncIterator[TimeMachine]:
    repository(workspace, FILES)
    write(workspace, {"untracked": "u", "staged": "s"})
    git(workspace, "add", "staged")
    made = await TimeMachine.open(workspace, at=faults)
    yield made
    await made.close()


@pytest.mark.ledger("D-19")
@pytest.mark.ledger("D-20")
async def test_the_backup_is_a_ref_that_git_alone_can_read(machine: TimeMachine, workspace: Path) -> None:
    # As settled in interface.md section 4: a private ref instead of a stash.
    git(workspace, "config", "core.excludesFile", str(workspace.parent / "ignored"))
    (workspace.parent / "ignored").write_text("*.log\n")
    run = await machine.shell(DOES)
    write(workspace, {"untracked": "changed by hand", "x.log": "ignored"})
    before = {path: entry for path, entry in tree(workspace).items() if entry[0] == "file"}
    await machine.restore(run.id)
    assert (workspace / "x.log").read_text() == "ignored"
    (backup,) = [
        event.data["ref"]
        for event in await machine.bench.events(type="body.snapshot")
        if event.data["when"] == "backup"
    ]
    assert re.fullmatch(rf"{run.id[4:]}/\d+", backup) and git(workspace, "stash", "list") == ""
    git(workspace, "restore", "--worktree", f"--source=refs/descartes/{backup}", ".")
    after = {path: entry for path, entry in tree(workspace).items() if entry[0] == "file"}
    assert {path: each[1] for path, each in after.items() if path in before} == {
        path: each[1] for path, each in before.items()
    }


async def test_ignore_rules_of_several_moments_are_asked_at_once(
    machine: TimeMachine, workspace: Path
) -> None:
    repository = machine.body.snapshots.repository
    (workspace / "rules").mkdir()
    kept: dict[str, str] = {}
    for name in ("one", "two"):
        (workspace / "rules" / name).write_text(f"{name}.*\n")
        (kept[name],) = repository.store_files([f"rules/{name}"])
    paths = ["one.x", "two.x"]
    asked = [
        asyncio.to_thread(repository.ignored, {".gitignore": kept[name]}, paths)
        for name in ["one", "two"] * 8
    ]
    found = await asyncio.gather(*asked)
    assert found == [{"one.x"}, {"two.x"}] * 8
    assert not list((workspace / ".descartes" / "body").glob("rules*"))


@pytest.mark.ledger("S-08")
async def test_a_preview_says_everything_and_changes_nothing(machine: TimeMachine, workspace: Path) -> None:
    run = await machine.shell(DOES)
    write(workspace, {"c.txt": "mine", "a.lisp": "mine too"})
    machine.bench.unsaved["c.txt"] = "Emacs"
    await machine.bench.leases.acquire("a.lisp", BOB)
    before = tree(workspace)
    preview = await machine.preview(run.id)
    assert tree(workspace) == before
    found = {each.path: each for each in preview.files}
    assert {path: each.change for path, each in found.items()} == {
        "a.lisp": "modify",
        "c.txt": "modify",
        "l": "delete",
        "new/file": "delete",
        "src/b.lisp": "create",
    }
    assert {path for path, each in found.items() if each.user_edited} == {"a.lisp", "c.txt"}
    assert found["c.txt"].unsaved == "Emacs" and found["a.lisp"].leased_by == BOB
    assert [path for path, each in found.items() if each.leased_by] == ["a.lisp"]
    names = [each.name for each in preview.newest_after]
    assert preview.events_after == len(names) and "tool.completed" in names and preview.refused is None
    assert preview.to.name == "run.spawned"
    with pytest.raises(LeaseHeld, match="Bob"):
        await machine.restores.apply(await machine.request(run.id), preview.id, ANN)
    assert tree(workspace) == before
    chosen = await machine.request(run.id, paths=["src", "c.txt"])
    await machine.restores.apply(chosen, preview.id, ANN)
    assert (workspace / "src" / "b.lisp").exists() and (workspace / "c.txt").read_text() == "keep\n"
    assert (workspace / "a.lisp").read_text() == "mine too" and (workspace / "l").is_symlink()
    assert [lease.holder for lease in await machine.bench.leases.list()] == [BOB]


async def test_a_restore_of_many_files_leases_those_alone(
    machine: TimeMachine, workspace: Path, faults: Faults
) -> None:
    bench, seen = machine.bench, set[tuple[str, str]]()

    def look(name: str) -> None:
        now = standing.read(bench.store.path, bench.store.clock.now_ms())
        seen.update((each.lease.path, each.lease.holder.id) for each in now)

    write(workspace, {"many/theirs": "theirs"})
    run = await machine.shell("cd many; for n in $(seq 250); do echo $n > $n; done")
    theirs = {("else", "bob"), ("many/theirs", "bob")}
    for path, _ in theirs:
        await bench.leases.acquire(path, BOB)
    await bench.leases.acquire("many/7", ANN, mode="intent")
    faults.name, faults.do = "check", look
    restored = await machine.restore(run.id)
    assert len(restored.files) == 250
    assert [each.name for each in (workspace / "many").iterdir()] == ["theirs"]
    assert seen == {(f"many/{n}", "ann") for n in range(1, 251)} | theirs
    left = {(each.path, each.holder.id) for each in await bench.leases.list()}
    assert left == {("many/7", "ann")} | theirs


async def test_a_tree_that_changed_since_the_preview_is_a_conflict(
    machine: TimeMachine, workspace: Path
) -> None:
    run = await machine.shell(DOES)
    request = await machine.request(run.id)
    preview = await machine.restores.preview(request, ANN)
    write(workspace, {"c.txt": "mine", "brand-new": "mine"})
    mine = tree(workspace)
    with pytest.raises(RestoreConflict, match="changed since the preview") as refused:
        await machine.restores.apply(request, preview.id, ANN)
    assert refused.value.data["paths"] == ["brand-new", "c.txt"] and tree(workspace) == mine
    # What was not chosen may have changed.
    chosen = await machine.request(run.id, paths=["src"])
    await machine.restores.apply(chosen, preview.id, ANN)
    assert (workspace / "src" / "b.lisp").exists() and (workspace / "c.txt").read_text() == "mine"


async def test_what_makes_no_sense_is_refused(machine: TimeMachine, workspace: Path) -> None:
    run, other = await machine.shell("echo 1 > x"), await machine.shell("echo 2 > y")
    preview = await machine.preview(run.id)
    request = await machine.request(run.id)
    first = await machine.first(run.id)
    for error, attempt in (
        (RunNotFound, machine.preview("run_beef", first)),
        (NotFound, machine.preview(run.id, "evt_beef")),
        (InvalidParams, machine.preview(run.id, await machine.first(other.id))),
        (InvalidParams, machine.preview(run.id, "1999-01-01T00:00:00Z")),
        (InvalidParams, machine.preview(run.id, bodies=[])),
        (InvalidParams, machine.preview(run.id, paths=["never"])),
        (InvalidParams, machine.preview(run.id, paths=["../outside"])),
        (Unsupported, machine.preview(run.id, bodies=["body", "image"])),
        (NotFound, machine.restores.apply(request, first, ANN)),
        (RestoreConflict, machine.restores.apply(await machine.request(other.id), preview.id, ANN)),
    ):
        with pytest.raises(error):
            await attempt
    assert {"x", "y"} <= set(tree(workspace))


@pytest.mark.ledger("D-22")
@pytest.mark.parametrize("doing", ["merge", "rebase", "cherry-pick"])
async def test_nothing_is_restored_in_the_middle_of_a_merge(
    machine: TimeMachine, workspace: Path, doing: str
) -> None:
    run = await machine.shell(DOES)
    git(workspace, "stash", "--quiet", "--include-untracked")
    for branch in ("other", "main"):
        git(workspace, "checkout", "--quiet", "-B", branch)
        write(workspace, {"a.lisp": branch})
        git(workspace, "commit", "--quiet", "--all", "--message", branch)
        if branch == "other":
            git(workspace, "checkout", "--quiet", "--detach", "HEAD~")
    git(workspace, doing, "other", check=False)
    preview = await machine.preview(run.id)
    assert preview.refused is not None and "in the middle of a" in preview.refused
    before, state = tree(workspace), private_state(workspace)
    with pytest.raises(RestoreConflict, match=f"Expected no {doing} under way"):
        await machine.restores.apply(await machine.request(run.id), preview.id, ANN)
    assert (tree(workspace), private_state(workspace)) == (before, state)
    git(workspace, doing, "--abort")
    assert (await machine.restore(run.id)).complete


async def test_a_step_waits_while_files_are_restored_and_a_restore_does_not_wait_for_a_step(
    machine: TimeMachine, workspace: Path, faults: Faults
) -> None:
    run = await machine.shell(DOES)
    loop, at_check, go_on = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def wait(name: str) -> None:
        loop.call_soon_threadsafe(at_check.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(30)

    faults.name, faults.do = "swapped", wait
    restoring = asyncio.ensure_future(machine.restore(run.id))
    await asyncio.wait_for(at_check.wait(), 30)
    step = asyncio.ensure_future(machine.body.before_step("run_2", "call_1", "shell"))
    await asyncio.sleep(0)
    assert not step.done()
    go_on.set()
    assert (await restoring).complete
    await step
    faults.do = None
    request = await machine.request(run.id)
    preview = await machine.restores.preview(request, ANN)
    with pytest.raises(RestoreConflict, match="no run is changing files"):
        await machine.restores.apply(request, preview.id, ANN)
    await machine.body.after_step("run_2", "call_1")
    assert (await machine.restores.apply(request, preview.id, ANN)).complete


async def test_a_file_that_is_written_through_an_open_handle_is_kept(
    machine: TimeMachine, workspace: Path, faults: Faults
) -> None:
    run = await machine.shell(DOES)
    before = tree(workspace)
    with (workspace / "a.lisp").open("a") as mine:

        def write_more(name: str) -> None:
            mine.write("a person's last line\n")
            mine.flush()

        faults.name, faults.do = "check", write_more
        with pytest.raises(RestoreConflict, match=r"a\.lisp"):
            await machine.restore(run.id)
    kind, content, mode = before["a.lisp"]
    assert tree(workspace) == before | {"a.lisp": (kind, content + b"a person's last line\n", mode)}


async def test_a_moment_between_two_steps_and_people_who_edit_meanwhile(
    machine: TimeMachine, workspace: Path
) -> None:
    turns = [call("shell", command="echo one > a.lisp"), call("shell", command="echo two > src/b.lisp")]
    model = machine.bench.script(*turns, name=".descartes/steps.jsonl")
    run = await machine.bench.spawn(model=model, tool_level="full")
    await machine.bench.answer(run.id, "accept")

    async def asked_again() -> Any:
        return [each for each in await machine.bench.questions.list(run=run.id) if each.data.get("callId")]

    await machine.bench.until(asked_again)
    write(workspace, {"c.txt": "mine, between the steps"})
    await machine.bench.answer(run.id, "accept")
    await machine.bench.ended(run.id)
    ends = [event for event in await machine.bench.events(run.id) if event.name == "tool.completed"]
    middle = await machine.preview(run.id, ends[0].id)
    assert {each.path: each.user_edited for each in middle.files} == {"src/b.lisp": False, "c.txt": True}
    await machine.restore(run.id, ends[0].id)
    assert (workspace / "a.lisp").read_text() == "one\n" and (workspace / "src/b.lisp").read_text() == "(b)\n"


async def test_a_process_is_one_step_and_everything_it_did_comes_back(
    machine: TimeMachine, workspace: Path
) -> None:
    before = tree(workspace)
    run = await machine.bench.command("sh", "-c", "rm -r src; echo x > y; ln -s y z; chmod 600 a.lisp")
    await machine.bench.ended(run.id)
    assert {each.change for each in (await machine.preview(run.id)).files} == {"create", "delete", "mode"}
    assert (await machine.restore(run.id)).complete and tree(workspace) == before


async def test_a_run_goes_on_when_its_files_cannot_be_kept_and_there_is_no_going_back(
    machine: TimeMachine, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.body.snapshots, "take", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    run = await machine.shell("echo 1 > x")
    assert run.status == "completed" and (workspace / "x").exists()
    failed = await machine.bench.events(type="body.snapshot.failed")
    assert {event.data["when"] for event in failed} == {"start", "before", "after", "end"}
    with pytest.raises(NotFound, match="were not kept"):
        await machine.preview(run.id)


async def test_files_on_another_disk_are_left_as_they_are(
    machine: TimeMachine, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await machine.shell("echo 1 > a.lisp")
    before = tree(workspace)

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(18, "Invalid cross-device link")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refuse)
        patched.setattr(os, "link", refuse)
        with pytest.raises(RestoreConflict, match="lies on another file system"):
            await machine.restore(run.id)
    assert tree(workspace) == before
