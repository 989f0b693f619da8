"""The debugger in a terminal: what a stop looks like there, and how it is left without naming it."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from descartes_server.operations.workspace import Workspace

Descartes = Callable[..., Awaitable[Any]]

SOURCE = """(defun inner (x)
  (restart-case (/ x 0)
    (use-instead (value) :report "Give a value." value)))
(defun outer (x) (1+ (inner x)))
"""


@pytest.fixture
async def loaded(descartes: Descartes, here: Workspace) -> Descartes:
    (here.root / "work.lisp").write_text(SOURCE)
    assert (await descartes("lisp", "load-file", "work.lisp", "--trust")).status == 0
    return descartes


@pytest.mark.ledger("D-74")
async def test_a_stop_shows_its_restarts_and_is_left_by_one(loaded: Descartes, here: Workspace) -> None:
    stopped = await loaded("lisp", "eval", "(outer 5)")
    assert stopped.out == "" and stopped.status == 0
    lines = stopped.err.splitlines()
    assert lines[0].startswith("stopped: DIVISION-BY-ZERO: ")
    assert lines[2] == f"in (INNER 5) at {here.root / 'work.lisp'}:2:17"
    assert [line.split()[:2] for line in lines[3:6]] == [["0", "USE-INSTEAD"], ["1", "RETRY"], ["2", "ABORT"]]
    assert "value" in lines[3] and lines[3].endswith("Give a value.")
    assert lines[6].startswith("`descartes debugger restart NAME` goes on")
    frames = (await loaded("debugger", "frames")).out.splitlines()
    assert [line.split("\t")[:2] for line in frames[:2]] == [["0", "(INNER 5)"], ["1", "(OUTER 5)"]]
    assert (await loaded("debugger", "eval-in-frame", "(list x :frame)")).out == "(5 :FRAME)\n"
    left = await loaded("debugger", "restart", "use-instead", "(* 6 7)")
    assert (left.out, left.err, left.status) == ("43\n", "", 0)


async def test_an_error_in_a_frame_is_a_stop_that_is_left_first(loaded: Descartes) -> None:
    await loaded("lisp", "eval", "(outer 5)")
    deeper = await loaded("debugger", "eval-in-frame", '(error "deeper ~a" x)')
    assert deeper.err.startswith("stopped: SIMPLE-ERROR: deeper 5\n")
    back = await loaded("debugger", "abort")
    assert "stopped at level 1: DIVISION-BY-ZERO" in back.err and "USE-INSTEAD" in back.err
    assert (await loaded("debugger", "return-from-frame", "9")).out == "10\n"


async def test_a_stop_outlives_the_hub(loaded: Descartes) -> None:
    await loaded("lisp", "eval", "(outer 5)")
    await loaded("debugger", "eval-in-frame", '(error "deeper")')
    assert (await loaded("hub", "stop", "--force")).status == 0
    stops = json.loads((await loaded("debugger", "list", "--json")).out)["debuggers"]
    assert [(each["level"], each["condition"]["message"][:6]) for each in stops] == [
        (2, "deeper"),
        (1, "arithm"),
    ]
    early = await loaded("debugger", "restart", "RETRY", "--level", "1")
    assert early.err == f"Thread {stops[0]['thread']} is stopped at level 2; leave that level first\n"
    await loaded("debugger", "abort")
    assert (await loaded("debugger", "restart", "USE-INSTEAD", "1")).out == "2\n"


async def test_of_several_stopped_threads_one_is_named(loaded: Descartes) -> None:
    await loaded("lisp", "eval", "(outer 6)")
    await loaded("debugger", "eval-in-frame", '(error "deeper")')
    await loaded("lisp", "eval", "(outer 7)")
    stops = json.loads((await loaded("debugger", "list", "--json")).out)["debuggers"]
    newest, oldest = dict.fromkeys(each["thread"] for each in stops)
    several = await loaded("debugger", "restart", "ABORT")
    assert several.status == 1
    # Each thread once, with what stopped it last.
    named = sorted([f"{newest} (DIVISION-BY-ZERO)", f"{oldest} (SIMPLE-ERROR)"])
    assert sorted(several.err.strip().rpartition("--thread: ")[2].split(", ")) == named
    wrong = await loaded("debugger", "abort", "--thread", "999999")
    assert wrong.status == 2 and f"{oldest} at level 2, {oldest} at level 1" in wrong.err
    # A restart's number is its index, and what is left is named as far as it must be.
    assert (await loaded("debugger", "restart", "0", "1", "--thread", str(newest))).out == "2\n"
    left = await loaded("lisp", "eval", "(outer 8)")
    assert re.search(rf"restart --thread (?!{oldest}\b)\d+ NAME`", left.err)
    for _ in range(3):
        (first, *_) = json.loads((await loaded("debugger", "list", "--json")).out)["debuggers"]
        assert (await loaded("debugger", "abort", "--thread", str(first["thread"]))).status == 0
    nothing = await loaded("debugger", "abort")
    assert nothing.status == 2 and nothing.err == "no thread is stopped\n"
