"""The journal, and a fresh image made from it, on real images."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import descartes_swank as swank
from descartes_core import errors
from descartes_server.cli import views
from descartes_server.operations.texts import uri_of
from support.lisp_desk import Desk, images_of, lisp_desk
from support.stock_swank import StockSwank, own_stock_swank  # noqa: F401  (a fixture)
from support.until import until


@pytest.fixture
async def desk(workspace: Path, isolated_environment: Path) -> AsyncIterator[Desk]:
    async with lisp_desk(workspace) as made:
        yield made


async def values(desk: Desk, code: str) -> list[str]:
    found: list[str] = (await desk.call("lisp.eval", code=code))["values"]
    return found


async def test_the_journal_tells_everything_that_was_done_and_by_whom(desk: Desk, workspace: Path) -> None:
    file = workspace / "f.lisp"
    file.write_text("(in-package :cl-user)\n(defun f () 1)\n", encoding="utf-8")
    await values(desk, "(+ 1 2)")
    await desk.call("lisp.compileForm", uri=uri_of(file), position={"line": 2, "column": 1})
    await desk.call("lisp.loadFile", uri=uri_of(file))
    stopped = await desk.call("lisp.eval", code='(error "no")')
    await desk.call("debugger.toplevel", **stopped["debugger"])
    long = f"(length '({'x ' * 5000}))"
    assert await values(desk, long) == ["5000"]
    entries = (await desk.call("lisp.journal"))["entries"]
    shown = [(each["kind"], each["outcome"]) for each in entries]
    assert shown == [
        ("eval", "done"),
        ("compile", "done"),
        ("load", "done"),
        ("eval", "aborted"),
        ("eval", "done"),
    ]
    assert entries[0]["code"] == "(+ 1 2)" and entries[0]["by"] == {
        "kind": "human",
        "name": "Ada",
        "run": None,
    }
    assert entries[1]["package"] == ":cl-user" and entries[1]["range"]["start"] == {"line": 2, "column": 1}
    assert entries[2]["uri"] == uri_of(file) and entries[3]["condition"]["message"] == "no"
    assert len(entries[4]["code"]) < 5000 and "characters more" in entries[4]["code"]
    page = await desk.call("lisp.journal", limit=2)
    assert [each["seq"] for each in page["entries"]] == [each["seq"] for each in entries[:2]]
    rest = await desk.call("lisp.journal", since=page["next"])
    assert [each["seq"] for each in rest["entries"]] == [each["seq"] for each in entries[2:]]
    with pytest.raises(errors.InvalidParams):
        await desk.call("lisp.journal", limit=0)


@pytest.mark.ledger("A-29")
async def test_the_journal_masks_what_a_replay_repeats_exactly(desk: Desk, workspace: Path) -> None:
    desk.context.services.store.redactor.protect("DB", "hunter2-of-the-vault")
    await values(desk, '(defvar *to* "bob@example.com")')
    await values(desk, '(defvar *db* "hunter2-of-the-vault")')
    entries = (await desk.call("lisp.journal"))["entries"]
    assert [each["code"] for each in entries] == ['(defvar *to* "‹email›")', '(defvar *db* "‹secret:DB›")']
    replayed = await desk.call("lisp.replay")
    assert replayed["repeated"] == 1
    assert replayed["skipped"] == [{"seq": entries[1]["seq"], "reason": "a secret in it was masked"}]
    assert await values(desk, "*to*") == ['"bob@example.com"']
    assert await values(desk, "(boundp '*db*)") == ["NIL"]
    log = b"".join(path.read_bytes() for path in (workspace / ".descartes").glob("descartes.db*"))
    assert b"bob@example" not in log and b"hunter2" not in log


async def test_a_replay_makes_a_fresh_image_of_the_same_state(desk: Desk, workspace: Path) -> None:
    file, other = workspace / "f.lisp", workspace / "g.lisp"
    file.write_text("(defpackage :p (:use :cl))\n(in-package :p)\n(defvar *v* 1)\n(defun f () 1)\n")
    other.write_text("(defun g () :long)\n")
    old = (await desk.call("lisp.start"))["pid"]
    await desk.call("lisp.compileFile", uri=uri_of(file))
    await desk.call("lisp.loadFile", uri=uri_of(other))
    await values(desk, "(in-package :p)")
    await values(desk, "(defun h (x) (list x *v*))")
    await values(desk, "(incf *v* 41)")
    stopped = await desk.call("lisp.eval", code='(error "not again")')
    await desk.call("debugger.toplevel", **stopped["debugger"])
    passed = await desk.call("lisp.eval", code='(restart-case (error "asks") (go-on () (setf *v* 43)))')
    await desk.call("debugger.restart", **passed["debugger"], name="go-on")
    in_frame = await desk.call("lisp.eval", code='(error "look")')
    await desk.call("debugger.evalInFrame", **in_frame["debugger"], frame=0, code="(+ 1 1)")
    await desk.call("debugger.toplevel", **in_frame["debugger"])
    other.write_text("(defun g () :changed)\n")  # what was loaded counts
    done = await desk.call("lisp.replay")
    assert done["status"]["state"] == "ready" and done["status"]["pid"] != old
    assert done["repeated"] == 5
    reasons = [each["reason"] for each in done["skipped"]]
    assert reasons[0] == "it was aborted: COMMON-LISP:SIMPLE-ERROR: not again" or "not again" in reasons[0]
    assert "asks" in reasons[1] and len(reasons) == 4
    assert any("frame" in reason for reason in reasons)
    assert images_of(workspace) == [done["status"]["pid"]]
    # The client goes on where it was: in its package, with the definitions and values of the other image.
    assert await values(desk, "(list (f) (h 2) (cl-user::g))") == ["(1 (2 42) :LONG)"]
    assert await desk.drift(file) == {"p": "loaded", "*v*": "loaded", "f": "loaded"}
    assert await desk.drift(other) == {"g": "changed"}
    again = await desk.call("lisp.replay")
    assert again["repeated"] == 6 and len(again["skipped"]) == 4
    assert await values(desk, "(list (f) (h 2))") == ["(1 (2 42))"]


async def test_the_old_image_stays_when_a_replay_is_cancelled(desk: Desk, workspace: Path) -> None:
    await values(desk, "(defvar *times* 0)")
    gate = workspace / "open"
    gate.write_text("")
    await values(desk, f'(loop until (probe-file "{gate}") do (sleep 0.01))')
    gate.unlink()
    pid = (await desk.call("lisp.status"))["pid"]
    replay = asyncio.create_task(desk.call("lisp.replay"))
    await until(lambda: len(images_of(workspace)) == 2, "two images", 30)
    with pytest.raises(errors.InvalidParams, match="under way"):
        await desk.call("lisp.replay")
    await values(desk, "(incf *times*)")
    replay.cancel()
    with pytest.raises(asyncio.CancelledError):
        await replay
    assert images_of(workspace) == [pid]
    assert await values(desk, "*times*") == ["1"]


async def begun_replay(desk: Desk, workspace: Path) -> tuple[asyncio.Task[dict[str, Any]], int, Path]:
    """Start a replay that waits for a file; return it, the fresh image's process and the file."""
    gate = workspace / "open"
    gate.write_text("")
    await values(desk, "(defun kept () :kept)")
    await values(desk, f'(loop until (probe-file "{gate}") do (sleep 0.01))')
    gate.unlink()
    old = (await desk.call("lisp.status"))["pid"]
    replay = asyncio.create_task(desk.call("lisp.replay"))
    runtime = desk.context.services.image.places.runtime

    def fresh() -> int | None:
        record = swank.read_record(runtime / "next")
        return record.pid if record else None

    await until(lambda: fresh() is not None, "a fresh image", 30)
    pid = fresh()
    assert pid is not None and pid != old
    return replay, pid, gate


async def test_the_old_image_stays_when_the_fresh_one_dies(desk: Desk, workspace: Path) -> None:
    replay, fresh, _ = await begun_replay(desk, workspace)
    os.kill(fresh, signal.SIGKILL)
    with pytest.raises(errors.LispLost, match="fresh"):
        await asyncio.wait_for(replay, 60)
    assert await values(desk, "(kept)") == [":KEPT"]
    assert len(images_of(workspace)) == 1


async def test_a_replay_goes_on_when_the_old_image_dies(desk: Desk, workspace: Path) -> None:
    old = (await desk.call("lisp.start"))["pid"]
    replay, fresh, gate = await begun_replay(desk, workspace)
    os.kill(old, signal.SIGKILL)
    await until(lambda: desk.context.services.image.status().state == "lost", "the loss is known", 30)
    gate.write_text("")
    done = await asyncio.wait_for(replay, 60)
    assert done["status"]["pid"] == fresh and done["repeated"] == 2
    assert await values(desk, "(kept)") == [":KEPT"]
    assert images_of(workspace) == [fresh]


async def test_stopping_the_image_gives_the_replay_up(desk: Desk, workspace: Path) -> None:
    replay, _, gate = await begun_replay(desk, workspace)
    await desk.call("lisp.stop")
    gate.write_text("")
    with pytest.raises(errors.InvalidParams, match="stopped"):
        await asyncio.wait_for(replay, 60)
    assert images_of(workspace) == []


async def test_without_a_journal_there_is_nothing_to_repeat(desk: Desk) -> None:
    with pytest.raises(errors.LispNotRunning):
        await desk.call("lisp.replay")


async def test_two_images_are_compared(desk: Desk, workspace: Path) -> None:
    file = workspace / "f.lisp"
    file.write_text(
        "(defpackage :p (:use :cl) (:export #:f))\n(in-package :p)\n(defvar *v* 1)\n(defun f (x) x)\n"
        "(defun (setf f) (n x) (list n x))\n(defclass c () (a b))\n(defmethod m ((x c)) x)\n"
        "(deftype tt () t)\n"
    )
    await desk.call("lisp.compileFile", uri=uri_of(file))
    assert (await desk.call("lisp.compare", other="replay"))["definitions"] == []
    assert len(images_of(workspace)) == 1
    # What nobody saw, and what was aborted, a replay has not.
    await values(desk, '(eval (read-from-string "(defun unseen () 1)"))')
    stopped = await desk.call("lisp.eval", code='(progn (setf p::*v* 7) (error "no"))')
    await desk.call("debugger.toplevel", **stopped["debugger"])
    found = (await desk.call("lisp.compare", other="replay"))["definitions"]
    assert [(each["kind"], each["name"]) for each in found] == [("variable", "p::*v*")]
    assert found[0]["here"].startswith("7") and found[0]["there"].startswith("1")
    with pytest.raises(errors.InvalidParams):
        await desk.call("lisp.compare", other="nonsense")
    with pytest.raises(errors.LispLost):
        await desk.call("lisp.compare", other="127.0.0.1:1")
    assert len(images_of(workspace)) == 1


def test_what_differs_is_told_in_a_word() -> None:
    view = views.of("lisp.compare")
    assert view is not None
    found = [
        {"kind": "function", "name": "p::f", "here": "(X) text 11111111", "there": "(X) text 22222222"},
        {"kind": "variable", "name": "p::*v*", "here": '"a [b] text"', "there": "2 text 33333333"},
        {"kind": "function", "name": "p::g", "here": None, "there": "(Y)"},
        {"kind": "class", "name": "p::c", "here": "(standard-object) (a)", "there": None},
    ]
    shown = [[column.shown(row) for column in view.columns] for row in view.rows({"definitions": found})]
    assert [[cell.split("]")[1].split("[")[0], *rest[2:]] for cell, *rest in shown] == [
        ["changed", "(X)", "[dim]with another text[/dim]"],
        ["changed", '"a \\[b] text"', "2"],
        ["only there", "", "(Y)"],
        ["only here", "(standard-object) (a)", ""],
    ]
    piped = [column.plain(found[0]) for column in view.columns]
    assert piped == ["changed", "function", "p::f", "(X) text 11111111", "(X) text 22222222"]


async def test_an_image_is_compared_with_a_stock_swank(
    desk: Desk,
    own_stock_swank: StockSwank,  # noqa: F811
) -> None:
    await values(desk, "(defun only-here (x) x)")
    async with swank.connect("127.0.0.1", own_stock_swank.port) as other:
        await other.eval("(defun only-there (y) y)")
    target = f"127.0.0.1:{own_stock_swank.port}"
    found = (await desk.call("lisp.compare", other=target))["definitions"]
    functions = {each["name"]: each for each in found if each["kind"] == "function"}
    assert functions["common-lisp-user::only-here"]["there"] is None
    assert functions["common-lisp-user::only-there"]["here"] is None
