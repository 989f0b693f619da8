"""Mending what stopped: retry with a fix, and full debug for a function, on a real image."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from descartes_core import errors
from support.desk import Desk, desk

__all__ = ["desk"]

AREA = """(in-package :cl-user)

(defun area (a b)
  (let ((product (* a b)))
    (if (> product (parse-integer "5"))
        (error "too large: ~d" product)
        product)))

(defun total (n)
  (list :total (area n 3)))
"""


async def stopped(desk: Desk, file: Path, text: str = AREA, **more: Any) -> dict[str, Any]:
    """Compile TEXT in FILE and return the stop of (TOTAL 2)."""
    file.write_text(text)
    assert (await desk.call("lisp.compileFile", uri=str(file)))["success"]
    evaluation = await desk.call("lisp.eval", code="(cl-user::total 2)", **more)
    assert evaluation["state"] == "stopped", evaluation
    stop: dict[str, Any] = evaluation["debugger"]
    return stop


def document(text: str) -> dict[str, Any]:
    return {"version": 2, "text": text}


async def test_a_fix_that_is_not_saved_is_compiled_and_its_frame_called_again(
    desk: Desk, workspace: Path
) -> None:
    file = workspace / "area.lisp"
    stop = await stopped(desk, file)
    fixed = AREA.replace('(parse-integer "5")', "50")
    result = await desk.call(
        "debugger.retryWithFix",
        **stop,
        uri=str(file),
        position={"line": 5, "column": 3},
        document=document(fixed),
    )
    assert result["success"]
    assert result["evaluation"]["values"] == ["(:TOTAL 6)"]
    assert (await desk.call("debugger.list"))["debuggers"] == []
    assert file.read_text() == AREA


async def test_the_frame_is_called_with_other_arguments(desk: Desk, workspace: Path) -> None:
    file = workspace / "area.lisp"
    stop = await stopped(desk, file)
    result = await desk.call(
        "debugger.retryWithFix",
        **stop,
        frame=0,
        uri=str(file),
        position={"line": 3, "column": 1},
        arguments=["1", "(+ b 1)"],
    )
    assert result["evaluation"]["values"] == ["(:TOTAL 4)"]


async def test_a_fix_of_an_outer_function_calls_that_one_again(desk: Desk, workspace: Path) -> None:
    file = workspace / "area.lisp"
    stop = await stopped(desk, file)
    fixed = AREA.replace("(area n 3)", "(area n 1)")
    result = await desk.call(
        "debugger.retryWithFix",
        **stop,
        uri=str(file),
        position={"line": 9, "column": 1},
        document=document(fixed),
    )
    assert result["evaluation"]["values"] == ["(:TOTAL 2)"]


async def test_a_fix_that_does_not_compile_leaves_the_stop_as_it_is(desk: Desk, workspace: Path) -> None:
    file = workspace / "area.lisp"
    stop = await stopped(desk, file)
    wrong = AREA.replace('(parse-integer "5")', "(let ((x . 3)) x)")
    result = await desk.call(
        "debugger.retryWithFix",
        **stop,
        uri=str(file),
        position={"line": 4, "column": 1},
        document=document(wrong),
    )
    assert not result["success"]
    assert result["compilation"]["notes"][0]["severity"] == "error"
    (still,) = (await desk.call("debugger.list"))["debuggers"]
    assert (still["thread"], still["level"]) == (stop["thread"], stop["level"])
    assert still["frames"][0]["description"] == "(AREA 2 3)"


async def test_a_method_is_called_again_corrected(desk: Desk, workspace: Path) -> None:
    text = """(defgeneric total (n))
(defmethod total ((n integer))
  (error "none for ~d" n))
(defmethod total ((n float)) n)
"""
    file = workspace / "method.lisp"
    stop = await stopped(desk, file, text)
    result = await desk.call(
        "debugger.retryWithFix",
        **stop,
        uri=str(file),
        position={"line": 2, "column": 1},
        document=document(text.replace('(error "none for ~d" n)', "(* n 21)")),
    )
    assert result["evaluation"]["values"] == ["42"]


async def test_a_frame_that_cannot_be_called_again_says_what_to_do(desk: Desk, workspace: Path) -> None:
    file = workspace / "area.lisp"
    without = AREA.replace("(defun area (a b)\n", "(defun area (a b)\n  (declare (optimize (debug 0)))\n")
    stop = await stopped(desk, file, without)
    position = {"line": 3, "column": 1}
    with pytest.raises(errors.InvalidParams, match=r"RETRY.*debugger\.recompile"):
        await desk.call("debugger.retryWithFix", **stop, uri=str(file), position=position)
    with pytest.raises(errors.InvalidParams, match="RETRY"):
        await desk.call("debugger.restartFrame", **stop)
    with pytest.raises(errors.InvalidParams, match="no frame 99"):
        await desk.call("debugger.retryWithFix", **stop, frame=99, uri=str(file), position=position)
    with pytest.raises(errors.DebuggerStale):
        await desk.call(
            "debugger.retryWithFix",
            thread=stop["thread"],
            level=7,
            uri=str(file),
            position=position,
        )


LOCAL = """(in-package :cl-user)

(defun inside (n)
  (flet ((within (x) (list (error "no ~a" x))))
    (declare (notinline within))
    (list (within n))))

(defun (setf height) (value box)
  (list (if (oddp box) (error "no ~a" value) value) box))

(defmethod width ((box integer) &key)
  (list (error "no ~a" box)))
"""


@pytest.mark.parametrize(
    ("code", "line", "value"),
    [
        ("(inside 2)", 3, "((42))"),
        ("(setf (height 1) 2)", 8, "(42 1)"),
        ("(width 3)", 11, "(42)"),
    ],
)
async def test_the_frame_that_is_named_is_called_as_it_was_corrected(
    desk: Desk, workspace: Path, code: str, line: int, value: str
) -> None:
    file = workspace / "local.lisp"
    file.write_text(LOCAL)
    assert (await desk.call("lisp.compileFile", uri=str(file)))["success"]
    stop = (await desk.call("lisp.eval", code=f"(values {code})"))["debugger"]
    fixed = re.sub(r'\(error "no ~a" (\w+)\)', r"(progn \1 42)", LOCAL)
    ways = {"uri": str(file), "frame": 0, "document": document(fixed)}
    for other in {3, 8, 11} - {line}:
        with pytest.raises(errors.InvalidParams, match="expected the definition of"):
            position = {"line": other, "column": 1}
            await desk.call("debugger.retryWithFix", **stop, **ways, position=position)
    result = await desk.call("debugger.retryWithFix", **stop, **ways, position={"line": line, "column": 1})
    assert result["success"] and result["evaluation"]["values"] == [value]


async def test_full_debug_shows_the_variables_that_were_missing(desk: Desk, workspace: Path) -> None:
    file = workspace / "area.lisp"
    stop = await stopped(desk, file)
    names = [each["name"] for each in (await desk.call("debugger.frame", **stop))["locals"]]
    assert names == ["A", "B"]
    compiled = await desk.call("debugger.recompile", **stop, frame=0)
    assert compiled["success"], compiled
    again = (await desk.call("debugger.restart", **stop, name="RETRY"))["debugger"]
    detail = await desk.call("debugger.frame", thread=again["thread"], level=again["level"])
    assert {each["name"]: each["value"] for each in detail["locals"]} == {"A": "2", "B": "3", "PRODUCT": "6"}


async def test_what_stands_in_no_file_is_not_recompiled(desk: Desk) -> None:
    code = '(progn (defun nowhere (x) (error "no ~a" x)) (list (nowhere 3)))'
    stop = (await desk.call("lisp.eval", code=code))["debugger"]
    with pytest.raises(errors.NotFound, match="in a file"):
        await desk.call("debugger.recompile", **stop)
