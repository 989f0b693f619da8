"""`lisp.command = ["ecl"]`: the operations on an image that is no SBCL."""

from __future__ import annotations

from pathlib import Path

import pytest

from descartes_core import errors
from descartes_server.operations.settings import LispSettings, Settings
from descartes_server.operations.texts import path_of, uri_of
from support.desk import Desk, desk

__all__ = ["desk"]

pytestmark = pytest.mark.timeout(300)


async def test_the_operations(desk: Desk, workspace: Path) -> None:
    desk.context.services.settings = Settings(lisp=LispSettings(command=["ecl"]))
    status = await desk.call("lisp.start")
    assert (status["state"], status["implementation"]) == ("ready", "ECL")
    assert await desk.values("(+ 20 22)") == ["42"]
    file = workspace / "shapes.lisp"
    file.write_text("(defun side (x)\n  (* x 2))\n\n(defun note () ecl-missing)\n")
    compiled = await desk.call("lisp.compileFile", uri=uri_of(file))
    assert compiled["success"] and path_of(compiled["notes"][0]["uri"]) == file
    assert await desk.values("(side 4)") == ["8"]
    request = {"question": "completions", "prefix": "multiple-value-b", "package": "CL-USER", "limit": 5}
    (candidate,) = (await desk.call("lisp.question", request=request))["answer"]
    assert candidate["label"] == "multiple-value-bind"
    stopped = await desk.call("lisp.eval", code='(restart-case (error "no") (use-value (v) v))')
    (debugger,) = (await desk.call("debugger.list"))["debuggers"]
    assert debugger["condition"]["message"] == "no" and debugger["restarts"][0]["name"] == "USE-VALUE"
    with pytest.raises(errors.Unsupported, match="ECL's Swank has no"):
        await desk.call("debugger.returnFromFrame", **stopped["debugger"], frame=0, code="1")
    left = await desk.call("debugger.restart", **stopped["debugger"], name="USE-VALUE", arguments=["7"])
    assert left["evaluation"]["values"] == ["7"]
    assert (await desk.call("lisp.stop"))["state"] == "stopped"


async def test_what_needs_sbcl_says_so(desk: Desk, workspace: Path) -> None:
    await desk.call("lisp.start", implementation="ecl")
    file = workspace / "f.lisp"
    file.write_text("(defun f () 1)\n", encoding="utf-8")
    assert (await desk.call("lisp.loadFile", uri=uri_of(file)))["state"] == "done"
    for operation, params in (("drift", {"uri": uri_of(file)}), ("compare", {"other": "127.0.0.1:1"})):
        with pytest.raises(errors.Unsupported, match="SBCL"):
            await desk.call(f"lisp.{operation}", **params)


async def test_a_missing_program_is_one_sentence(desk: Desk) -> None:
    command = ["/no/such/folder/ecl"]
    desk.context.services.settings = Settings(lisp=LispSettings(command=command))
    with pytest.raises(errors.LispNotFound, match="names '/no/such/folder/ecl', which is no program"):
        await desk.call("lisp.start")
