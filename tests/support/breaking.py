"""A file whose functions stop at breakpoints, and what one client does there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.desk import Desk

SHAPES = """(in-package :cl-user)

;; λ: places are counted in characters.
(defun area (a b)
  "The area of a rectangle."
  (let ((product (* a b)))
    (cond ((> product 5) (list :big product))
          (t (list :small product)))))

(defun total (n)
  (list :total (area n 3)))
"""


async def loaded(desk: Desk, workspace: Path, text: str = SHAPES) -> str:
    """Return the URI of TEXT, which is compiled and loaded."""
    file = workspace / "shapes.lisp"
    file.write_text(text)
    compiled = await desk.call("lisp.compileFile", uri=str(file))
    assert compiled["success"], compiled
    return str(file)


def at(text: str, target: str) -> dict[str, int]:
    """Return the position of TARGET in TEXT."""
    before = text[: text.index(target)]
    return {"line": before.count("\n") + 1, "column": len(before) - before.rfind("\n")}


async def evaluated(desk: Desk, code: str) -> dict[str, Any]:
    """Return the evaluation of CODE."""
    return await desk.call("lisp.eval", code=code)


async def stop_of(desk: Desk, code: str) -> dict[str, Any]:
    """Return the stop of CODE, as `debugger.list` shows it."""
    evaluation = await evaluated(desk, code)
    assert evaluation["state"] == "stopped", evaluation
    return await the_stop(desk)


async def the_stop(desk: Desk) -> dict[str, Any]:
    """Return the one stop there is."""
    (stop,) = (await desk.call("debugger.list"))["debuggers"]
    return dict(stop)


def key(stop: dict[str, Any]) -> dict[str, Any]:
    """Return what names STOP in a request."""
    return {"thread": stop["thread"], "level": stop["level"]}


async def finished(desk: Desk, stop: dict[str, Any]) -> list[str]:
    """Return the values of the evaluation of STOP after CONTINUE."""
    left = await desk.call("debugger.continue", **key(stop))
    assert left["evaluation"]["state"] == "done", left
    return list(left["evaluation"]["values"])


async def breakpoints(desk: Desk) -> list[dict[str, Any]]:
    """Return the breakpoints that are listed."""
    return list((await desk.call("debugger.breakpoints.list"))["breakpoints"])
