"""Cross references through a real image, and through texts that it never saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from descartes_core import errors
from descartes_server.operations.texts import uri_of
from support.desk import Desk, desk

__all__ = ["desk"]

CODE = """(in-package :cl-user)
;; é😀€ area before
(defvar *unit* 1)
(defmacro square (x) `(* ,x ,x))
(defun area (w h) (* w h *unit*))
(defun twice (w) (list (area w w) #'area (square w)))
(defgeneric draw (x))
(defmethod draw ((x integer)) (area x x))
(defmethod draw :around ((x integer)) (let ((*unit* 2)) (call-next-method)))
(defun clear ()  (setf *unit* 0))
(defun local (area) (car area))
"""


@pytest.fixture
async def loaded(desk: Desk, workspace: Path) -> Desk:
    (workspace / "shapes.lisp").write_text(CODE)
    compiled = await desk.call("lisp.compileFile", uri=uri_of(workspace / "shapes.lisp"))
    assert compiled["success"], compiled["notes"]
    return desk


def shown(result: dict[str, Any], source: str | None = None) -> list[str]:
    """Return each location as `name line:column-column`."""
    lines = []
    for each in result["locations"]:
        if each["range"] and source in (None, each["source"]):
            start, end = each["range"]["start"], each["range"]["end"]
            lines.append(f"{each['name']} {start['line']}:{start['column']}-{end['column']}")
    return lines


async def test_callers_at_their_exact_places(loaded: Desk) -> None:
    found = await loaded.call("lisp.xref", symbol="area", kind="callers")
    assert sorted(shown(found, "image")) == [
        "common-lisp-user::draw (integer) 8:32-36",
        "common-lisp-user::twice 6:25-29",
        "common-lisp-user::twice 6:37-41",
    ]
    assert found["more"] == 0 and shown(found, "text") == []


@pytest.mark.parametrize(
    ("symbol", "kind", "places"),
    [
        ("*unit*", "references", ["area 5:26-32"]),
        ("*unit*", "sets", ["clear 10:24-30"]),
        ("*unit*", "binds", ["draw (:around integer) 9:46-52"]),
        ("square", "macroexpands", ["twice 6:43-49"]),
        ("square", "callers", ["twice 6:43-49"]),
        ("integer", "specializes", ["draw (integer) 8:12-16", "draw (:around integer) 9:12-16"]),
        ("twice", "callees", ["area 5:8-12"]),
        ("twice", "callers", []),
    ],
)
async def test_every_kind(loaded: Desk, symbol: str, kind: str, places: list[str]) -> None:
    found = await loaded.call("lisp.xref", symbol=symbol, kind=kind)
    lines = [each.replace("common-lisp-user::", "") for each in shown(found, "image")]
    assert all(place in lines for place in places), lines
    assert bool(lines) == bool(places)


async def test_callees_of_anything_do_not_err(loaded: Desk) -> None:
    for symbol in ("draw", "square", "car", "if", "when", "clear", "make-instance"):
        await loaded.call("lisp.xref", symbol=symbol, kind="callees")
    assert (await loaded.call("debugger.list"))["debuggers"] == []


async def test_what_was_never_loaded_is_found_in_its_text(loaded: Desk, workspace: Path) -> None:
    (workspace / "later.lisp").write_text("(defun later () (area 1 2) '(area) (local-area))\n")
    found = await loaded.call("lisp.xref", symbol="area", kind="callers")
    assert shown(found, "text") == ["later 1:18-22"]


async def test_without_an_image_the_texts_answer(desk: Desk, workspace: Path) -> None:
    (workspace / "shapes.lisp").write_text(CODE)
    found = await desk.call("lisp.xref", symbol="area")
    assert shown(found, "text") == ["twice 6:25-29", "twice 6:37-41", "draw 8:32-36"]
    with pytest.raises(errors.LispNotRunning):
        await desk.call("lisp.xref", symbol="area", kind="sets")


async def test_callers_of_car_are_capped(loaded: Desk) -> None:
    found = await loaded.call("lisp.xref", symbol="car", kind="callers", limit=20)
    assert len(found["locations"]) == 20 and found["more"] > 1000
    assert {each["name"] for each in found["locations"][:2]} == {
        "common-lisp-user::local",
        "common-lisp-user::square",
    }


@pytest.mark.parametrize("params", [{"kind": "friends"}, {"limit": 0}, {"kind": None}])
async def test_wrong_parameters(desk: Desk, params: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidParams):
        await desk.call("lisp.xref", symbol="car", **params)


async def test_an_unknown_symbol(loaded: Desk) -> None:
    with pytest.raises(errors.NotFound, match="twice"):
        await loaded.call("lisp.xref", symbol="twce")
