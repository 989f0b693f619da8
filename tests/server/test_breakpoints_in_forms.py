"""Breakpoints at forms, their conditions; stepping, and breaking on signals."""

from __future__ import annotations

from pathlib import Path

import pytest

from descartes_core import errors
from support.breaking import SHAPES, at, breakpoints, evaluated, finished, key, loaded, stop_of
from support.desk import Desk, desk

__all__ = ["desk"]


async def test_a_form_breakpoint_stops_at_the_innermost_form(desk: Desk, workspace: Path) -> None:
    uri = await loaded(desk, workspace)
    found = await desk.call("debugger.breakpoints.set", uri=uri, position=at(SHAPES, ":big"))
    assert found["verified"], found
    assert found["range"]["start"] == at(SHAPES, "(list :big")
    assert (await evaluated(desk, "(cl-user::total 1)"))["values"] == ["(:TOTAL (:SMALL 3))"]
    stop = await stop_of(desk, "(cl-user::total 2)")
    assert stop["condition"]["type"] == "breakpoint"
    assert stop["condition"]["message"] == "(list :big product)"
    assert stop["location"]["range"] == found["range"]
    detail = await desk.call("debugger.frame", **key(stop))
    assert {each["name"]: each["value"] for each in detail["locals"]} == {"A": "2", "B": "3", "PRODUCT": "6"}
    assert await finished(desk, stop) == ["(:TOTAL (:BIG 6))"]
    assert (await breakpoints(desk))[0]["hits"] == 1
    assert Path(uri).read_text() == SHAPES
    await desk.call("debugger.breakpoints.clear", id=found["id"].removeprefix("brk_"))
    assert (await evaluated(desk, "(cl-user::total 2)"))["values"] == ["(:TOTAL (:BIG 6))"]


@pytest.mark.parametrize(
    ("place", "form"),
    [
        ("(defun area", "(let ((product"),  # the head of a definition means its first form
        ("product (* a", "(let ((product"),  # a binding is no form
        ("* a b", "(* a b)"),
        ("((> product", "(cond (("),  # nor is a clause
        ("> product", "(> product 5)"),
        ("t (list", "(cond (("),
    ],
)
async def test_a_place_that_is_no_form_means_the_one_around_it(
    desk: Desk, workspace: Path, place: str, form: str
) -> None:
    uri = await loaded(desk, workspace)
    found = await desk.call("debugger.breakpoints.set", uri=uri, position=at(SHAPES, place))
    assert found["verified"], found
    assert found["range"]["start"] == at(SHAPES, form)


async def test_several_breakpoints_in_one_definition(desk: Desk, workspace: Path) -> None:
    uri = await loaded(desk, workspace)
    outer = await desk.call("debugger.breakpoints.set", uri=uri, position=at(SHAPES, "(cond (("))
    inner = await desk.call(
        "debugger.breakpoints.set", uri=uri, position=at(SHAPES, "(* a b)"), condition="(> a 1)"
    )
    stop = await stop_of(desk, "(cl-user::total 2)")
    assert stop["breakpoint"] == inner["id"]
    stop = (await desk.call("debugger.continue", **key(stop)))["debugger"]
    assert stop["breakpoint"] == outer["id"]
    assert stop["location"]["range"]["start"] == at(SHAPES, "(cond ((")
    assert await finished(desk, stop) == ["(:TOTAL (:BIG 6))"]
    await desk.call("debugger.breakpoints.clear", id=outer["id"])
    stop = await stop_of(desk, "(cl-user::total 2)")
    assert stop["breakpoint"] == inner["id"]
    assert await finished(desk, stop) == ["(:TOTAL (:BIG 6))"]
    assert (await evaluated(desk, "(cl-user::total 1)"))["state"] == "done"


@pytest.mark.parametrize("condition", ["(> area 5)", "(oddp product", "(no-such-test)"])
async def test_a_wrong_condition_sets_nothing(desk: Desk, workspace: Path, condition: str) -> None:
    uri = await loaded(desk, workspace)
    found = await desk.call(
        "debugger.breakpoints.set", uri=uri, position=at(SHAPES, "(list :big"), condition=condition
    )
    assert not found["verified"]
    assert found["message"]
    assert found["range"]["start"] == at(SHAPES, "(list :big")
    assert (await evaluated(desk, "(cl-user::total 2)"))["state"] == "done"


async def test_a_condition_that_fails_is_a_stop_that_says_so(desk: Desk, workspace: Path) -> None:
    uri = await loaded(desk, workspace)
    await desk.call(
        "debugger.breakpoints.set",
        uri=uri,
        position=at(SHAPES, "(list :big"),
        condition="(zerop (parse-integer (string :x)))",
    )
    stop = await stop_of(desk, "(cl-user::total 2)")
    assert "Its condition failed" in stop["condition"]["message"]
    assert await finished(desk, stop) == ["(:TOTAL (:BIG 6))"]


async def test_where_nothing_is_called_there_is_no_breakpoint(desk: Desk, workspace: Path) -> None:
    text = (
        "(defvar *x* (list 1 2))\n(print (list 3))\n(defun same (x) x)\n(defun wrong (x) (let ((1 x)) x))\n"
    )
    file = workspace / "odd.lisp"
    file.write_text(text)
    for target, why in (
        ("(list 1", "evaluated once"),
        ("(list 3", "evaluated once"),
        ("x) x)", "no form"),
        ("(let ((1", "does not compile"),
    ):
        await evaluated(desk, "1")
        found = await desk.call("debugger.breakpoints.set", uri=str(file), position=at(text, target))
        assert not found["verified"]
        assert why in found["message"], (target, found)


async def test_a_form_breakpoint_stays_when_its_definition_is_compiled_again(
    desk: Desk, workspace: Path
) -> None:
    uri = await loaded(desk, workspace)
    found = await desk.call("debugger.breakpoints.set", uri=uri, position=at(SHAPES, "(list :big"))
    changed = ";; A new line.\n" + SHAPES.replace("(> product 5)", "(> product (* 2 2))")
    document = {"version": 2, "text": changed}
    compiled = await desk.call(
        "lisp.compileForm", uri=uri, position=at(changed, "(defun area"), document=document
    )
    assert compiled["success"]
    (moved,) = await breakpoints(desk)
    assert moved["verified"] and moved["range"]["start"] == at(changed, "(list :big")
    stop = await stop_of(desk, "(cl-user::total 2)")
    assert stop["breakpoint"] == found["id"]
    assert await finished(desk, stop) == ["(:TOTAL (:BIG 6))"]
    without = changed.replace("(list :big product)", "(cons :big nil)")
    await desk.call(
        "lisp.compileForm",
        uri=uri,
        position=at(without, "(defun area"),
        document={"version": 3, "text": without},
    )
    (gone,) = await breakpoints(desk)
    assert not gone["verified"] and "changed" in gone["message"]
    assert (await evaluated(desk, "(cl-user::total 2)"))["state"] == "done"


async def test_stepping_shows_what_comes_next_and_what_came_of_the_last(desk: Desk, workspace: Path) -> None:
    uri = await loaded(desk, workspace)
    for target in ("(defun area", "(defun total"):
        await desk.call("lisp.compileForm", uri=uri, position=at(SHAPES, target), policy={"debug": 3})
    await desk.call("debugger.breakpoints.set", uri=uri, position=at(SHAPES, "(area n 3)"))
    stop = await stop_of(desk, "(cl-user::total 2)")
    stop = (await desk.call("debugger.step", **key(stop), kind="next"))["debugger"]
    assert stop["condition"]["type"] == "step"
    assert stop["stepping"] == {
        "form": "(AREA N 3)", "arguments": ["2", "3"], "done": None, "values": [],
    }  # fmt: skip
    assert stop["location"]["range"]["start"] == at(SHAPES, "(area n 3)")
    stop = (await desk.call("debugger.step", **key(stop), kind="into"))["debugger"]
    assert stop["frames"][0]["description"] == "(AREA 2 3)"
    assert stop["location"]["range"]["start"] == at(SHAPES, "(* a b)")
    stop = (await desk.call("debugger.step", **key(stop), kind="out"))["debugger"]
    assert stop["stepping"] == {
        "form": "the rest of TOTAL", "arguments": [], "done": "(AREA N 3)", "values": ["(:BIG 6)"],
    }  # fmt: skip
    assert stop["location"]["range"]["start"] == at(SHAPES, "(area n 3)")
    left = await desk.call("debugger.step", **key(stop), kind="out")
    assert left["evaluation"]["values"] == ["(:TOTAL (:BIG 6))"]
    assert (await evaluated(desk, "(cl-user::area 2 3)"))["state"] == "done"


async def test_a_stop_that_cannot_go_on_cannot_step(desk: Desk) -> None:
    stop = await stop_of(desk, "(car 1)")
    with pytest.raises(errors.InvalidParams, match="CONTINUE"):
        await desk.call("debugger.step", **key(stop), kind="into")
    with pytest.raises(errors.InvalidParams):
        await desk.call("debugger.step", **key(stop), kind="sideways")


async def test_breaking_on_signals(desk: Desk) -> None:
    await evaluated(desk, "(defun guarded (x) (handler-case (parse-integer x) (error () :none)))")
    assert (await evaluated(desk, '(guarded "a")'))["values"] == [":NONE"]
    assert (await desk.call("debugger.breakOnSignals", type="parse-error"))["type"] == "PARSE-ERROR"
    stop = await stop_of(desk, '(guarded "a")')
    assert "break" in stop["condition"]["message"].lower()
    assert any(frame["description"].startswith("(GUARDED") for frame in stop["frames"])
    assert await finished(desk, stop) == [":NONE"]
    for wrong in ("no-such-type", "integer", "(and"):
        with pytest.raises(errors.InvalidParams):
            await desk.call("debugger.breakOnSignals", type=wrong)
    assert (await desk.call("debugger.breakOnSignals"))["type"] is None
    assert (await evaluated(desk, '(guarded "a")'))["values"] == [":NONE"]


async def test_breaking_on_every_signal_leaves_our_own_machinery_alone(desk: Desk, workspace: Path) -> None:
    await evaluated(desk, "1")
    await desk.call("debugger.breakOnSignals", type="condition")
    uri = await loaded(desk, workspace)
    assert (await evaluated(desk, "(cl-user::total 2)"))["values"] == ["(:TOTAL (:BIG 6))"]
    await desk.call("debugger.breakpoints.set", uri=uri, position=at(SHAPES, "(list :big"))
    stop = await stop_of(desk, "(cl-user::total 2)")
    await desk.call("debugger.frame", **key(stop))
    with pytest.raises(errors.InvalidParams):
        await desk.call("debugger.restart", **key(stop), name="CONTINUE", arguments=["(car 1)"])
    assert [each["level"] for each in (await desk.call("debugger.list"))["debuggers"]] == [1]
    assert await finished(desk, stop) == ["(:TOTAL (:BIG 6))"]
