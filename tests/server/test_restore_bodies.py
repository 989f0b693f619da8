"""Files, conversation and image go back together, and forth, or none of them does; with a real Lisp."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import LispLost, RestoreConflict, StoreUnavailable
from descartes_core.store import EventQuery
from server.conftest import Descartes
from support.lisp_desk import images_of
from support.lsp_client import LspClient, lsp
from support.three_bodies import BODIES, three_bodies
from support.trees import tree, write
from support.until import until

HELPER = Path(__file__).parent.parent / "support" / "bodies_process.py"


@pytest.mark.slow
async def test_three_bodies_go_back_and_forth_or_none_does(
    workspace: Path, isolated_environment: Path
) -> None:
    fails = {"check", "moved"}
    ours: list[int] = []

    def at(name: str) -> None:
        if name == "check" and name in fails:
            raise OSError(28, "No space left on device")
        if name == "moved" and name in fails:
            (beside,) = set(images_of(workspace)) - set(ours)
            os.kill(beside, signal.SIGKILL)

    async with three_bodies(workspace, at=at) as three:
        machine, moment = three.machine, await three.moment()
        ours += images_of(workspace)
        # The image was prepared; it is dropped with everything else.
        with pytest.raises(StoreUnavailable, match="as it was before"):
            await machine.restore(moment.run, moment.to, bodies=BODIES)
        assert await three.seen() == (moment.now, "2") and len(images_of(workspace)) == 1
        # It is ready and everything has its place, and then it dies.
        fails.remove("check")
        with pytest.raises(LispLost):
            await machine.restore(moment.run, moment.to, bodies=BODIES)
        assert await three.seen() == (moment.now, "2") and images_of(workspace) == ours
        failed = await machine.bench.events(type="restore.failed")
        assert [event.data["rolledBack"] for event in failed] == [True, True]
        forks = EventQuery(type="session.forked")
        assert not (await machine.bench.store.reader.events(forks)).events
        fails.clear()
        done = await machine.restore(moment.run, moment.to, bodies=BODIES)
        assert await three.seen() == (moment.then, "1") and len(images_of(workspace)) == 1
        (forked,) = (await machine.bench.store.reader.events(forks)).events
        assert done.session == forked.session and done.bodies == BODIES
        undone = await machine.undo(force=True)
        assert undone.session == forked.data["parent"] and "is kept" in undone.steps[2].text
        # Nothing was done in the image since, so nothing has to be forced.
        assert (await machine.redo()).session == forked.session
        assert (await machine.undo()).complete
        assert await three.seen() == (moment.now, "2")


@pytest.mark.slow
async def test_what_was_done_in_the_image_since_is_taken_away_by_force_only_and_comes_back(
    workspace: Path, isolated_environment: Path
) -> None:
    at_move: list[str] = []

    def at(name: str) -> None:
        if name == "moved" and at_move:
            # In the thread that moves the files. It was not there when the undo looked first.
            late.append(asyncio.run_coroutine_threadsafe(three.value(at_move.pop()), loop).result(60))

    late: list[str] = []
    loop = asyncio.get_running_loop()
    async with three_bodies(workspace, at=at) as three:
        machine, moment = three.machine, await three.moment()
        await machine.restore(moment.run, moment.to, bodies=BODIES)
        at_move.append("(setf *x* 49)")
        with pytest.raises(RestoreConflict, match=r"1 evaluation since .* `\(setf \*x\* 49\)` by Ada"):
            await machine.undo()
        assert late == ["49"] and tree(workspace) == moment.then
        await three.value("(setf *x* 50)")
        with pytest.raises(
            RestoreConflict, match="2 evaluations since the restore, the newest is"
        ) as refused:
            await machine.undo()
        told = refused.value.data
        assert told["since"]["image"]["count"] == 2
        assert told["since"]["image"]["newest"]["code"] == "(setf *x* 50)"
        assert [each["arguments"] for each in told["choices"]] == [
            {"force": True},
            {"bodies": ["body", "brain"]},
        ]
        (workspace / "a.txt").write_text("three\n")
        with pytest.raises(RestoreConflict, match=r"a\.txt was changed .*; the image has had 2 evaluations"):
            await machine.undo()
        (workspace / "a.txt").write_text("one\n")
        # The image is left as it is, and can be undone later.
        assert (await machine.undo(bodies=["body", "brain"])).bodies == ["body", "brain"]
        assert await three.seen() == (moment.now, "50")
        with pytest.raises(RestoreConflict, match="3 evaluations") as refused:
            await machine.undo()
        assert [each["arguments"] for each in refused.value.data["choices"]] == [{"force": True}]
        told = (await machine.undo(force=True)).steps[2].text
        assert "the 3 that came since are not in it, redo brings them back" in told
        assert await three.value("*x*") == "2"
        with pytest.raises(RestoreConflict, match=r"1 evaluation since the undo, it is `\*x\*` by Ada"):
            await machine.redo()
        await machine.redo(force=True)
        assert await three.seen() == (moment.now, "50")
        # What is under way would be lost too.
        begun = asyncio.ensure_future(three.desk.call("lisp.eval", code="(sleep 600)"))
        image = three.desk.context.services.image
        await until(lambda: bool(image.evaluations.under_way()), "an evaluation under way")
        with pytest.raises(RestoreConflict, match=r"the newest is `\(sleep 600\)`"):
            await machine.undo()
        await machine.undo(force=True)
        assert (await asyncio.wait_for(begun, 60))["state"] == "lost"
        assert not image.evaluations.under_way()
        await machine.redo()


@pytest.mark.slow
async def test_a_cancel_while_the_image_is_prepared_takes_everything_back_at_once(
    workspace: Path, isolated_environment: Path
) -> None:
    slow = workspace.parent / "slow"
    async with three_bodies(workspace) as three:
        await three.value(f'(if (probe-file "{slow}") (sleep 600) 1)')
        moment = await three.moment()
        slow.touch()
        restoring = asyncio.ensure_future(three.machine.restore(moment.run, moment.to, bodies=BODIES))
        beside = three.desk.context.services.image.places.runtime / "next" / "lisp.json"
        await until(lambda: beside.exists() or restoring.done(), "an image beside")
        restoring.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(restoring, 60)
        assert len(images_of(workspace)) == 1 and tree(workspace) == moment.now
        (failed,) = await three.machine.bench.events(type="restore.failed")
        assert failed.data["reason"] == "it was cancelled" and await three.value("*x*") == "2"


@pytest.mark.slow
@pytest.mark.parametrize(("instant", "done"), [("moved", False), ("unwritten", True), ("in", True)])
async def test_killed_around_the_image_step_all_of_it_is_finished_or_rolled_back(
    workspace: Path, isolated_environment: Path, instant: str, done: bool
) -> None:
    killed = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HELPER), str(workspace), instant),
        env=os.environ | {"PYTHONPATH": str(HELPER.parent.parent)},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(killed.communicate(), 120)
    assert killed.returncode == -signal.SIGKILL, out
    async with three_bodies(workspace) as three:
        told = await three.machine.restores.recover(three.machine.parts)
        assert told is not None and ("finished" if done else "rolled back") in told
        await three.desk.context.services.image.take_up()
        assert (workspace / "a.txt").read_text() == ("one\n" if done else "two\n")
        assert await three.value("*x*") == ("1" if done else "2")
        assert len(images_of(workspace)) == 1
        names = [event.name for event in await three.machine.bench.events(type="restore")]
        assert names[-1] == ("restore.applied" if done else "restore.failed")
        if done:
            await three.machine.undo(force=True)
        assert await three.value("*x*") == "2" and (workspace / "a.txt").read_text() == "two\n"


TURNS: list[dict[str, Any]] = [
    {
        "text": "One.",
        "toolCalls": [{"name": "write", "arguments": {"path": "a.txt", "content": "one\n"}}],
    },
    {"text": "Done."},
]


def script(workspace: Path) -> str:
    file = workspace.parent / "s.jsonl"
    file.write_text("".join(json.dumps(turn) + "\n" for turn in TURNS))
    return f"scripted:{file}"


@pytest.mark.slow
async def test_three_bodies_from_the_command_line(descartes: Descartes, workspace: Path) -> None:
    async def said(*words: str) -> str:
        outcome = await descartes(*words)
        assert outcome.status == 0, (words, outcome)
        return outcome.out + outcome.err

    async def seen() -> tuple[str, str]:
        outcome = await descartes("lisp", "eval", "*x*", "--json")
        return (workspace / "a.txt").read_text(), json.loads(outcome.out)["values"][0]

    await said("lisp", "eval", "(progn (defvar *x* 1) *x*)", "--trust")
    spawn = ("spawn", "--wait", "--json", "--task", "Tidy", "--tool-level", "trusted")
    run = json.loads((await descartes(*spawn, "--model", script(workspace))).out)["id"]
    events = json.loads((await descartes("history", "list", "--run", run, "--json")).out)["events"]
    await said("lisp", "eval", "(setf *x* 2)")
    write(workspace, {"a.txt": "two\n"})
    words = ("restore", run, "--to", events[0]["id"], "--include-code", "--include-image", "--yes")
    told = await said(*words)
    assert "The image becomes a fresh one with 1 entry of the journal." in told
    assert "; the image is a fresh one with 1 entry of the journal" in told
    assert await seen() == ("one\n", "1")
    assert "files, conversation, image" in await said("restore", "list")
    refused = await descartes("restore", "undo")
    assert refused.status == 1 and "it is `*x*` by" in refused.err and "Traceback" not in refused.err
    assert "--force or --bodies body --bodies brain" in refused.err and await seen() == ("one\n", "1")
    told = await said("restore", "undo", "--force")
    assert "goes on as before" in told and await seen() == ("two\n", "2")
    assert "goes on" in await said("restore", "redo", "--force") and await seen() == ("one\n", "1")
    # One of the conversation alone is undone for itself, and leaves the files alone.
    await said("restore", run, "--to", events[0]["id"], "--yes")
    assert "no file was to be put back" in await said("restore", "undo")
    assert await seen() == ("one\n", "1")
    await said("restore", "undo", "--bodies", "body", "--bodies", "brain")
    assert await seen() == ("two\n", "1")
    await said("restore", "undo", "--force")
    assert await seen() == ("two\n", "2")
    await said("restore", "redo", "--force")
    write(workspace, {"a.txt": "three\n"})
    refused = await descartes("restore", "redo")
    assert refused.status == 1 and "force the redo" in refused.err and await seen() == ("three\n", "1")
    refused = await descartes("restore", "redo", "--bodies", "image")
    assert refused.status == 1 and "Expected one or more of body, brain" in refused.err
    refused = await descartes("restore", "apply", run, "--to", events[0]["id"], "--confirm", "evt_beef")
    assert refused.status == 2 and "Traceback" not in refused.err


@pytest.mark.slow
async def test_three_bodies_from_an_editor(workspace: Path) -> None:
    async with lsp(workspace, initializationOptions={"trusted": True}) as client:
        await client.execute("lisp.eval", {"code": "(progn (defvar *x* 1) *x*)"})
        asked = {"task": "Tidy", "model": script(workspace), "toolLevel": "trusted"}
        run = (await client.execute("run.spawn", asked))["id"]
        while not (await client.execute("run.show", {"run": run}))["endedAt"]:
            continue
        (last,) = (await client.execute("history.list", {"run": run, "limit": 1}))["events"]
        await client.execute("lisp.eval", {"code": "(setf *x* 2)"})
        write(workspace, {"a.txt": "two\n"})
        now = tree(workspace)
        request = {"run": run, "to": last["id"], "bodies": BODIES}
        preview = await client.execute("restore.preview", {**request, "ask": True})
        (question,) = (await client.execute("intervention.list"))["interventions"]
        assert "The image: a fresh one repeats 1 entry of the journal" in question["detail"]
        assert "The conversation: a new session goes on from" in question["detail"]
        answer = {"id": preview["intervention"], "choice": "apply", "bodies": ["image", "body"]}
        await client.execute("intervention.answer", answer)
        assert await _x(client) == "1" and (workspace / "a.txt").read_text() == "one\n"
        refused = await client.refused("restore.undo", {})
        assert refused.data["code"] == "restore_conflict"
        choices = {each["title"]: each["arguments"] for each in refused.data["choices"]}
        assert choices["Undo only the files"] == {"bodies": ["body"]}
        undone = await client.execute("restore.undo", choices["Undo all the same"])
        assert undone["bodies"] == ["body", "image"] and undone["session"] is None
        assert await _x(client) == "2" and tree(workspace) == now
        redone = await client.execute("restore.redo", {"force": True})
        assert redone["complete"] and await _x(client) == "1"
        for params in ({"force": "yes"}, {"forced": True}, {"bodies": ["soul"]}, {"bodies": []}):
            refused = await client.refused("restore.undo", params)
            assert refused.data["code"] == "invalid_params", params


async def _x(client: LspClient) -> str:
    return str((await client.execute("lisp.eval", {"code": "*x*"}))["values"][0])
