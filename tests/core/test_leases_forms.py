"""Leases on one top-level form: two agents at work on two functions of one file, each kept to its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_core.errors import LeaseHeld
from descartes_core.leases import forms
from descartes_server.ide.leased_forms import LispForms
from support.running import ANN, BOB, Bench, call

SHAPES = """(in-package :shapes)

;; How big.
(defun area (s) s)

(defun perimeter (s) s)

(defmethod area ((s square)) (* s s))
"""


@pytest.fixture
async def bench(workspace: Path) -> AsyncIterator[Bench]:
    bench = await Bench.open(workspace, forms=LispForms())
    (workspace / "f.lisp").write_text(SHAPES)
    yield bench
    await bench.close()


def text(bench: Bench) -> str:
    return (bench.workspace / "f.lisp").read_text()


def edit(old: str, new: str) -> dict[str, Any]:
    return call("edit", path="f.lisp", old=old, new=new)


async def done(bench: Bench, *turns: dict[str, Any], **request: Any) -> list[str]:
    """Run TURNS to their end and return the code of each call that failed."""
    run = await bench.spawn(*turns, {"text": "Done."}, tool_level="trusted", **request)
    assert (await bench.ended(run.id)).status == "completed"
    return [event.data["error"]["code"] for event in await bench.events(run.id, "tool.failed")]


@pytest.mark.ledger("D-57")
async def test_who_holds_a_form_changes_that_form_alone(bench: Bench) -> None:
    refused = await done(
        bench,
        edit("perimeter (s) s", "perimeter (s) 4"),
        edit(";; How big.", ";; How large."),
        edit("area (s) s", "area (s) 1"),
        edit("(* s s)", "(expt s 2)"),
        edit("(defun area (s) 1)", "(defun area (s) 1) (defun other () 2)"),
        edit("(defun area (s) 1)", "(defun area (s) 1"),
        edit("(defun area (s) 1)\n", ""),
        files=["f.lisp#AREA"],
    )
    assert refused == ["policy_denied"] * 4
    assert text(bench) == SHAPES.replace("(defun area (s) s)\n", "").replace("(* s s)", "(expt s 2)")


async def test_a_new_form_of_the_leased_name_may_be_added(bench: Bench) -> None:
    addition = "(defun perimeter (s) s)\n\n(defun volume (s) s)"
    assert await done(bench, edit("(defun perimeter (s) s)", addition), files=["f.lisp#volume"]) == []
    assert addition in text(bench)


async def test_two_agents_work_on_two_functions_of_one_file(bench: Bench) -> None:
    steps = 12

    def turns(name: str) -> list[dict[str, Any]]:
        return [edit(f"(defun {name} (s) {n or 's'})", f"(defun {name} (s) {n + 1})") for n in range(steps)]

    one = await bench.spawn(*turns("area"), tool_level="trusted", files=["f.lisp#area"])
    other = await bench.spawn(*turns("perimeter"), tool_level="trusted", files=["f.lisp#perimeter"])
    for run in (one, other):
        assert (await bench.ended(run.id)).status == "completed"
        assert not await bench.events(run.id, "tool.failed")
    assert text(bench) == SHAPES.replace("(s) s)", f"(s) {steps})")


async def test_beside_leased_forms_a_call_takes_the_forms_that_it_touches(bench: Bench) -> None:
    await bench.leases.acquire("f.lisp#perimeter", BOB, reason="measuring")
    refused = await done(
        bench,
        edit("area (s) s", "area (s) 1"),
        edit("perimeter (s) s", "perimeter (s) 2"),
        edit(";; How big.", ";; How large."),
        call("write", path="f.lisp", content=SHAPES.replace("area (s) s", "area (s) 3")),
        call("write", path="f.lisp", content=""),
    )
    assert refused == ["lease_held"] * 3
    assert "area (s) 3" in text(bench) and "perimeter (s) s" in text(bench)
    (lease,) = [e for e in await bench.events(type="lease.acquired") if e.run]
    assert lease.data["path"] == "f.lisp#area"


async def test_where_no_forms_are_held_the_file_is_taken(bench: Bench) -> None:
    await done(bench, edit("area (s) s", "area (s) 1"))
    (lease,) = await bench.events(type="lease.acquired")
    assert lease.data["path"] == "f.lisp"


async def test_a_form_that_was_taken_over_is_lost(bench: Bench) -> None:
    run = await bench.spawn(edit("area (s) s", "area (s) 1"), files=["f.lisp#area"])
    question = await bench.question(run.id)
    await bench.leases.steal("f.lisp#area", ANN, reason="mine")
    await bench.questions.answer(question.id, "accept", by=ANN)
    assert (await bench.ended(run.id)).status == "failed"
    assert text(bench) == SHAPES


async def test_what_overlaps_is_decided_together(bench: Bench) -> None:
    await bench.leases.acquire("f.lisp#area", ANN)
    await bench.leases.acquire("f.lisp#perimeter", BOB)
    for path in ("f.lisp", "*.lisp", ".", "f.lisp#Area"):
        with pytest.raises(LeaseHeld) as held:
            await bench.leases.acquire(path, BOB)
        assert held.value.data["lease"]["holder"]["name"] == "Ann"
    await bench.leases.release("f.lisp#area", ANN)
    assert (await bench.leases.acquire("**/*.lisp", BOB)).token > 1
    with pytest.raises(LeaseHeld):
        await bench.leases.acquire("f.lisp#volume", ANN)


@pytest.mark.ledger("D-59")
async def test_a_write_below_a_person_s_unsaved_text_is_asked_about(bench: Bench) -> None:
    await bench.leases.acquire("f.lisp", ANN, mode="intent", reason="unsaved changes")
    run = await bench.spawn(edit("area (s) s", "area (s) 1"), {"text": "Done."}, tool_level="trusted")
    question = await bench.question(run.id)
    assert "f.lisp has unsaved changes of Ann" in question.detail
    await bench.questions.answer(question.id, "accept", by=ANN)
    assert (await bench.ended(run.id)).status == "completed"
    assert "area (s) 1" in text(bench)
    modes = [e.data["mode"] for e in await bench.events(type="lease.acquired") if e.run]
    assert modes == ["intent"]


PIECES = st.lists(
    st.sampled_from(["(defun a () 1)", "(defun b () 2)", "(print 3)", "\n", " ;; c\n", "(defun ", ")", "#|"])
)


@given(PIECES, PIECES, PIECES)
@settings(max_examples=60)
def test_what_is_inside_touches_nothing_else(before: list[str], middle: list[str], after: list[str]) -> None:
    """Whatever is changed: when it stays inside `a`, no form but `a` differs."""
    one, other = "".join([*before, "(defun a () 1)", *after]), "".join([*before, *middle, *after])
    port, file = LispForms(), Path("f.lisp")
    found, later = port.forms(file, one) or (), port.forms(file, other) or ()
    if forms.stays_inside(["A"], one, found, other, later):
        assert forms.touched(one, found, other, later) <= {"a"}
