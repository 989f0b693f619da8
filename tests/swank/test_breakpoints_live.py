"""Breakpoints and stepping in a real, stock image: many threads, many hits, and nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from descartes_swank import Evaluation, NewPlace, Stop
from support.session import DEADLINE_S, Session, new_id, session
from support.stock_swank import StockSwank, stock_swank

__all__ = ["stock_swank"]

STEPS = """(declaim (optimize (debug 3)))
(defun leaf (x) (princ x) (* x x))
(defun node (a b)
  (let ((product (leaf (+ a b))))
    (list product (leaf b))))
(defun thrower (x) (leaf x) (throw 'out x))
(defun root (n)
  (break "here")
  (append (node n 3)
          (list (catch 'out (thrower n)))
          (list (length (node 1 2)))))
"""


@pytest_asyncio.fixture
async def here(stock_swank: StockSwank) -> AsyncIterator[Session]:
    async with session(stock_swank.port) as connected:
        yield connected


async def compiled(here: Session, folder: Path, text: str) -> Path:
    """Compile TEXT as a file in FOLDER; the global policy stays what it is."""
    file = folder / "steps.lisp"
    file.write_text(text)
    evaluation = await here.lisp.compile_file(str(file), id=new_id(), load=True)
    await here.settled(evaluation)
    assert evaluation.success, evaluation.notes
    await here.run("(declaim (optimize (debug 1)))")
    return file


def shown(stop: Stop) -> str:
    """Return the frame of STOP and what is next and done, in one line."""
    stepping = stop.stepping
    assert stepping is not None, stop
    done = f" <- {stepping.done} => {', '.join(stepping.values)}" if stepping.done else ""
    return f"{stop.frames[0].description} {stepping.form}{done}"


async def steps(here: Session, evaluation: Evaluation, *kinds: str) -> list[str]:
    """Return what is shown after each step of KINDS."""
    found = []
    for kind in kinds:
        assert evaluation.stop is not None
        await here.lisp.step(*evaluation.stop, kind)  # type: ignore[arg-type]
        await here.next(evaluation)
        found.append(shown(here.lisp.stops[evaluation.stop]) if evaluation.stop else evaluation.state)
    return found


async def test_stepping_over_calls(here: Session, tmp_path: Path) -> None:
    await compiled(here, tmp_path, STEPS)
    evaluation, _ = await here.stop("(root 2)")
    assert await steps(here, evaluation, *["next"] * 7) == [
        "(ROOT 2) (NODE N 3)",
        "(ROOT 2) (THROWER N) <- (NODE N 3) => (25 9)",
        "(ROOT 2) (NODE 1 2)",  # the call before ended by a throw: it has no values
        "(ROOT 2) (LENGTH (NODE 1 2)) <- (NODE 1 2) => (9 4)",
        "(ROOT 2) (APPEND (NODE N 3) (LIST (CATCH 'OUT (THROWER N))) (LIST (LENGTH (NODE 1 2))))",
        "(ROOT 2) the rest of ROOT <- "
        "(APPEND (NODE N 3) (LIST (CATCH 'OUT (THROWER N))) (LIST (LENGTH (NODE 1 2)))) => (25 9 2 2)",
        "done",
    ]


async def test_stepping_into_and_out_of_calls(here: Session, tmp_path: Path) -> None:
    await compiled(here, tmp_path, STEPS)
    evaluation, _ = await here.stop("(root 2)")
    assert await steps(here, evaluation, "into", "into", "into", "into", "into", "into", "out") == [
        "(ROOT 2) (NODE N 3)",
        "(NODE 2 3) (+ A B)",
        "(NODE 2 3) (LEAF (+ A B))",
        "(LEAF 5) (PRINC X)",
        "(LEAF 5) (* X X) <- (PRINC X) => 5",
        "(NODE 2 3) (LEAF B) <- (LEAF (+ A B)) => 25",
        "(ROOT 2) (THROWER N) <- (NODE N 3) => (25 9)",
    ]
    await here.lisp.continue_(*evaluation.stop or (0, 0))
    assert (await here.settled(evaluation)).values == ["(25 9 2 2)"]


LAST_CALLS = """(declaim (optimize (debug 3)))
(defun sum (numbers) (reduce #'+ numbers))
(defun average (numbers) (break "here") (/ (sum numbers) (length numbers)))
(defun each (numbers) (break "here") (dolist (number numbers) (princ number)))
"""


async def test_a_call_after_which_nothing_steps_stops_with_its_values(here: Session, tmp_path: Path) -> None:
    await compiled(here, tmp_path, LAST_CALLS)
    evaluation, _ = await here.stop("(average '(1 2 6))")
    assert await steps(here, evaluation, "into", "into", "into", "into", "into") == [
        "(AVERAGE (1 2 6)) (SUM NUMBERS)",
        "(SUM (1 2 6)) (REDUCE #'+ NUMBERS)",
        "(SUM (1 2 6)) the rest of SUM <- (REDUCE #'+ NUMBERS) => 9",
        "(AVERAGE (1 2 6)) the rest of AVERAGE <- (SUM NUMBERS) => 9",
        "done",
    ]
    assert evaluation.values == ["3"]
    evaluation, _ = await here.stop("(average '(1 2 6))")
    assert await steps(here, evaluation, "into", "into", "out") == [
        "(AVERAGE (1 2 6)) (SUM NUMBERS)",
        "(SUM (1 2 6)) (REDUCE #'+ NUMBERS)",
        "(AVERAGE (1 2 6)) the rest of AVERAGE <- (SUM NUMBERS) => 9",
    ]
    await here.lisp.abort(*evaluation.stop or (0, 0))
    assert (await here.settled(evaluation)).state == "aborted"
    evaluation, _ = await here.stop("(each '(1 2 3))")
    assert await steps(here, evaluation, "next", "next", "next", "next", "next") == [
        "(EACH (1 2 3)) (PRINC NUMBER)",
        "(EACH (1 2 3)) the rest of EACH <- (PRINC NUMBER) => 1",
        "(EACH (1 2 3)) (PRINC NUMBER)",
        "(EACH (1 2 3)) (PRINC NUMBER) <- (PRINC NUMBER) => 2",
        "done",
    ]
    assert (await here.run("(sum '(1 2))")).values == ["3"]


@pytest.mark.parametrize("way", ["abort", "toplevel", "continue"])
async def test_nothing_steps_after_a_stop_was_left_otherwise(here: Session, tmp_path: Path, way: str) -> None:
    await compiled(here, tmp_path, STEPS)
    code = '(progn (ignore-errors (with-simple-restart (abort "Inner.") (root 2))) (node 1 1))'
    evaluation, _ = await here.stop(code)
    await steps(here, evaluation, "into", "into", "into")
    assert evaluation.stop is not None
    stop = evaluation.stop
    if way == "continue":
        await here.lisp.continue_(*stop)
    elif way == "abort":
        await here.lisp.abort(*stop)
    else:
        await here.lisp.toplevel(*stop)
    await here.settled(evaluation)
    assert evaluation.state == ("aborted" if way == "toplevel" else "done")
    assert (await here.run("(node 1 2)")).values == ["(9 4)"]


async def test_an_error_while_stepping_over_ends_the_stepping(here: Session, tmp_path: Path) -> None:
    text = STEPS + "(defun bad (x) (leaf x) (car x))\n(defun outer (x) (break) (list (bad x) (leaf x)))\n"
    await compiled(here, tmp_path, text)
    evaluation, _ = await here.stop('(with-simple-restart (abort "In.") (outer 7))')
    await steps(here, evaluation, "next")
    assert evaluation.stop is not None
    await here.lisp.step(*evaluation.stop, "next")
    await here.next(evaluation)
    assert evaluation.stop is not None and evaluation.condition is not None
    assert evaluation.condition.type == "TYPE-ERROR"
    await here.lisp.abort(*evaluation.stop)
    assert (await here.settled(evaluation)).state == "done"


async def test_a_background_thread_steps_too(here: Session, tmp_path: Path) -> None:
    await compiled(here, tmp_path, STEPS)
    await here.run('(sb-thread:make-thread (lambda () (root 2)) :name "mine")')
    stop: Stop = await here.recorder.until("stopped", lambda each: each.condition.message == "here")
    await here.lisp.step(*stop.id, "into")
    stop = await here.recorder.until("stopped", lambda each: each.stepping is not None)
    assert shown(stop) == "(ROOT 2) (NODE N 3)"
    await here.lisp.continue_(*stop.id)
    assert here.lisp.stops == {}


async def test_a_thread_may_be_called_like_one_of_swanks(here: Session) -> None:
    await here.run("(defun called (n) (* n n))")
    await here.lisp.break_at_function("brk_d", "called")
    for name in ("worker", "worker 1", "reader-thread"):
        seen = len(here.recorder.all("stopped"))
        evaluation = await here.start(
            f'(sb-thread:join-thread (sb-thread:make-thread (lambda () (called 3)) :name "{name}"))'
        )
        stop: Stop = await here.recorder.until(
            "stopped", lambda each, seen=seen: each in here.recorder.all("stopped")[seen:]
        )
        assert stop.breakpoint == "brk_d"
        await here.lisp.continue_(*stop.id)
        assert (await here.settled(evaluation)).values == ["9"]
    await here.lisp.forget_breakpoint("brk_d")


HITS = 10_000


async def test_ten_thousand_hits_in_four_threads(here: Session, tmp_path: Path) -> None:
    """Every hit is a stop, left at once by its CONTINUE in the thread itself."""
    text = "(defun counted (n)\n  (list (1+ n)))\n"
    file = await compiled(here, tmp_path, text)
    await here.lisp.break_at_function("brk_a", "counted")
    places = NewPlace("brk_b", "", [text.index("(1+")], ["(1+ n)"])
    verdict = await here.lisp.break_at_forms(text, file=str(file), position=0, package=None, new=places)
    assert verdict.verified
    work = f"""
(flet ((work ()
         (let ((sb-ext:*invoke-debugger-hook*
                 (lambda (condition hook) (declare (ignore condition hook)) (continue))))
           (loop for n below {HITS // 4} count (equal (counted n) (list (1+ n)))))))
  (reduce #'+ (mapcar #'sb-thread:join-thread
                      (loop repeat 4 collect (sb-thread:make-thread #'work :name "user")))))"""
    assert (await here.run(work)).values == [str(HITS)]
    assert {each.id: each.hits for each in await here.lisp.breakpoints()} == {"brk_a": HITS, "brk_b": HITS}
    await here.lisp.forget_breakpoint("brk_a")
    await here.lisp.forget_breakpoint("brk_b")
    assert (await here.run("(counted 1)")).values == ["(2)"]


async def test_four_threads_stopped_at_one_breakpoint_are_left_one_by_one(here: Session) -> None:
    await here.run("(defun met (n) (* n n))")
    await here.lisp.break_at_function("brk_c", "met")
    evaluations = [await here.start(f"(list (met {n}))", client=f"client-{n}") for n in range(4)]
    for evaluation in evaluations:
        await here.next(evaluation)
    stops = [here.lisp.stops[evaluation.stop] for evaluation in evaluations if evaluation.stop]
    assert sorted(stop.frames[0].description for stop in stops) == [f"(MET {n})" for n in range(4)]
    assert len({stop.thread for stop in stops}) == 4
    # A nested stop in one of them, while the others wait.
    nested = await here.lisp.start_evaluation_in_frame(*stops[2].id, 0, "(list (met 9) n)", id=new_id())
    await here.next(nested)
    assert nested.stop == (stops[2].thread, 2)
    assert len(here.lisp.stops) == 5
    await here.lisp.continue_(*nested.stop)
    assert (await here.settled(nested)).values == ["(81 2)"]
    async with asyncio.timeout(DEADLINE_S):
        for stop in reversed(stops):
            await here.lisp.continue_(*stop.id)
    for n, evaluation in enumerate(evaluations):
        assert (await here.settled(evaluation)).values == [f"({n * n})"]
    await here.lisp.forget_breakpoint("brk_c")
