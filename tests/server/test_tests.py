"""Tests of systems: found in the text, run by their framework in a real image, debugged, cancelled."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from descartes_core import errors
from descartes_server.operations.texts import uri_of
from support.desk import Desk, desk
from support.until import until

__all__ = ["desk"]

SYSTEMS = """(defsystem "shapes" :components ((:file "shapes"))
  :in-order-to ((test-op (test-op "shapes/tests"))))
(defsystem "shapes/tests" :depends-on ("shapes" "fiveam")
  :components ((:module "t" :components ((:file "tests")))))
"""
SOURCE = "(defpackage #:shapes (:use #:cl))\n(in-package #:shapes)\n(defun area (w h) (* w h))\n"
TESTS = """;; é😀
(defpackage #:shapes/tests (:use #:cl #:fiveam))
(in-package #:shapes/tests)
(def-suite shapes)
(in-suite shapes)
(test passes "Good." (princ "printed by it") (is (= 6 (shapes::area 2 3))))
(test fails (is (= 7 (shapes::area 2 3))) (is (= 6 (shapes::area 2 3))))
(test errs (is (= 1 (car 1))))
(test skips (skip "not today"))
(def-test |Mixed| (:suite shapes) (is-true t))
(test (depends :depends-on fails) (is-true t))
"""


@pytest.fixture
def tested(workspace: Path) -> Path:
    """Return the file of the tests of a workspace that has some."""
    (workspace / "t").mkdir()
    (workspace / "shapes.asd").write_text(SYSTEMS)
    (workspace / "shapes.lisp").write_text(SOURCE)
    file = workspace / "t" / "tests.lisp"
    file.write_text(TESTS, encoding="utf-8")
    return file


def by_name(run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"].partition("::")[2]: each for each in run["results"]}


def line_of(file: Path, what: str) -> int:
    return next(n for n, line in enumerate(file.read_text().splitlines(), 1) if what in line)


async def test_tests_are_found_in_the_text_without_an_image(desk: Desk, tested: Path) -> None:
    for params in ({}, {"system": "shapes"}, {"system": "shapes/tests"}, {"uri": uri_of(tested)}):
        found = (await desk.call("lisp.tests", **params))["tests"]
        names = [each["name"].partition("::")[2] for each in found]
        assert names == ["passes", "fails", "errs", "skips", "|Mixed|", "depends"]
        assert {(each["framework"], each["system"], each["suite"]) for each in found} == {
            ("fiveam", "shapes/tests", "shapes")
        }
        assert found[1]["range"]["start"] == {"line": line_of(tested, "(test fails"), "column": 1}
    text = TESTS.replace("(test errs", "(test renamed")
    document = {"version": 2, "text": text}
    unsaved = (await desk.call("lisp.tests", uri=uri_of(tested), document=document))["tests"]
    assert unsaved[2]["name"] == "shapes/tests::renamed"
    with pytest.raises(errors.NotFound):
        await desk.call("lisp.tests", system="nosuch")
    with pytest.raises(errors.NotFound):
        await desk.call("lisp.tests", uri=uri_of(tested.parent / "absent.lisp"))


async def test_each_test_has_a_result(desk: Desk, tested: Path) -> None:
    run = await desk.call("lisp.testSystem", system="shapes")
    assert (run["framework"], run["state"], run["success"]) == ("fiveam", "done", False)
    assert run["counts"] == {"passed": 2, "failed": 1, "error": 1, "skipped": 2, "unknown": 0}
    results = by_name(run)
    assert {name: each["status"] for name, each in results.items()} == {
        "passes": "passed",
        "fails": "failed",
        "errs": "error",
        "skips": "skipped",
        "|Mixed|": "passed",
        "depends": "skipped",
    }
    assert results["fails"]["message"] == "(SHAPES::AREA 2 3) evaluated to 6 which is not = to 7"
    assert "TYPE-ERROR" in results["errs"]["message"]
    assert results["skips"]["message"] == "not today"
    assert results["passes"]["output"] == "printed by it" and results["fails"]["output"] is None
    place = results["fails"]["location"]
    assert place["uri"] == uri_of(tested)
    assert place["range"]["start"] == {"line": line_of(tested, "(test fails"), "column": 1}
    await until(lambda: bool(told(desk)) and told(desk)[-1]["state"] == "done", "the run was told")
    assert sum(len(each["results"]) for each in told(desk)) == 6
    assert told(desk)[-1]["counts"] == run["counts"]
    remembered = (await desk.call("lisp.testResults", uri=uri_of(tested)))["results"]
    assert remembered == run["results"]
    assert (await desk.call("lisp.testResults", system="shapes"))["results"] == remembered
    (event,) = await desk.events("lisp.tested")
    assert event.data["code"] == '(asdf:test-system "shapes")'


async def test_only_the_named_tests_run(desk: Desk, tested: Path) -> None:
    run = await desk.call("lisp.testSystem", system="shapes", only=["shapes/tests::fails", "|Mixed|"])
    assert [each["name"] for each in run["results"]] == ["shapes/tests::fails", "shapes/tests::|Mixed|"]
    with pytest.raises(errors.InvalidParams, match="it has shapes/tests::passes"):
        await desk.call("lisp.testSystem", system="shapes", only=["nosuch"])
    tested.write_text(TESTS.replace("(= 7", "(= 6"), encoding="utf-8")
    again = await desk.call("lisp.testSystem", system="shapes", only=["fails"])
    assert again["success"] and again["counts"]["passed"] == 1
    statuses = by_name({"results": (await desk.call("lisp.testResults"))["results"]})
    assert statuses["fails"]["status"] == "passed"


async def test_a_failing_test_is_debugged(desk: Desk, tested: Path) -> None:
    run = await desk.call("lisp.testSystem", system="shapes", only=["fails", "|Mixed|"], debug=True)
    assert run["state"] == "stopped" and run["condition"]["type"].endswith("CHECK-FAILURE")
    (debugger,) = (await desk.call("debugger.list"))["debuggers"]
    names = [each["name"] for each in debugger["restarts"]]
    assert {"IGNORE-FAILURE", "RETRY-TEST", "NEXT-TEST"} <= set(names)
    # Put right meanwhile, the test is run again and passes.
    await desk.call("lisp.eval", code="(defun shapes::area (w h) (1+ (* w h)))")
    await desk.call("debugger.restart", **run["debugger"], name="RETRY-TEST")
    # Its second check fails now, and is left as a failure.
    (debugger,) = (await desk.call("debugger.list"))["debuggers"]
    stop = {"thread": debugger["thread"], "level": debugger["level"]}
    left = await desk.call("debugger.restart", **stop, name="NEXT-TEST")
    assert left["evaluation"]["state"] == "done"
    await until(lambda: bool(told(desk)) and told(desk)[-1]["state"] == "done", "the run was told")
    results = by_name({"results": (await desk.call("lisp.testResults"))["results"]})
    assert {name: each["status"] for name, each in results.items()} == {"fails": "error", "|Mixed|": "passed"}


def told(desk: Desk) -> list[Any]:
    return [params for method, params in desk.published if method == "descartes/lisp/tested"]


LOOPING = (
    TESTS
    + """
(test loops (princ "looping") (finish-output) (loop (sleep 0.01)))
(test after (is-true t))
"""
)


async def test_a_test_that_never_ends_is_interrupted_or_cancelled(desk: Desk, tested: Path) -> None:
    tested.write_text(LOOPING, encoding="utf-8")
    evaluations = desk.context.services.image.evaluations
    running = asyncio.ensure_future(desk.call("lisp.testSystem", system="shapes", only=["loops", "after"]))
    await until(lambda: desk.printed("looping") == 1, "the test runs")
    await desk.call("lisp.interrupt")
    run = await asyncio.wait_for(running, 60)
    assert run["state"] == "stopped" and run["condition"]["type"].lower().endswith("interrupt")
    left = await desk.call("debugger.restart", **run["debugger"], name="NEXT-TEST")
    assert left["evaluation"]["state"] == "done"
    results = by_name({"results": (await desk.call("lisp.testResults"))["results"]})
    assert {name: each["status"] for name, each in results.items()} == {"loops": "error", "after": "passed"}
    cancelled = asyncio.ensure_future(desk.call("lisp.testSystem", system="shapes", only=["loops"]))
    await until(lambda: desk.printed("looping") == 2, "the test runs again")
    cancelled.cancel()
    await until(lambda: evaluations.newest_running("editor") is None, "it was ended")
    assert (await desk.call("debugger.list"))["debuggers"] == []
    assert await desk.values("(+ 1 1)") == ["2"]


async def test_what_cannot_be_loaded_is_not_tested(desk: Desk, tested: Path, workspace: Path) -> None:
    (workspace / "shapes.lisp").write_text(SOURCE + "(defun bad () (car 1 2))\n")
    run = await desk.call("lisp.testSystem", system="shapes")
    assert (run["success"], run["results"]) == (False, [])
    assert run["notes"][0]["range"]["start"]["line"] == 4 and run["message"]
    with pytest.raises(errors.NotFound):
        await desk.call("lisp.testSystem", system="nosuch")
    (workspace / "shapes.asd").write_text(SYSTEMS.replace('"fiveam"', '"no-such-framework"'))
    with pytest.raises(errors.NotFound, match="'no-such-framework', which 'shapes/tests' needs"):
        await desk.call("lisp.testSystem", system="shapes")


async def test_one_test_runs_as_its_text_is(desk: Desk, tested: Path) -> None:
    uri = uri_of(tested)
    line = line_of(tested, "(test fails")
    run = await desk.call("lisp.runTest", uri=uri, position={"line": line, "column": 3})
    assert by_name(run)["fails"]["status"] == "failed" and run["system"] == "shapes/tests"
    document = {"version": 2, "text": TESTS.replace("(= 7", "(= 6")}
    fixed = await desk.call("lisp.runTest", uri=uri, name="fails", document=document)
    assert by_name(fixed)["fails"]["status"] == "passed"
    new = {"version": 3, "text": TESTS + "(test brand-new (is-false t))\n"}
    added = await desk.call("lisp.runTest", uri=uri, name="shapes/tests::brand-new", document=new)
    assert by_name(added)["brand-new"]["status"] == "failed"
    stopped = await desk.call("lisp.runTest", uri=uri, name="errs", debug=True)
    assert stopped["state"] == "stopped" and "TYPE-ERROR" in stopped["condition"]["type"]
    await desk.call("debugger.toplevel", **stopped["debugger"])
    with pytest.raises(errors.NotFound, match="line 1"):
        await desk.call("lisp.runTest", uri=uri, position={"line": 1, "column": 1})
    with pytest.raises(errors.NotFound, match="none named"):
        await desk.call("lisp.runTest", uri=uri, name="nosuch")
    with pytest.raises(errors.InvalidParams, match="position"):
        await desk.call("lisp.runTest", uri=uri)


@pytest.mark.parametrize(
    ("perform", "status", "message"),
    [
        ("(princ :fine)", "passed", "without an error"),
        ('(error "bad luck")', "error", "bad luck"),
        ("(uiop:quit 3)", "failed", "code 3"),
        ("(sb-ext:exit :code 0)", "passed", "without an error"),
    ],
)
async def test_a_system_without_a_known_framework_has_one_result(
    desk: Desk, workspace: Path, perform: str, status: str, message: str
) -> None:
    (workspace / "plain.asd").write_text(f'(defsystem "plain" :perform (test-op (o c) {perform}))')
    run = await desk.call("lisp.testSystem", system="plain")
    (result,) = run["results"]
    assert (run["framework"], result["name"], result["status"]) == ("asdf", "plain", status)
    assert message in result["message"]
    assert run["success"] == (status == "passed")
    assert await desk.values("(+ 1 1)") == ["2"]


async def test_a_framework_that_signals_nothing_proves_nothing(desk: Desk, workspace: Path) -> None:
    (workspace / "prove.asd").write_text('(defsystem "prove")')
    (workspace / "quiet.asd").write_text(
        '(defsystem "quiet" :in-order-to ((test-op (test-op "quiet/tests"))))\n'
        '(defsystem "quiet/tests" :depends-on ("quiet" "prove")\n'
        ' :perform (test-op (o c) (princ "1 failed")))\n'
    )
    run = await desk.call("lisp.testSystem", system="quiet")
    (result,) = run["results"]
    assert (result["status"], result["output"]) == ("unknown", "1 failed")
    assert "prove" in result["message"]
    assert not run["success"] and run["counts"]["unknown"] == 1


async def test_the_tests_of_rt_are_asked_of_it(desk: Desk, workspace: Path) -> None:
    (workspace / "old.asd").write_text(
        '(defsystem "old" :depends-on ("sb-rt") :components ((:file "old"))\n'
        " :perform (test-op (o c) (symbol-call :sb-rt :do-tests)))\n"
    )
    good = "(sb-rt:deftest good (+ 1 1) 2)\n"
    for text, status in ((good, "passed"), (good + "(sb-rt:deftest wrong (+ 1 1) 3)\n", "failed")):
        (workspace / "old.lisp").write_text(text)
        run = await desk.call("lisp.testSystem", system="old")
        (result,) = run["results"]
        assert (result["status"], run["success"]) == (status, status == "passed"), result
    assert "wrong" in result["message"] and "good" not in result["message"]
