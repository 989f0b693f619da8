"""What SLIME's own suite expects of the debugger and of connections; see `test_slime_expectations.py`."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from descartes_swank import DebuggerStale, Lisp, NotFound
from support.slime import (
    Ear,
    abort_deepest,
    compiled,
    deepest,
    ear,
    ids,
    level_reached,
    lisp,
    quit_debugger,
    soon,
    started,
    stopped,
)
from support.stock_swank import StockSwank
from support.until import until

__all__ = ["ear", "lisp"]


# The debugger


@pytest.mark.parametrize("depth", [1, 2, 3])
async def test_async_eval_debugging(lisp: Lisp, depth: int) -> None:
    evaluations = [await stopped(lisp, "(error)")]
    for level in range(2, depth + 1):
        inner = await lisp.start_evaluation_in_frame(*deepest(lisp).id, 0, "(error)", id=f"slime_{next(ids)}")
        await soon(inner.paused_or_settled())
        evaluations.append(inner)
        assert deepest(lisp).level == level
    await lisp.toplevel(*deepest(lisp).id)
    for evaluation in evaluations:
        await soon(evaluation.settled())
        assert evaluation.state == "aborted"


@pytest.mark.parametrize(("highest", "stay"), [(2, 1), (4, 2)])
async def test_unwind_to_previous_sldb_level(lisp: Lisp, highest: int, stay: int) -> None:
    evaluations = [await stopped(lisp, "(aref nil 0)")]
    for level in range(2, highest + 1):
        inner = await lisp.start_evaluation_in_frame(
            *deepest(lisp).id, 0, f"(aref nil {level})", id=f"slime_{next(ids)}"
        )
        await soon(inner.paused_or_settled())
        evaluations.append(inner)
    for level in range(highest, stay, -1):
        await abort_deepest(lisp)
        await level_reached(lisp, level - 1)
        await soon(evaluations.pop().settled())
    assert {each.level for each in lisp.stops.values()} == set(range(1, stay + 1))
    await quit_debugger(lisp, evaluations[0])
    for evaluation in evaluations:
        await soon(evaluation.settled())


async def test_loop_interrupt_quit(lisp: Lisp) -> None:
    loop = await started(lisp, "(loop)")
    await lisp.interrupt(evaluation=loop.id)
    await soon(loop.paused_or_settled())
    assert deepest(lisp).level == 1 and deepest(lisp).condition.type == "interrupt"
    await lisp.toplevel(*deepest(lisp).id)
    await soon(loop.settled())
    assert loop.state == "aborted"


async def test_loop_interrupt_continue_interrupt_quit(lisp: Lisp) -> None:
    loop = await started(lisp, "(loop)")
    for leave in (lisp.continue_, lisp.toplevel):
        await lisp.interrupt(evaluation=loop.id)
        await soon(loop.paused_or_settled())
        await leave(*deepest(lisp).id)
    await soon(loop.settled())
    assert loop.state == "aborted"


async def test_interactive_eval(lisp: Lisp) -> None:
    evaluation = await stopped(lisp, '(progn (cerror "foo" "restart") (cerror "bar" "restart") (+ 1 2))')
    await lisp.continue_(*deepest(lisp).id)
    await soon(evaluation.paused_or_settled())
    await lisp.continue_(*deepest(lisp).id)
    await soon(evaluation.settled())
    assert evaluation.values == ["3"]


@pytest.mark.parametrize(
    "argument",
    [
        "(let ((x (cons nil nil))) (setf (cdr x) x))",
        "(let ((x (cons nil nil))) (setf (car x) x))",
        "(let ((x (cons (make-string 100000 :initial-element #\\X) nil))) (setf (cdr x) x))",
    ],
    ids=["cdr", "car", "long"],
)
async def test_report_condition_with_circular_list(lisp: Lisp, argument: str) -> None:
    code = f'(with-standard-io-syntax (cerror "foo" "~a" {argument}) (+ 1 2))'
    evaluation = await stopped(lisp, code)
    assert len(deepest(lisp).condition.message) < 1_000_000
    await lisp.continue_(*deepest(lisp).id)
    await soon(evaluation.settled())
    assert evaluation.values == ["3"]


async def test_interrupt_bubbling_idiot(lisp: Lisp, ear: Ear) -> None:
    loop = await started(lisp, "(loop for i from 0 do (print i) (finish-output))")
    await until(lambda: len(ear.text) > 1000, "it prints")
    await lisp.interrupt(evaluation=loop.id)
    await soon(loop.paused_or_settled())
    assert deepest(lisp).level == 1
    await lisp.toplevel(*deepest(lisp).id)
    await soon(loop.settled())


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize(
    "form",
    ["(break)", "(block outta (let ((*debugger-hook* (lambda (c h) (return-from outta 42)))) (break)))"],
    ids=["break", "break2"],
)
async def test_break(lisp: Lisp, times: int, form: str) -> None:
    evaluation = await started(lisp, f"(dotimes (i {times}) {form})")
    for _ in range(times):
        await soon(evaluation.paused_or_settled())
        assert deepest(lisp).level == 1
        await lisp.continue_(*deepest(lisp).id)
    await soon(evaluation.settled())
    assert evaluation.state == "done"


async def test_locally_bound_debugger_hook(lisp: Lisp) -> None:
    text = (
        "(defun cl-user::quux () (block outta (let ((*debugger-hook* (lambda (c hook)"
        ' (declare (ignore c hook)) (return-from outta 42)))) (error "FOO"))))'
    )
    assert (await compiled(lisp, text)).success
    assert (await lisp.eval("(cl-user::quux)")).values == ["42"]


@pytest.mark.parametrize(
    "form", ["(error 'end-of-file :stream *standard-input*)", '(read-from-string "")'], ids=["error", "read"]
)
async def test_end_of_file(lisp: Lisp, form: str) -> None:
    code = (
        '(let ((condition nil)) (with-simple-restart (continue "continue") (let ((*debugger-hook*'
        f" (lambda (c h) (declare (ignore h)) (setq condition c) (continue)))) {form}))"
        " (and (typep condition 'end-of-file) t))"
    )
    assert (await lisp.eval(code)).values == ["T"]


@pytest.mark.parametrize(("interrupts", "continues"), [(1, 0), (2, 1), (4, 2)])
async def test_interrupt_in_debugger(lisp: Lisp, interrupts: int, continues: int) -> None:
    loop = await started(lisp, "(loop (sleep 1/100))")
    await lisp.interrupt(evaluation=loop.id)
    await level_reached(lisp, 1)
    for level in range(2, interrupts + 1):
        await lisp.interrupt(thread=deepest(lisp).thread)
        await level_reached(lisp, level)
    for level in range(interrupts, interrupts - continues, -1):
        while deepest(lisp).level >= level:
            with contextlib.suppress(DebuggerStale):
                await lisp.continue_(*deepest(lisp).id)
            await asyncio.sleep(0)
    await quit_debugger(lisp, loop)


async def test_flow_control(lisp: Lisp, ear: Ear) -> None:
    """Output faster than it is read, interrupted three times, comes to its end."""
    line = "(write-line (make-string 2000 :initial-element #\\x))"
    flood = await started(lisp, f"(dotimes (i 400) {line})")
    await until(lambda: len(ear.text) > 2000, "it prints")
    for _ in range(3):
        try:
            await lisp.interrupt(evaluation=flood.id)
        except NotFound:
            break  # it was fast
        await soon(flood.paused_or_settled())
        if flood.stop is not None:
            await lisp.continue_(*flood.stop)
    await soon(flood.settled())
    assert flood.state == "done"


async def test_sbcl_world_lock(lisp: Lisp, ear: Ear) -> None:
    code = (
        "(let ((*macroexpand-hook* (lambda (fun form env) (dotimes (i 10) (print i) (finish-output))"
        " (funcall fun form env)))) (eval '(macrolet ((foo () 123)) (foo))))"
    )
    assert (await lisp.eval(code)).values == ["123"]


# Connections


async def test_disconnect_one_connection(lisp: Lisp, stock_image: StockSwank) -> None:
    async with await Lisp.open("127.0.0.1", stock_image.port) as other:
        assert (await other.eval("1")).values == ["1"]
    assert (await lisp.eval("(+ 1 1)")).values == ["2"]


async def test_disconnect_and_reconnect(lisp: Lisp, stock_image: StockSwank) -> None:
    other = await Lisp.open("127.0.0.1", stock_image.port)
    other.connection._link.abort()
    await soon(asyncio.shield(other.connection.closed))
    assert stock_image.process.poll() is None
    async with await Lisp.open("127.0.0.1", stock_image.port) as again:
        assert (await again.eval("(+ 1 1)")).values == ["2"]
