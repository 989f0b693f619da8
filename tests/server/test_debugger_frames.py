"""What a frame shows and gives: catch tags, a console whose values can be referred to."""

from __future__ import annotations

from typing import Any

import pytest

from descartes_core import errors
from descartes_server.operations.lisp_shapes import Condition, Debugger, Frame, Local, Origin
from descartes_server.operations.visits import Visits
from support.desk import Desk, desk
from support.until import until

__all__ = ["desk"]

CATCHING = """(progn
  (defun failing (x) (car x))
  (defun catching (x)
    (declare (optimize (debug 3)))
    (catch :done (list (failing x))))
  (catching 3))"""


async def stop_of(desk: Desk, code: str) -> dict[str, Any]:
    evaluation = await desk.call("lisp.eval", code=code)
    assert evaluation["state"] == "stopped", evaluation
    return dict(evaluation["debugger"])


async def test_catch_tags_are_shown_in_the_frame_that_establishes_them(desk: Desk) -> None:
    stop = await stop_of(desk, CATCHING)
    (debugger,) = (await desk.call("debugger.list"))["debuggers"]
    names = [frame["description"] for frame in debugger["frames"]]
    index = names.index("(CATCHING 3)")
    detail = await desk.call("debugger.frame", **stop, frame=index)
    assert detail["catchTags"] == [":DONE"]
    inner = await desk.call("debugger.frame", **stop, frame=names.index("(FAILING 3)"))
    assert inner["catchTags"] == []
    left = await desk.call("debugger.evalInFrame", **stop, frame=index, code="(throw :done (list x))")
    assert left["state"] in ("done", "aborted")
    # The evaluation ends on the way out of the stop.
    await until(lambda: len(desk.context.services.image.debuggers) == 0, "no thread is stopped")
    assert (await desk.call("debugger.list"))["debuggers"] == []


async def test_the_console_of_a_frame_refers_to_its_earlier_values(desk: Desk) -> None:
    stop = await stop_of(desk, CATCHING)

    async def console(code: str) -> list[str]:
        return list((await desk.call("debugger.evalInFrame", **stop, frame=1, code=code))["values"])

    assert await console("(list x 4)") == ["(3 4)"]
    assert await console("(reverse *)") == ["(4 3)"]
    assert await console("(list ** *)") == ["((3 4) (4 3))"]
    assert await console("(values x (1+ x))") == ["3", "4"]
    assert await console("/") == ["(3 4)"]


MADE_UP = """(defun made-up (width height)
  (declare (optimize (debug 3)))
  (restart-case (let ((area (* width height)))
                  (error "too small: ~a" area))
    (use-value (area) area)))"""


async def test_variables_that_no_source_can_name_are_left_out(desk: Desk) -> None:
    await desk.call("lisp.eval", code=MADE_UP)
    stop = await stop_of(desk, "(made-up 3 4)")
    shown = (await desk.call("debugger.frame", **stop))["locals"]
    assert {each["name"]: each["value"] for each in shown} == {"WIDTH": "3", "HEIGHT": "4", "AREA": "12"}
    every = (await desk.call("debugger.frame", **stop, all=True))["locals"]
    assert every[: len(shown)] == shown and len(every) > len(shown)
    assert all(each["name"].startswith("#:") for each in every[len(shown) :])
    # The number of a variable is its id, whichever are shown.
    for each in shown:
        opened = await desk.call("inspector.open", **stop, local=each["id"])
        assert opened["title"] == each["value"]
    for wrong in (len(every), "nosuch"):
        with pytest.raises(errors.NotFound, match="has area, height, width"):
            await desk.call("inspector.open", **stop, local=wrong)


COUNTING = """(defun counting (limit)
  (declare (optimize (debug 3)))
  (let ((sum 0))
    (dotimes (i limit sum)
      (incf sum (* i 10))
      (break "so far ~a" sum))))"""


async def test_a_variable_shows_what_it_was_at_earlier_visits_of_its_frame(desk: Desk) -> None:
    await desk.call("lisp.eval", code=COUNTING)

    async def sum_in(stop: dict[str, Any]) -> tuple[str, list[str]]:
        detail = await desk.call("debugger.frame", **stop)
        found = next(each for each in detail["locals"] if each["name"] == "SUM")
        return found["value"], found["earlier"]

    stop = await stop_of(desk, "(counting 3)")
    assert await sum_in(stop) == ("0", [])
    assert (await desk.call("debugger.continue", **stop))["debugger"]
    assert await sum_in(stop) == ("10", ["0"])
    await desk.call("debugger.evalInFrame", **stop, code="(setf sum 7)")
    assert await sum_in(stop) == await sum_in(stop) == ("7", ["10", "0"])
    await desk.call("debugger.toplevel", **stop)
    # Another evaluation has frames of its own.
    assert await sum_in(await stop_of(desk, "(counting 3)")) == ("0", [])


def test_a_variable_that_is_out_of_sight_for_a_step_keeps_its_earlier_values() -> None:
    stop = Debugger(
        thread=1,
        level=1,
        condition=Condition(type="step", message="Next"),
        restarts=[],
        frames=[Frame(index=0, description="(SUM 3)", restartable=True)],
        frame_count=1,
        origin=Origin(kind="human"),
        evaluation="eval_1",
    )

    def look(visits: Visits, **values: str) -> dict[str, list[str]]:
        found = [Local(name=name, value=value, id=id_) for id_, (name, value) in enumerate(values.items())]
        return {each.name: each.earlier for each in visits.with_earlier(stop, 0, found)}

    visits = Visits()
    assert look(visits, A="1", N="3") == {"A": [], "N": []}
    assert look(visits, N="3") == {"N": []}
    assert look(visits, A="2", N="3") == {"A": ["1"], "N": []}


async def test_arguments_of_a_restart_are_evaluated_in_the_frame(desk: Desk) -> None:
    code = """(progn
      (defun asking (n)
        (restart-case (error "no ~a" n)
          (use-value (value) :interactive (lambda () (list (* n 100))) value)))
      (defun around (m) (list (asking (+ m 1))))
      (around 4))"""
    stop = await stop_of(desk, code)
    left = await desk.call("debugger.restart", **stop, name="USE-VALUE", arguments=["(list n :n)"])
    assert left["evaluation"]["values"] == ["((5 :N))"]
    stop = await stop_of(desk, code)
    left = await desk.call("debugger.restart", **stop, name="USE-VALUE", arguments=["(* 2 m)"], frame=1)
    assert left["evaluation"]["values"] == ["(8)"]
    stop = await stop_of(desk, code)
    # Its own question has a default, which needs nobody's answer.
    left = await desk.call("debugger.restart", **stop, name="USE-VALUE")
    assert left["evaluation"]["values"] == ["(500)"]
