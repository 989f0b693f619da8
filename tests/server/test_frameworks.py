"""Parachute, rove and fiasco, without a package of them: run against stand-ins of what is used of them.

With `DESCARTES_TEST_FRAMEWORKS=/folder` the same tests run against the real ones and all they need, below
that folder; so they were, with parachute 1.5.0 (9a6679e), rove 0.10.0 (9868028) and fiasco (bb47d2f).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from descartes_server.operations.texts import uri_of
from support.desk import Desk, desk

__all__ = ["desk"]

FRAMEWORKS = os.environ.get(
    "DESCARTES_TEST_FRAMEWORKS", str(Path(__file__).resolve().parent.parent / "support" / "frameworks")
)
PARACHUTE = """(defpackage #:pt (:use #:cl #:parachute))
(in-package #:pt) (defvar *one* 1) (defvar cl-user::*exit-on-test-failures* t)
(define-test area (princ "hello") (is = 6 (* 2 3)) (true t))
(define-test wrong (is = 7 (* 2 3)) (is = 6 (* 2 3)) (false 5))
(define-test errs (is = 1 (car *one*)))
(define-test ends (car *one*))
(define-test part-ends (group (part) (true t) (car *one*)))
(define-test parent (princ "above"))
(define-test child :parent parent (is = 1 1))
(define-test (parent bad-child) (princ "below") (false t))
(define-test depends :depends-on (wrong) (true t))
(define-test not-now (skip "later" (true nil)))
(define-test partly (skip "later" (true nil)) (true t))
(define-test slow :description "Not at once." :time-limit -1 (true t))
(define-test "by string" (true t))
"""
ROVE = """(defpackage #:rt1 (:use #:cl #:rove))
(in-package #:rt1)
(defvar *one* 1)
(defvar *log* '())
(setup (push :setup *log*))
(teardown (push :teardown *log*))
(defhook :before (push :before *log*))
(deftest area (princ "hello") (diag ", noted") (ok (= 6 (* 2 3))))
(deftest wrong (testing "some" (ok (= 7 (* 2 3)) "seven") (ok t)) (ok (null 5)))
(deftest errs (ok (= 1 (car *one*))))
(deftest ends (car *one*))
(deftest skipped (skip "later"))
(deftest inside (testing "here" (skip "later")))
(deftest counted (plan 2) (ok t))
(deftest empty)
(defpackage #:rt2 (:use #:cl #:rove))
(in-package #:rt2)
(setup (error "no database"))
(deftest needs-it (ok t))
(deftest needs-it-too (ok t))
(defpackage #:rt3 (:use #:cl #:rove))
(in-package #:rt3)
(setf *default-env* '(("DESCARTES_RT3" . "for tests")))
(defvar *n* 0)
(defhook :before (incf *n*) (when (= 1 *n*) (error "too early")))
(defhook :after (incf *n* 10))
(teardown (error "still open"))
(deftest first-one (ok t))
(deftest env (ok (equal "for tests" (uiop:getenv "DESCARTES_RT3"))))
(deftest last-one (ok (= 23 *n*)))
"""


FIASCO = """(fiasco:define-test-package #:ft1 (:use #:cl))
(in-package #:ft1)
(defvar *one* 1)
(deftest area () (princ "hello") (is (= 6 (* 2 3))))
(deftest wrong () (is (= 7 (* 2 3))) (is (= 6 (* 2 3))) (is (null 5)))
(deftest errs () (is (= 1 (car *one*))))
(deftest misses () (signals error (list 1)) (finishes (list 2)))
(deftest skipped () (skip) (is nil))
(deftest of-number (n) (is (oddp n)))
(deftest caller () (of-number 1) (of-number 2))
(deftest optional (&optional (n 3)) (is (oddp n)))
(defsuite (inner :in fiasco-suites::ft1))
(deftest (within :in inner) () (is (= 1 1)))
"""


@pytest.fixture(autouse=True)
def frameworks(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ASDF find the frameworks, and give the workspace a system for each."""
    monkeypatch.setenv("CL_SOURCE_REGISTRY", f"{FRAMEWORKS}//:")
    (workspace / "tests.asd").write_text(
        '(defsystem "pt" :depends-on ("parachute") :components ((:file "pt")))\n'
        '(defsystem "rt1" :depends-on ("rove") :components ((:file "rt1")))\n'
        '(defsystem "ft1" :depends-on ("fiasco") :components ((:file "ft1"))\n'
        " :perform (test-op (o c) (symbol-call :fiasco :run-package-tests :package :ft1)))\n"
    )
    (workspace / "pt.lisp").write_text(PARACHUTE)
    (workspace / "rt1.lisp").write_text(ROVE)
    (workspace / "ft1.lisp").write_text(FIASCO)


def statuses(run: dict[str, Any]) -> dict[str, str]:
    return {each["name"].partition("::")[2]: each["status"] for each in run["results"]}


def message(run: dict[str, Any], name: str) -> str:
    (found,) = (each["message"] for each in run["results"] if each["name"].endswith(f"::{name}"))
    return str(found)


def outputs(run: dict[str, Any]) -> dict[str, str]:
    return {each["name"].partition("::")[2]: each["output"] for each in run["results"] if each["output"]}


async def test_parachute(desk: Desk, workspace: Path) -> None:
    run = await desk.call("lisp.testSystem", system="pt")
    assert run["framework"] == "parachute" and run["state"] == "done"
    assert statuses(run) == {
        "area": "passed",
        "wrong": "failed",
        "errs": "error",
        "ends": "error",
        "part-ends": "error",
        "parent": "failed",
        "child": "passed",
        "bad-child": "failed",
        "depends": "skipped",
        "not-now": "skipped",
        "partly": "passed",
        "slow": "failed",
        "|by string|": "passed",
    }
    first, second = message(run, "wrong").split("\n\n")
    assert "evaluated to" in first and "evaluated to" in second
    assert message(run, "errs").startswith("TYPE-ERROR: The value 1 is not of type LIST\n")
    assert {message(run, name) for name in ("ends", "part-ends")} == {
        "TYPE-ERROR: The value 1 is not of type LIST"
    }
    assert message(run, "parent") == "Failed below it: bad-child"
    assert "limit" in message(run, "slow") and message(run, "not-now") == "later"
    # What a test prints is its own, also when the one above it runs it.
    assert outputs(run) == {"area": "hello", "parent": "above", "bad-child": "below"}
    assert {each["location"]["range"]["start"]["line"] for each in run["results"]} == set(range(3, 16))
    some = await desk.call("lisp.testSystem", system="pt", only=["child", "by string"])
    assert statuses(some) == {"child": "passed", "|by string|": "passed"}
    one = await desk.call("lisp.runTest", uri=uri_of(workspace / "pt.lisp"), name="by string")
    assert statuses(one) == {"|by string|": "passed"}


async def test_parachute_debugged(desk: Desk) -> None:
    only = ["parent", "bad-child", "part-ends", "wrong", "area"]
    run = await desk.call("lisp.testSystem", system="pt", only=only, debug=True)
    assert run["state"] == "stopped" and "(* 2 3)" in run["condition"]["message"]
    stop = run["debugger"]
    # A failure stops where it is, and not again for the tests around it.
    for name, said in (("PASS", "(false 5)"), ("PASS", "not of type"), ("ABORT", "(false t)")):
        left = await desk.call("debugger.restart", **stop, name=name)
        assert said in left["debugger"]["condition"]["message"]
        stop = {key: left["debugger"][key] for key in ("thread", "level")}
    left = await desk.call("debugger.restart", **stop, name="ABORT")
    assert left["evaluation"]["state"] == "done"
    results = {"results": (await desk.call("lisp.testResults", system="pt"))["results"]}
    assert statuses(results) == {
        "part-ends": "error",
        "parent": "failed",
        "bad-child": "failed",
        "wrong": "passed",
        "area": "passed",
    }
    assert "TYPE-ERROR" in message(results, "part-ends")


async def test_rove(desk: Desk) -> None:
    run = await desk.call("lisp.testSystem", system="rt1")
    assert run["framework"] == "rove" and run["state"] == "done"
    assert statuses(run) == {
        "area": "passed",
        "wrong": "failed",
        "errs": "error",
        "ends": "error",
        "skipped": "skipped",
        "inside": "skipped",
        "counted": "failed",
        "empty": "passed",
        "needs-it": "error",
        "needs-it-too": "error",
        "first-one": "error",
        "env": "passed",
        "last-one": "error",
    }
    assert message(run, "wrong").startswith("some › seven\n") and "(NULL 5)" in message(run, "wrong")
    assert "LIST" in message(run, "errs") and "LIST" in message(run, "ends")
    assert {message(run, name) for name in ("skipped", "inside")} == {"later"}
    assert message(run, "counted") == "It ran 1 check, which is not the number that it planned"
    assert outputs(run) == {"area": "hello, noted"}
    log = await desk.values("(list (first rt1::*log*) (count :before rt1::*log*) (last rt1::*log*))")
    assert log == ["(:TEARDOWN 8 (:SETUP))"]
    # What comes before the tests of a package befalls all of them, what comes after them the last.
    for name in ("needs-it", "needs-it-too"):
        assert message(run, name) == "Setup of rt2: SIMPLE-ERROR: no database"
    assert message(run, "first-one") == "SIMPLE-ERROR: too early"
    assert message(run, "last-one") == "Teardown of rt3: SIMPLE-ERROR: still open"
    assert await desk.values("rt3::*n*") == ["33"]


async def test_rove_in_a_system_whose_files_are_systems(desk: Desk, workspace: Path) -> None:
    (workspace / "inf.asd").write_text(
        '(defsystem "inf" :class :package-inferred-system :depends-on ("inf/main")\n'
        '  :in-order-to ((test-op (test-op "inf/t"))))\n'
        '(defsystem "inf/t" :class :package-inferred-system :depends-on ("inf/t/one" "inf/t/two"))\n'
    )
    (workspace / "main.lisp").write_text(
        "(defpackage #:inf/main (:use #:cl) (:export #:twice))\n"
        "(in-package #:inf/main)\n(defun twice (x) (* 2 x))\n"
    )
    (workspace / "t").mkdir()
    for name in ("one", "two"):
        (workspace / "t" / f"{name}.lisp").write_text(
            f"(defpackage #:inf/t/{name} (:use #:cl #:rove #:inf/main))\n"
            f"(in-package #:inf/t/{name})\n(deftest good (ok (= 4 (twice 2))))\n"
        )
    run = await desk.call("lisp.testSystem", system="inf")
    places = {(each["name"], each["status"], each["location"]["uri"]) for each in run["results"]}
    assert places == {
        (f"inf/t/{name}::good", "passed", uri_of(workspace / "t" / f"{name}.lisp")) for name in ("one", "two")
    }
    (workspace / "main.lisp").write_text(
        (workspace / "main.lisp").read_text().replace("(* 2 x)", "(* 3 x)"), encoding="utf-8"
    )
    again = await desk.call("lisp.testSystem", system="inf/t")
    assert again["counts"]["failed"] == 2


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


async def test_fiasco(desk: Desk, workspace: Path) -> None:
    run = await desk.call("lisp.testSystem", system="ft1")
    assert (run["framework"], run["state"], run["success"]) == ("fiasco", "done", False)
    assert statuses(run) == {
        "area": "passed",
        "wrong": "failed",
        "errs": "error",
        "misses": "failed",
        "skipped": "skipped",
        "of-number": "skipped",
        "caller": "failed",
        "optional": "passed",
        "within": "passed",
    }
    said = message(run, "wrong")
    assert 0 <= said.find("7") < said.find("(NULL 5)")
    assert message(run, "errs") == "TYPE-ERROR: The value 1 is not of type LIST"
    assert "failed to signal a condition of type ERROR" in message(run, "misses")
    assert "ODDP" in message(run, "caller") and "arguments" in message(run, "of-number")
    assert outputs(run) == {"area": "hello"}
    assert [each["location"]["range"]["start"]["line"] for each in run["results"]] == [*range(4, 12), 13]
    one = await desk.call("lisp.runTest", uri=uri_of(workspace / "ft1.lisp"), name="within")
    assert statuses(one) == {"within": "passed"}


async def test_fiasco_debugged(desk: Desk) -> None:
    only = ["wrong", "errs", "area"]
    run = await desk.call("lisp.testSystem", system="ft1", only=only, debug=True)
    assert run["state"] == "stopped" and "7" in run["condition"]["message"]
    second = await desk.call("debugger.restart", **run["debugger"], name="CONTINUE")
    assert "(NULL 5)" in second["debugger"]["condition"]["message"]
    stop = {key: second["debugger"][key] for key in ("thread", "level")}
    third = await desk.call("debugger.restart", **stop, name="CONTINUE")
    assert third["debugger"]["condition"]["type"].endswith("TYPE-ERROR")
    left = await desk.call("debugger.restart", **stop, name="NEXT-TEST")
    assert left["evaluation"]["state"] == "done"
    results = (await desk.call("lisp.testResults", system="ft1"))["results"]
    assert statuses({"results": results}) == {"wrong": "failed", "errs": "error", "area": "passed"}
