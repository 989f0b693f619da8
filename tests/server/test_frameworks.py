"""Parachute and rove, which Debian has not got: run against stand-ins of what is used of them.

With `DESCARTES_TEST_FRAMEWORKS=/folder` the same tests run against the real ones and all they need, below
that folder; so they were, with parachute 1.5.0 and rove 0.10.0.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from support.desk import Desk, desk

__all__ = ["desk"]

FRAMEWORKS = os.environ.get(
    "DESCARTES_TEST_FRAMEWORKS", str(Path(__file__).resolve().parent.parent / "support" / "frameworks")
)
PARACHUTE = """(defpackage #:pt (:use #:cl #:parachute))
(in-package #:pt)
(defvar *one* 1)
(define-test area (princ "hello") (is = 6 (* 2 3)) (true t))
(define-test wrong (is = 7 (* 2 3)) (is = 6 (* 2 3)))
(define-test errs (is = 1 (car *one*)))
(define-test ends (car *one*))
(define-test parent)
(define-test child :parent parent (is = 1 1))
(define-test (parent bad-child) (false t))
(define-test depends :depends-on (wrong) (true t))
(define-test "by string" (true t))
"""
ROVE = """(defpackage #:rt1 (:use #:cl #:rove))
(in-package #:rt1)
(defvar *one* 1)
(defvar *log* '())
(setup (push :setup *log*))
(teardown (push :teardown *log*))
(defhook :before (push :before *log*))
(deftest area (princ "hello") (ok (= 6 (* 2 3))))
(deftest wrong (testing "some" (ok (= 7 (* 2 3)) "seven") (ok t)) (ok (null 5)))
(deftest errs (ok (= 1 (car *one*))))
(deftest ends (car *one*))
(deftest skipped (skip "later"))
(deftest empty)
"""


@pytest.fixture(autouse=True)
def frameworks(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ASDF find the frameworks, and give the workspace a system for each."""
    monkeypatch.setenv("CL_SOURCE_REGISTRY", f"{FRAMEWORKS}//:")
    (workspace / "tests.asd").write_text(
        '(defsystem "pt" :depends-on ("parachute") :components ((:file "pt")))\n'
        '(defsystem "rt1" :depends-on ("rove") :components ((:file "rt1")))\n'
    )
    (workspace / "pt.lisp").write_text(PARACHUTE)
    (workspace / "rt1.lisp").write_text(ROVE)


def statuses(run: dict[str, Any]) -> dict[str, str]:
    return {each["name"].partition("::")[2]: each["status"] for each in run["results"]}


def message(run: dict[str, Any], name: str) -> str:
    (found,) = (each["message"] for each in run["results"] if each["name"].endswith(f"::{name}"))
    return str(found)


async def test_parachute(desk: Desk) -> None:
    run = await desk.call("lisp.testSystem", system="pt")
    assert run["framework"] == "parachute" and run["state"] == "done"
    assert statuses(run) == {
        "area": "passed",
        "wrong": "failed",
        "errs": "error",
        "ends": "error",
        "parent": "failed",
        "child": "passed",
        "bad-child": "failed",
        "depends": "skipped",
        "|by string|": "passed",
    }
    assert "evaluated to" in message(run, "wrong")
    assert "LIST" in message(run, "errs") and "LIST" in message(run, "ends")
    assert [each["output"] for each in run["results"] if each["name"] == "pt::area"] == ["hello"]
    assert {each["location"]["range"]["start"]["line"] for each in run["results"]} == set(range(4, 13))
    some = await desk.call("lisp.testSystem", system="pt", only=["child", "by string"])
    assert statuses(some) == {"child": "passed", "|by string|": "passed"}


async def test_parachute_debugged(desk: Desk) -> None:
    run = await desk.call("lisp.testSystem", system="pt", only=["wrong", "area"], debug=True)
    assert run["state"] == "stopped" and "failed" in run["condition"]["message"]
    left = await desk.call("debugger.restart", **run["debugger"], name="PASS")
    assert left["evaluation"]["state"] == "done"
    results = (await desk.call("lisp.testResults", system="pt"))["results"]
    assert statuses({"results": results}) == {"wrong": "passed", "area": "passed"}


async def test_rove(desk: Desk) -> None:
    run = await desk.call("lisp.testSystem", system="rt1")
    assert run["framework"] == "rove" and run["state"] == "done"
    assert statuses(run) == {
        "area": "passed",
        "wrong": "failed",
        "errs": "error",
        "ends": "error",
        "skipped": "skipped",
        "empty": "passed",
    }
    assert "seven" in message(run, "wrong") and "(NULL 5)" in message(run, "wrong")
    assert "LIST" in message(run, "errs") and "LIST" in message(run, "ends")
    assert message(run, "skipped") == "later"
    assert await desk.values("(reverse rt1::*log*)") == [f"(:SETUP{' :BEFORE' * 6} :TEARDOWN)"]


async def test_rove_debugged(desk: Desk) -> None:
    run = await desk.call("lisp.testSystem", system="rt1", only=["wrong", "errs", "area"], debug=True)
    assert run["state"] == "stopped" and "seven" in run["condition"]["message"]
    second = await desk.call("debugger.restart", **run["debugger"], name="CONTINUE")
    assert "(NULL 5)" in second["debugger"]["condition"]["message"]
    stop = {key: second["debugger"][key] for key in ("thread", "level")}
    third = await desk.call("debugger.restart", **stop, name="CONTINUE")
    assert third["debugger"]["condition"]["type"].endswith("TYPE-ERROR")
    left = await desk.call("debugger.restart", **stop, name="NEXT-TEST")
    assert left["evaluation"]["state"] == "done"
    results = (await desk.call("lisp.testResults", system="rt1"))["results"]
    assert statuses({"results": results}) == {"wrong": "failed", "errs": "error", "area": "passed"}
