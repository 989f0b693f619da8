"""Restores taken back and done again, exactly, whatever they put back and whoever worked since."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from descartes_core.errors import InvalidParams, NotFound, RestoreConflict
from descartes_core.timetravel import journal
from descartes_core.timetravel.journal import KEPT
from support.running import ANN, call
from support.time_machine import TimeMachine
from support.trees import git, private_state, repository, tree, write

FILES: dict[str, str | bytes] = {"a.lisp": "(a)\n", "src/b.lisp": "(b)\n", "c.txt": "keep\n"}
DOES = "rm src/b.lisp; echo changed > a.lisp; mkdir new; echo n > new/file; chmod +x c.txt; ln -s a.lisp l"


@pytest.fixture
async def machine(workspace: Path) -> AsyncIterator[TimeMachine]:
    repository(workspace, FILES)
    write(workspace, {"untracked": "u"})
    made = await TimeMachine.open(workspace)
    yield made
    await made.close()


@pytest.mark.ledger("D-26")
async def test_undo_and_redo_are_exact(machine: TimeMachine, workspace: Path) -> None:
    before, state = tree(workspace), private_state(workspace)
    run = await machine.shell(DOES)
    write(workspace, {"untracked": "changed by hand", "more": "m"})
    after = tree(workspace)
    done = await machine.restore(run.id)
    assert done.complete and tree(workspace) == before
    undone = await machine.restores.undo(ANN)
    assert undone.kind == "undo" and tree(workspace) == after
    await machine.restores.redo(ANN)
    assert tree(workspace) == before
    await machine.restores.undo(ANN)
    assert tree(workspace) == after and private_state(workspace) == state
    with pytest.raises(NotFound, match="no restore to undo"):
        await machine.restores.undo(ANN)


@pytest.mark.slow
async def test_ten_restores_can_be_undone(machine: TimeMachine, workspace: Path) -> None:
    run = await machine.shell("echo run > a.lisp")
    ends = (await machine.bench.events(run.id))[-1].id
    for number in range(KEPT + 2):
        await machine.restore(run.id, ends if number % 2 else None)
    kept = [name for name in machine.body.snapshots.repository.refs("undo/") if name.endswith("before")]
    assert len(kept) == KEPT
    for number in range(KEPT):
        await machine.restores.undo(ANN)
        assert (workspace / "a.lisp").read_text() == ("run\n" if number % 2 else "(a)\n")
    with pytest.raises(NotFound):
        await machine.restores.undo(ANN)
    for _ in range(KEPT):
        await machine.restores.redo(ANN)
    assert (workspace / "a.lisp").read_text() == "run\n"


async def test_what_a_person_did_since_is_not_undone_unless_forced(
    machine: TimeMachine, workspace: Path
) -> None:
    run = await machine.shell(DOES)
    await machine.restore(run.id)
    write(workspace, {"a.lisp": "mine", "other": "mine"})
    mine = tree(workspace)
    with pytest.raises(RestoreConflict, match=r"a\.lisp was changed since the restore") as refused:
        await machine.restores.undo(ANN)
    assert refused.value.data["paths"] == ["a.lisp"] and tree(workspace) == mine
    assert [each["arguments"] for each in refused.value.data["choices"]] == [{"force": True}]
    await machine.restores.undo(ANN, force=True)
    assert (workspace / "a.lisp").read_text() == "changed\n" and (workspace / "other").read_text() == "mine"
    await machine.restores.redo(ANN, force=True)
    assert (workspace / "other").read_text() == "mine"


async def test_the_conversation_alone_goes_back_in_the_middle_of_a_merge_and_is_undone_for_itself(
    machine: TimeMachine, workspace: Path
) -> None:
    run = await machine.shell(DOES)
    ends = (await machine.bench.events(run.id))[-1]
    await machine.restore(run.id)
    files = tree(workspace)
    (workspace / ".git" / "MERGE_HEAD").write_text(git(workspace, "rev-parse", "HEAD"))
    with pytest.raises(RestoreConflict, match="in the middle of a merge"):
        await machine.restores.undo(ANN)
    done = await machine.restore(run.id, ends.id, bodies=["brain"])
    assert done.session is not None and done.bodies == ["brain"] and tree(workspace) == files
    undone = await machine.undo()
    assert undone.session == ends.session and "is kept" in undone.steps[2].text
    assert tree(workspace) == files
    assert (await machine.redo()).session == done.session
    await machine.undo()
    (workspace / ".git" / "MERGE_HEAD").unlink()
    assert (await machine.undo()).bodies == ["body"] and tree(workspace) != files


async def test_some_bodies_of_a_restore_are_undone_and_the_others_later(
    machine: TimeMachine, workspace: Path
) -> None:
    async def stacks() -> list[list[tuple[str, ...]]]:
        found = await journal.history(machine.bench.store.reader)
        return [[each.bodies for each in found.undo], [each.bodies for each in found.redo]]

    run = await machine.shell(DOES)
    after, ends = tree(workspace), (await machine.bench.events(run.id))[-1]
    await machine.restore(run.id, ends.id, bodies=["brain"])
    done = await machine.restore(run.id, bodies=["body", "brain"])
    before = tree(workspace)
    for bodies in ([], ["image"], ["body", "image"]):
        with pytest.raises(InvalidParams, match="one or more of body, brain"):
            await machine.undo(bodies=bodies)
    undone = await machine.undo(bodies=["body"])
    assert undone.bodies == ["body"] and undone.session is None and tree(workspace) == after
    assert await stacks() == [[("brain",), ("brain",)], [("body",)]]
    # What is left of it is the next to be undone, and each part is done again by itself.
    assert (await machine.undo()).id != done.id and tree(workspace) == after
    assert await stacks() == [[("brain",)], [("body",), ("brain",)]]
    await machine.redo()
    await machine.redo()
    assert tree(workspace) == before
    await machine.undo(bodies=["body"])
    assert tree(workspace) == after and await stacks() == [[("brain",), ("brain",)], [("body",)]]


@pytest.mark.ledger("D-24")
async def test_the_last_line_says_what_runs_and_how_one_goes_on(machine: TimeMachine) -> None:
    bench = machine.bench
    run = await bench.spawn(call("shell", command="true"), task="Tidy")
    await bench.question(run.id)
    asked = (await bench.events(run.id))[-1].id
    done = await machine.restore(run.id, asked, bodies=["brain"])
    way = f"nothing runs by itself, `descartes spawn --fork {(done.session or '')[4:12]}` goes on from there"
    waits = f"; run {run.id[4:12]} is waiting, its question answered it goes on with the conversation it has"
    assert done.steps[3].text == way + waits
    assert (await machine.undo()).steps[3].text == "no run is started" + waits
    assert (await machine.redo()).steps[3].text == way + waits
    await bench.runs.pause(run.id, by=ANN)
    await bench.answer(run.id, "reject")

    async def pausing() -> bool:
        found = await bench.runs.show(run.id)
        return (found.status, found.phase) == ("paused", None)

    await bench.until(pausing)
    paused = f"`descartes run resume {run.id[4:12]}` lets it go on"
    assert paused in (await machine.undo()).steps[3].text and paused in (await machine.redo()).steps[3].text
    await bench.runs.stop(run.id, by=ANN)
    assert (await machine.undo()).steps[3].text == "no run is started"
    command = await bench.ended((await bench.command("true")).id)
    done = await machine.restore(command.id, bodies=["brain"])
    assert done.session is None and done.steps[3].text == "a command is not started again"
    told = (await machine.restore(command.id)).steps[3].text
    assert told == "no run is started, as no conversation went back"


async def test_what_was_forced_away_comes_back_with_the_next_turn(
    machine: TimeMachine, workspace: Path
) -> None:
    run = await machine.shell(DOES)
    await machine.restore(run.id)
    write(workspace, {"a.lisp": "mine"})
    mine = tree(workspace)
    await machine.restores.undo(ANN, force=True)
    assert (workspace / "a.lisp").read_text() == "changed\n"
    (workspace / "src").rmdir()
    await machine.restores.redo(ANN)
    assert tree(workspace) == mine
