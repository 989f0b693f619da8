"""Looking around in a real image: threads, descriptions, expansions, traces, what is taken away."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from descartes_core import errors
from descartes_server.operations.texts import uri_of
from support.desk import Desk, desk

__all__ = ["desk"]


async def value(desk: Desk, code: str, **params: Any) -> str:
    """Return the first value of CODE, which must neither err nor stop."""
    result = await desk.call("lisp.eval", code=code, **params)
    assert result["state"] == "done", result
    return str(result["values"][0])


class TestNames:
    async def test_a_symbol_is_described_in_the_package_of_its_file(
        self, desk: Desk, workspace: Path
    ) -> None:
        await value(desk, '(defpackage :zoo (:use :cl)) (defun zoo::lion (x) "Roars." x)')
        file = workspace / "zoo.lisp"
        file.write_text("(in-package #:zoo)\n(lion 1)\n")
        place = {"uri": uri_of(file), "position": {"line": 2, "column": 2}}
        assert "Roars." in (await desk.call("lisp.describe", symbol="lion", **place))["text"]
        assert "Roars." in (await desk.call("lisp.describe", symbol="zoo::lion"))["text"]
        assert "RET" in (await desk.call("lisp.disassemble", symbol="lion", **place))["text"]
        found = await desk.call("lisp.apropos", text="LIO", package="zoo")
        assert found["symbols"][0] | {"arglist": "(lion x)"} == found["symbols"][0]

    async def test_an_unknown_symbol_is_named_with_near_ones_and_never_interned(self, desk: Desk) -> None:
        await value(desk, "1")
        for operation in ("describe", "disassemble", "trace", "undefine", "unintern"):
            with pytest.raises(errors.NotFound, match="mapcar"):
                await desk.call(f"lisp.{operation}", symbol="mapcra")
        assert await value(desk, '(find-symbol "MAPCRA")') == "NIL"

    @pytest.mark.parametrize(
        ("operation", "symbol"),
        [
            ("disassemble", "if"),
            ("trace", "when"),
            ("trace", "mapcar"),
            ("undefine", "car"),
            ("undefine", "pi"),
            ("unintern", "cl-user::car"),
            ("unintern", "cl:car"),
        ],
    )
    async def test_what_cannot_be_done_is_refused_with_the_reason(
        self, desk: Desk, operation: str, symbol: str
    ) -> None:
        await value(desk, "1")
        with pytest.raises(errors.InvalidParams):
            await desk.call(f"lisp.{operation}", symbol=symbol)

    @pytest.mark.parametrize("symbol", ["", "(", "a:b:c", "nowhere:x", "|open", "é😀€", "(car)"])
    async def test_what_is_no_symbol_is_not_found(self, desk: Desk, symbol: str) -> None:
        await value(desk, "1")
        with pytest.raises(errors.NotFound):
            await desk.call("lisp.describe", symbol=symbol)

    async def test_definitions_and_symbols_are_taken_away(self, desk: Desk) -> None:
        await value(desk, "(progn (defvar twice 1) (defun twice (x) (* 2 x)) (defclass gone () ()))")
        with pytest.raises(errors.InvalidParams, match="function"):
            await desk.call("lisp.undefine", symbol="twice")
        assert (await desk.call("lisp.undefine", symbol="twice", kind="function"))["kind"] == "function"
        assert await value(desk, "(list (fboundp 'twice) twice)") == "(NIL 1)"
        assert (await desk.call("lisp.undefine", symbol="gone"))["kind"] == "class"
        with pytest.raises(errors.NotFound, match="nothing"):
            await desk.call("lisp.undefine", symbol="gone")
        removed = await desk.call("lisp.unintern", symbol="gone")
        assert removed == {"name": "common-lisp-user::gone", "kind": None, "package": "COMMON-LISP-USER"}
        assert await value(desk, '(find-symbol "GONE")') == "NIL"

    async def test_without_an_image_the_sentence_says_so(self, desk: Desk) -> None:
        with pytest.raises(errors.LispNotRunning, match=r"lisp\.start"):
            await desk.call("lisp.describe", symbol="car")


class TestExpanding:
    async def test_step_by_step_and_wholly(self, desk: Desk) -> None:
        await value(desk, "(defmacro twice (x) `(when ,x (progn ,x ,x)))")
        once = await desk.call("lisp.macroexpand", code="(twice (f))")
        assert once["text"] == "(when (f) (progn (f) (f)))" and once["expanded"]
        again = await desk.call("lisp.macroexpand", code=once["text"])
        assert again["text"].startswith("(if (f)")
        wholly = await desk.call("lisp.macroexpand", code="(twice (twice 1))", mode="all")
        assert "twice" not in wholly["text"] and "when" not in wholly["text"]
        assert not (await desk.call("lisp.macroexpand", code="(car x)"))["expanded"]

    async def test_a_form_in_a_file_with_the_macros_that_are_local_there(
        self, desk: Desk, workspace: Path
    ) -> None:
        text = (
            "(defun f (x)\n  (macrolet ((m (y) `(list ,y ,y)))\n    (flet ((when (a) a))\n"
            "      (symbol-macrolet ((s 7))\n        (m é😀)\n        (when x))\n      (m 2))))\n"
        )
        file = workspace / "local.lisp"
        file.write_text(text)
        at = {"uri": uri_of(file), "position": {"line": 5, "column": 9}}
        found = await desk.call("lisp.macroexpand", **at)
        assert found["text"] == "(list é😀 é😀)"
        assert found["range"] == {"start": {"line": 5, "column": 9}, "end": {"line": 5, "column": 15}}
        local = await desk.call("lisp.macroexpand", **(at | {"position": {"line": 6, "column": 10}}))
        assert not local["expanded"]
        nothing = await desk.call("lisp.macroexpand", code="(m 2)")
        assert not nothing["expanded"]

    async def test_a_compiler_macro(self, desk: Desk) -> None:
        await value(desk, "(progn (defun sq (x) (* x x)) (define-compiler-macro sq (x) `(expt ,x 2)))")
        found = await desk.call("lisp.macroexpand", code="(sq 3)", mode="compiler")
        assert found["text"] == "(expt 3 2)" and found["expanded"]

    @pytest.mark.parametrize("code", ["(", ")", "1 2", "(a . )", "", "#<x>"])
    async def test_what_is_not_one_form(self, desk: Desk, code: str) -> None:
        with pytest.raises(errors.InvalidParams) as refused:
            await desk.call("lisp.macroexpand", code=code)
        assert "\n" not in refused.value.message

    async def test_a_macro_that_errs_or_does_not_end(self, desk: Desk) -> None:
        await value(desk, '(defmacro bad () (error "No such luck."))')
        with pytest.raises(errors.DescartesError, match="No such luck"):
            await desk.call("lisp.macroexpand", code="(bad)")
        await value(desk, "(defmacro endless () (loop))")
        asked = asyncio.create_task(desk.call("lisp.macroexpand", code="(endless)"))
        await value(desk, "1")
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        assert (await desk.call("debugger.list"))["debuggers"] == []
        # The one that did not end holds up no other.
        assert (await desk.call("lisp.macroexpand", code="(when a b)"))["expanded"]

    @pytest.mark.parametrize(
        "params",
        [{}, {"code": "1", "uri": "file:///x.lisp"}, {"uri": "file:///x.lisp"}, {"code": "1", "mode": "2"}],
    )
    async def test_wrong_parameters(self, desk: Desk, params: dict[str, Any]) -> None:
        with pytest.raises(errors.InvalidParams):
            await desk.call("lisp.macroexpand", **params)


class TestThreads:
    async def test_a_thread_is_listed_with_its_evaluation_and_killed(self, desk: Desk) -> None:
        stopped = await desk.call("lisp.eval", code='(error "here")')
        threads = (await desk.call("lisp.threads"))["threads"]
        (one,) = [each for each in threads if each["evaluation"] == stopped["id"]]
        assert (one["id"], one["state"], one["service"]) == (stopped["debugger"]["thread"], "stopped", False)
        assert (await desk.call("lisp.killThread", thread=one["id"]))["ended"]
        assert (await desk.call("lisp.evaluation", id=stopped["id"], waitMs=60_000))["state"] == "aborted"
        assert (await desk.call("debugger.list"))["debuggers"] == []
        with pytest.raises(errors.NotFound):
            await desk.call("lisp.killThread", thread=one["id"])

    async def test_a_thread_of_the_user_is_killed(self, desk: Desk) -> None:
        code = (
            "(progn (defvar *go* (sb-thread:make-semaphore))"
            ' (sb-thread:make-thread (lambda () (sb-thread:wait-on-semaphore *go*)) :name "mine") 1)'
        )
        await value(desk, code)
        (mine,) = [each for each in (await desk.call("lisp.threads"))["threads"] if each["name"] == "mine"]
        assert not mine["service"] and (await desk.call("lisp.killThread", thread=mine["id"]))["ended"]

    async def test_threads_that_serve_everybody_are_refused(self, desk: Desk) -> None:
        await value(desk, "1")
        serving = [each for each in (await desk.call("lisp.threads"))["threads"] if each["service"]]
        assert len(serving) > 3
        for each in serving:
            with pytest.raises(errors.InvalidParams, match="serves everybody"):
                await desk.call("lisp.killThread", thread=each["id"])
        assert await value(desk, "2") == "2"


class TestTracing:
    async def test_calls_become_a_tree(self, desk: Desk) -> None:
        await value(desk, "(defun fact (n) (if (< n 2) 1 (* n (fact (1- n)))))")
        assert (await desk.call("lisp.trace", symbol="fact"))["traced"] == ["common-lisp-user::fact"]
        ran = await desk.call("lisp.eval", code="(fact 3)")
        await value(desk, "(fact 1)")
        tree = await desk.call("lisp.traceTree", evaluation=ran["id"])
        (outer,) = tree["calls"]
        assert outer["arguments"] == ["3"] and outer["values"] == ["6"] and outer["exit"] == "normal"
        assert outer["calls"][0]["calls"][0]["form"] == "(fact 1)"
        assert outer["durationMs"] >= outer["calls"][0]["durationMs"] > 0
        everything = await desk.call("lisp.traceTree")
        assert [call["arguments"] for call in everything["calls"]] == [["3"], ["1"]]
        newer = await desk.call("lisp.traceTree", since=outer["id"] + 2)
        assert len(newer["calls"]) == 1
        assert (await desk.call("lisp.trace", symbol="fact"))["traced"] == []
        await value(desk, "(fact 3)")
        assert len((await desk.call("lisp.traceTree"))["calls"]) == 2
        assert (await desk.call("lisp.untraceAll", forget=True))["traced"] == []
        assert (await desk.call("lisp.traceTree"))["calls"] == []

    async def test_nonlocal_exits_running_calls_methods_and_setf(self, desk: Desk) -> None:
        await value(
            desk,
            '(progn (defun out () (throw :out 1)) (defun stay () (error "stay"))'
            " (defgeneric area (x)) (defmethod area ((x integer)) (values x (* x x)))"
            " (defvar *b* 0) (defun (setf b) (v) (setf *b* v)))",
        )
        for name in ("out", "stay", "area", "(setf b)"):
            traced = (await desk.call("lisp.trace", symbol=name))["traced"]
        assert "(setf common-lisp-user::b)" in traced
        await value(desk, "(progn (catch :out (out)) (area 3) (setf (b) 4))")
        stopped = await desk.call("lisp.eval", code="(stay)")
        calls = (await desk.call("lisp.traceTree"))["calls"]
        assert [(call["name"].rpartition(":")[2], call["exit"], call["values"]) for call in calls] == [
            ("out", "nonlocal", []),
            ("area", "normal", ["3", "9"]),
            ("b)", "normal", ["4"]),
            ("stay", "running", []),
        ]
        await desk.call("debugger.abort", **stopped["debugger"])
        assert (await desk.call("lisp.traceTree"))["calls"][-1]["exit"] == "nonlocal"
        assert await value(desk, "(multiple-value-list (area 2))") == "(2 4)"

    async def test_a_definition_that_is_evaluated_again_stays_traced(self, desk: Desk) -> None:
        await value(desk, "(defun h (x) x)")
        await desk.call("lisp.trace", symbol="h")
        await value(desk, "(defun h (x) (list x))")
        await value(desk, "(h 1)")
        assert (await desk.call("lisp.traceTree"))["calls"][0]["values"] == ["(1)"]

    async def test_what_cannot_be_printed_and_what_has_no_end(self, desk: Desk) -> None:
        await value(
            desk,
            '(progn (defclass rude () ()) (defmethod print-object ((x rude) s) (keep x) (error "no"))'
            " (defun keep (x) x))",
        )
        await desk.call("lisp.trace", symbol="keep")
        await value(desk, "(progn (keep (make-instance 'rude)) 1)")
        await value(desk, "(let ((c (list 1))) (setf (cdr c) c) (keep c) 1)")
        await value(desk, "(progn (keep (make-string 100000 :initial-element #\\x)) 1)")
        calls = (await desk.call("lisp.traceTree"))["calls"]
        assert len(calls) == 3 and all(len(call["form"]) < 3000 for call in calls)
        assert "while it was printed" in calls[0]["arguments"][0]

    async def test_four_threads_and_deep_recursion_are_bounded(self, desk: Desk) -> None:
        await value(desk, "(progn (defun leaf (x) x) (defun down (n) (if (plusp n) (1+ (down (1- n))) 0)))")
        await desk.call("lisp.trace", symbol="leaf")
        await desk.call("lisp.trace", symbol="down")
        code = (
            "(progn (mapc #'sb-thread:join-thread (loop repeat 4 collect (sb-thread:make-thread (lambda ()"
            " (dotimes (i 3000) (leaf i)))))) (down 500))"
        )
        assert await value(desk, code) == "500"
        tree = await desk.call("lisp.traceTree", limit=10000)
        assert tree["more"] == 0
        chain = tree["calls"][-1]
        total, depth = 0, 0
        pending = [(call, 1) for call in tree["calls"]]
        while pending:
            call, level = pending.pop()
            total, depth = total + 1, max(depth, level)
            pending += [(inner, level + 1) for inner in call["calls"]]
        assert total == 10000 and depth <= 200 and chain["values"] == ["500"]

    @pytest.mark.parametrize("params", [{"limit": 0}, {"since": -1}, {"limit": "x"}])
    async def test_wrong_parameters(self, desk: Desk, params: dict[str, Any]) -> None:
        with pytest.raises(errors.InvalidParams):
            await desk.call("lisp.traceTree", **params)


async def test_what_does_not_end_holds_up_nobody_elses_long_question(desk: Desk) -> None:
    await value(desk, "(defmacro endless-one () (loop))")
    stuck = [asyncio.create_task(desk.call("lisp.macroexpand", code="(endless-one)")) for _ in range(2)]
    assert (await desk.call("lisp.macroexpand", code="(when a b)"))["expanded"]
    assert (await desk.call("lisp.describe", symbol="car"))["text"]
    assert not any(each.done() for each in stuck)
    for each in stuck:
        each.cancel()
    await asyncio.gather(*stuck, return_exceptions=True)
