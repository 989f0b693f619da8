"""Breakpoints at functions as operations, on a real image: set, listed, kept and taken up again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from descartes_core import errors
from descartes_server.operations import breakpoints as breakpoints_module
from descartes_server.operations.image import Image
from support.breaking import SHAPES, at, breakpoints, evaluated, finished, key, loaded, stop_of, the_stop
from support.desk import Desk, desk

__all__ = ["desk"]


async def test_a_function_breakpoint_stops_at_the_call(desk: Desk, workspace: Path) -> None:
    uri = await loaded(desk, workspace)
    found = await desk.call("debugger.breakpoints.set", symbol="area")
    assert found["verified"] and found["symbol"] == "COMMON-LISP-USER::AREA"
    assert found["location"]["range"]["start"] == at(SHAPES, "(defun area")
    stop = await stop_of(desk, "(cl-user::total 2)")
    assert stop["condition"] == {"type": "breakpoint", "message": "AREA is called", "references": []}
    assert stop["breakpoint"] == found["id"]
    assert [frame["description"] for frame in stop["frames"]] == ["(AREA 2 3)", "(TOTAL 2)"]
    assert stop["frames"][0]["location"]["uri"].endswith(uri)
    locals_ = (await desk.call("debugger.frame", **key(stop)))["locals"]
    assert [(each["name"], each["value"]) for each in locals_] == [("A", "2"), ("B", "3")]
    assert (await desk.call("debugger.evalInFrame", **key(stop), code="(+ a b)"))["values"] == ["5"]
    machine = (await desk.call("debugger.disassemble", **key(stop), frame=1))["text"]
    assert "TOTAL" in machine.splitlines()[0] and len(machine.splitlines()) > 5
    with pytest.raises(errors.DescartesError, match="99"):
        await desk.call("debugger.disassemble", **key(stop), frame=99)
    assert await finished(desk, stop) == ["(:TOTAL (:BIG 6))"]
    (listed,) = await breakpoints(desk)
    assert listed["hits"] == 1
    await desk.call("debugger.breakpoints.clear", id=found["id"])
    assert (await evaluated(desk, "(cl-user::total 2)"))["values"] == ["(:TOTAL (:BIG 6))"]
    assert await breakpoints(desk) == []


async def test_the_call_can_be_given_other_arguments_or_a_value(desk: Desk, workspace: Path) -> None:
    await loaded(desk, workspace)
    await desk.call("debugger.breakpoints.set", symbol="cl-user::area")
    stop = await stop_of(desk, "(cl-user::total 2)")
    left = await desk.call("debugger.restartFrame", **key(stop), arguments=["1", "(+ b 1)"])
    assert left["evaluation"]["values"] == ["(:TOTAL (:SMALL 4))"]
    stop = await stop_of(desk, "(cl-user::total 2)")
    left = await desk.call("debugger.returnFromFrame", **key(stop), frame=0, code="(list :none a)")
    assert left["evaluation"]["values"] == ["(:TOTAL (:NONE 2))"]


async def test_a_redefinition_keeps_the_breakpoint_and_a_condition_sees_the_arguments(
    desk: Desk, workspace: Path
) -> None:
    await loaded(desk, workspace)
    found = await desk.call("debugger.breakpoints.set", symbol="area", condition="(evenp a)")
    await evaluated(desk, "(defun area (a &key (b 1)) (list a b))")
    assert (await evaluated(desk, "(area 3)"))["values"] == ["(3 1)"]
    stop = await stop_of(desk, "(area 4 :b 7)")
    assert stop["frames"][0]["description"] == "(AREA 4 :B 7)"
    assert (await desk.call("debugger.evalInFrame", **key(stop), code="(list a b)"))["values"] == ["(4 7)"]
    assert await finished(desk, stop) == ["(4 7)"]
    again = await desk.call("debugger.breakpoints.set", symbol="area", condition="(= a 3)")
    assert [each["id"] for each in await breakpoints(desk)] == [again["id"]]
    assert again["id"] != found["id"]
    assert (await evaluated(desk, "(area 4)"))["state"] == "done"


async def test_a_condition_sees_the_defaults_of_parameters_that_are_not_given(desk: Desk) -> None:
    await evaluated(
        desk,
        "(progn (defvar *made* 0) (defun made () (incf *made*))"
        " (defun area (a &optional (b (* a 10) b-p) &key (unit (made)) ((:scale s) 1 s-p) (none))"
        "   (list a b b-p unit s s-p none)))",
    )

    async def stops(condition: str, call: str) -> bool:
        found = await desk.call("debugger.breakpoints.set", symbol="area", condition=condition)
        assert found["verified"], found
        state = (await evaluated(desk, call))["state"]
        if state == "stopped":
            await desk.call("debugger.toplevel", **key(await the_stop(desk)))
        return bool(state == "stopped")

    assert await stops("(and (= b 20) (not b-p) (= s 1) (not s-p) (null none))", "(area 2)")
    assert await stops("(and (= b 5) b-p (= s 3) s-p)", "(area 2 5 :scale 3)")
    assert not await stops("(or b-p (/= b 20))", "(area 2)")
    assert not await stops("nil", "(area 2)")
    await evaluated(desk, "(setf *made* 0)")
    assert await stops("(= unit 1)", "(area 2)")  # asked for, so that it is evaluated before the call
    await evaluated(desk, "(setf *made* 0)")
    await desk.call("debugger.breakpoints.set", symbol="area")
    stop = await stop_of(desk, "(area 2)")
    names = {
        each["name"]: each["value"] for each in (await desk.call("debugger.frame", **key(stop)))["locals"]
    }
    assert (names["B"], names["UNIT"]) == ("20", "#<default (MADE)>")
    assert await finished(desk, stop) == ["(2 20 NIL 1 1 NIL NIL)"]

    # What a default finds only around its definition does not keep the breakpoint from being set.
    await evaluated(desk, "(flet ((own () 7)) (defun area (&optional (a (own)) (b 1)) (list a b)))")
    assert await stops("t", "(area)")


async def test_what_is_undefined_is_no_longer_verified(desk: Desk, workspace: Path) -> None:
    uri = await loaded(desk, workspace)
    await desk.call("debugger.breakpoints.set", symbol="area")
    await desk.call("debugger.breakpoints.set", uri=uri, position=at(SHAPES, "(list :big"))
    await desk.call("debugger.breakpoints.set", symbol="total")
    seen = len(desk.published)
    await desk.call("lisp.undefine", symbol="area", kind="function")
    assert [each["verified"] for each in await breakpoints(desk)] == [False, False, True]
    assert "descartes/debugger/breakpoints" in [method for method, _ in desk.published[seen:]]
    await loaded(desk, workspace)
    assert [each["verified"] for each in await breakpoints(desk)] == [True, True, True]


HANGS = """(in-package :cl-user)
(defvar *hang* nil)
(defvar *go* nil)
(defmacro slowly (form)
  (when descartes-boot::*spots*
    (loop while *hang* do (setq *go* t) (sleep 1/100)))
  form)
(defun slow (x)
  (list (slowly (* x 2))))
"""


async def test_a_macro_that_does_not_end_is_given_up(desk: Desk, workspace: Path) -> None:
    uri = await loaded(desk, workspace, HANGS)
    await evaluated(desk, "(setf *hang* t descartes-boot::*compiling-seconds* 1/2)")
    found = await desk.call("debugger.breakpoints.set", uri=uri, position=at(HANGS, "(* x 2)"))
    assert not found["verified"] and "took longer than" in found["message"]
    assert (await evaluated(desk, "(slow 2)"))["values"] == ["(4)"]


async def test_nobody_else_waits_for_a_macro_that_does_not_end(
    desk: Desk, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakpoints_module, "MENDING_S", 300.0)
    monkeypatch.setattr(breakpoints_module, "ANSWERING_S", 300.0)
    uri = await loaded(desk, workspace, HANGS)
    await desk.call("debugger.breakpoints.set", uri=uri, position=at(HANGS, "(* x 2)"))
    await evaluated(desk, "(setf *hang* t descartes-boot::*compiling-seconds* 300)")
    other = asyncio.create_task(desk.call("lisp.eval", code="(loop until *go* do (sleep 1/100))", repl="b"))
    form = asyncio.create_task(desk.call("lisp.compileForm", uri=uri, position=at(HANGS, "(list (slowly")))
    assert (await other)["state"] == "done"
    assert not form.done()
    await desk.call("lisp.eval", code="(setq *hang* nil)", repl="b")
    assert (await form)["success"]
    (listed,) = await breakpoints(desk)
    assert listed["verified"]


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"symbol": "when"}, "macro"),
        ({"symbol": "if"}, "special operator"),
        ({"symbol": "car"}, "of the Lisp itself"),
        ({"symbol": "no-such-package::area"}, "NO-SUCH-PACKAGE"),
        ({"symbol": "(area"}, "one whole form"),
        ({"symbol": "area", "condition": "(> c 3)"}, "undefined variable"),
        ({"symbol": "area", "condition": "(no-such-test a)"}, "undefined function"),
        ({"symbol": "area", "condition": "(> a"}, "one whole form"),
    ],
)
async def test_what_cannot_be_set_says_why(
    desk: Desk, workspace: Path, params: dict[str, Any], why: str
) -> None:
    await loaded(desk, workspace)
    found = await desk.call("debugger.breakpoints.set", **params)
    assert not found["verified"]
    assert why in found["message"], found["message"]
    assert (await evaluated(desk, "(cl-user::total 2)"))["state"] == "done"


async def test_wrong_parameters_are_refused(desk: Desk, workspace: Path) -> None:
    uri = await loaded(desk, workspace)
    for params in ({}, {"uri": uri}):
        with pytest.raises(errors.InvalidParams):
            await desk.call("debugger.breakpoints.set", **params)
    with pytest.raises(errors.NotFound, match="there are: none"):
        await desk.call("debugger.breakpoints.clear", id="7")


async def test_an_undefined_function_gets_its_breakpoint_when_it_is_defined(
    desk: Desk, workspace: Path
) -> None:
    await evaluated(desk, "1")
    found = await desk.call("debugger.breakpoints.set", symbol="area")
    assert not found["verified"] and "not defined yet" in found["message"]
    await loaded(desk, workspace)
    (listed,) = await breakpoints(desk)
    assert listed["verified"] and listed["message"] is None
    assert (await stop_of(desk, "(total 2)"))["breakpoint"] == found["id"]
    told = [params for method, params in desk.published if method == "descartes/debugger/breakpoints"]
    assert [each["breakpoints"][0]["verified"] for each in told] == [False, True]


async def test_generic_and_setf_functions(desk: Desk) -> None:
    await evaluated(
        desk,
        "(progn (defgeneric size (x)) (defmethod size ((x list)) (length x))"
        " (defvar *stored*) (defun (setf stored) (value key) (setf *stored* (list key value))))",
    )
    assert (await desk.call("debugger.breakpoints.set", symbol="size"))["verified"]
    assert (await desk.call("debugger.breakpoints.set", symbol="(setf stored)"))["verified"]
    stop = await stop_of(desk, "(list (size '(1 2)))")
    assert stop["frames"][0]["description"] == "(SIZE (1 2))"
    assert await finished(desk, stop) == ["(2)"]
    await evaluated(desk, "(defmethod size ((x string)) (- (length x)))")
    stop = await stop_of(desk, '(list (size "abc"))')
    assert await finished(desk, stop) == ["(-3)"]
    stop = await stop_of(desk, "(list (setf (stored :k) 5))")
    assert stop["frames"][0]["description"] == "((SETF STORED) 5 :K)"
    assert await finished(desk, stop) == ["((:K 5))"]


async def test_breakpoints_outlive_the_image(desk: Desk, workspace: Path) -> None:
    uri = await loaded(desk, workspace)
    function = await desk.call("debugger.breakpoints.set", symbol="total")
    form = await desk.call("debugger.breakpoints.set", uri=uri, position=at(SHAPES, "(list :big"))
    await desk.call("lisp.stop")
    assert [each["verified"] for each in await breakpoints(desk)] == [False, False]
    meanwhile = await desk.call("debugger.breakpoints.set", symbol="area")
    assert not meanwhile["verified"] and "no Lisp runs" in meanwhile["message"]
    await desk.call("lisp.start")
    assert not any(each["verified"] for each in await breakpoints(desk))
    await desk.call("lisp.compileFile", uri=uri)
    assert all(each["verified"] for each in await breakpoints(desk))
    met = []
    stop = await stop_of(desk, "(cl-user::total 2)")
    while stop:
        met.append(stop["breakpoint"])
        stop = (await desk.call("debugger.continue", **key(stop)))["debugger"]
    assert met == [function["id"], meanwhile["id"], form["id"]]


async def test_another_hub_takes_up_the_breakpoints(desk: Desk, workspace: Path) -> None:
    uri = await loaded(desk, workspace)
    function = await desk.call("debugger.breakpoints.set", symbol="total")
    form = await desk.call("debugger.breakpoints.set", uri=uri, position=at(SHAPES, "(list :big"))
    await desk.call("debugger.breakOnSignals", type="parse-error")
    services = desk.context.services
    first, published = services.image, desk.published
    await first.detach()
    services.image = Image(
        services.store,
        lambda method, params: published.append((method, params)),
        lambda client, method, params: asyncio.sleep(0, {}),
        first.places,
        lambda: services.settings.lisp,
    )
    await services.image.take_up()
    listed = {each["id"]: each for each in await breakpoints(desk)}
    assert listed[form["id"]]["range"] == form["range"]
    assert listed[function["id"]]["symbol"] == "COMMON-LISP-USER::TOTAL"
    assert all(each["verified"] for each in listed.values())
    stop = await stop_of(desk, "(cl-user::total 2)")
    assert stop["breakpoint"] == function["id"]
    stop = (await desk.call("debugger.continue", **key(stop)))["debugger"]
    assert stop["breakpoint"] == form["id"]
    assert await finished(desk, stop) == ["(:TOTAL (:BIG 6))"]
    for id in listed:
        await desk.call("debugger.breakpoints.clear", id=id)
    assert (await evaluated(desk, "(cl-user::total 2)"))["state"] == "done"
    new = await desk.call("debugger.breakpoints.set", symbol="area")
    assert new["id"] not in listed
    await desk.call("lisp.restart")  # what the image stopped at is asked of the next one too
    await stop_of(desk, '(handler-case (parse-integer "a") (error () :none))')
