"""Stopped threads of a real, stock image: restarts, frames, nested levels, several threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from descartes_swank import DebuggerStale, Evaluation, InvalidParams, NotFound, stopped
from support.session import DEADLINE_S, Session, new_id, session
from support.stock_swank import StockSwank, stock_swank

__all__ = ["stock_swank"]

DIVIDE = """
(defun divide (a b)
  (restart-case (/ a b)
    (use-value (value)
      :report "Use another value."
      :interactive (lambda () (list (eval (read *query-io*))))
      value)
    (use-two (one two) :report "Use the sum of two." (+ one two))))
(defun outer (n) (let ((result (divide n 0))) (list :result result)))
"""


@pytest_asyncio.fixture
async def here(stock_swank: StockSwank) -> AsyncIterator[Session]:
    async with session(stock_swank.port) as connected:
        await connected.run(DIVIDE)
        yield connected


@pytest.mark.ledger("D-74")
async def test_a_stop_shows_condition_restarts_and_the_users_frames(here: Session) -> None:
    evaluation, stop = await here.stop("(outer 10)")
    assert (evaluation.stop, stop.level, stop.evaluation) == (stop.id, 1, evaluation.id)
    assert stop.condition.type == "DIVISION-BY-ZERO"
    assert "DIVISION-BY-ZERO signalled" in stop.condition.message
    assert [(restart.index, restart.name, restart.description) for restart in stop.restarts] == [
        (0, "USE-VALUE", "Use another value."),
        (1, "USE-TWO", "Use the sum of two."),
        (2, "RETRY", "Retry this evaluation."),
        (3, "ABORT", "Abort this evaluation."),
    ]
    assert [restart.interactive for restart in stop.restarts] == [True, False, False, False]
    assert stop.restarts[0].arguments[0].name == "TEMP"
    assert [frame.description for frame in stop.frames[:2]] == ["(DIVIDE 10 0)", "(OUTER 10)"]
    assert stop.frames[0].restartable
    assert [frame.description for frame in stop.frames] == ["(DIVIDE 10 0)", "(OUTER 10)"]
    assert stop.frame_count == len(stop.frames)


@pytest.mark.ledger("D-74")
async def test_a_restart_takes_arguments_evaluated_in_the_frame(here: Session) -> None:
    evaluation, stop = await here.stop("(outer 10)")
    await here.lisp.invoke_restart(*stop.id, name="use-value", arguments=["(* a 4)"])
    assert (await here.settled(evaluation)).values == ["(:RESULT 40)"]
    assert here.recorder.all("left") == [stop.id]

    evaluation, stop = await here.stop("(outer 10)")
    await here.lisp.invoke_restart(*stop.id, index=1, name="USE-TWO", arguments=["n", "'2"], frame=1)
    assert (await here.settled(evaluation)).values == ["(:RESULT 12)"]


async def test_an_argument_that_errs_changes_nothing(here: Session) -> None:
    _, stop = await here.stop("(outer 10)")
    for argument in ("(car 1)", "(+ 1", "no-such-variable", '(break "x")', "(no-such-function)"):
        with pytest.raises(InvalidParams):
            await here.lisp.invoke_restart(*stop.id, name="USE-VALUE", arguments=[argument])
    assert list(here.lisp.stops) == [stop.id]


async def test_restarts_that_do_not_exist_or_do_not_agree(here: Session) -> None:
    _, stop = await here.stop("(outer 10)")
    with pytest.raises(NotFound, match="0 USE-VALUE"):
        await here.lisp.invoke_restart(*stop.id, name="STORE-VALUE")
    with pytest.raises(NotFound):
        await here.lisp.invoke_restart(*stop.id, index=17)
    with pytest.raises(InvalidParams):
        await here.lisp.invoke_restart(*stop.id, index=0, name="ABORT")
    with pytest.raises(NotFound):
        await here.lisp.continue_(*stop.id)


async def test_an_interactive_restart_without_arguments_asks(here: Session) -> None:
    evaluation, stop = await here.stop("(outer 10)")
    invoking = asyncio.ensure_future(here.lisp.invoke_restart(*stop.id, name="USE-VALUE"))
    request = await here.recorder.until("input")
    assert (request.thread, request.evaluation) == (stop.thread, evaluation.id)
    await here.lisp.answer_input(request.tag, "(+ 1 1)")
    await invoking
    assert (await here.settled(evaluation)).values == ["(:RESULT 2)"]


async def test_giving_up_the_question_of_a_restart_comes_back_to_the_stop(here: Session) -> None:
    _, stop = await here.stop("(outer 10)")
    invoking = asyncio.ensure_future(here.lisp.invoke_restart(*stop.id, name="USE-VALUE"))
    request = await here.recorder.until("input")
    await here.lisp.answer_input(request.tag, None)
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.wait([invoking])
    invoking.exception()
    assert list(here.lisp.stops) == [stop.id]
    assert (await here.lisp.frames(*stop.id, 0, 1))[0].description == "(DIVIDE 10 0)"


@pytest.mark.ledger("D-74")
async def test_nested_errors_are_each_resolved(here: Session) -> None:
    evaluation, outer = await here.stop("(outer 10)")
    nested = await here.lisp.start_evaluation_in_frame(*outer.id, 0, "(list (divide a 0))", id=new_id())
    await here.next(nested)
    assert nested.stop == (outer.thread, 2)
    inner = here.lisp.stops[nested.stop]
    assert inner.evaluation == nested.id
    assert inner.frames[0].description == "(DIVIDE 10 0)"
    assert set(here.lisp.stops) == {outer.id, inner.id}
    with pytest.raises(DebuggerStale):
        await here.lisp.invoke_restart(*outer.id, name="USE-VALUE", arguments=["1"])

    await here.lisp.invoke_restart(*inner.id, name="USE-VALUE", arguments=["7"])
    assert (await here.settled(nested)).values == ["(7)"]
    await here.recorder.until("stopped", lambda _: here.recorder.all("stopped")[-1].id == outer.id)
    assert set(here.lisp.stops) == {outer.id}
    await here.lisp.invoke_restart(*outer.id, name="USE-VALUE", arguments=["8"])
    assert (await here.settled(evaluation)).values == ["(:RESULT 8)"]


@pytest.mark.ledger("D-74")
async def test_aborting_a_nested_error_leads_to_its_parent_and_toplevel_out_of_both(here: Session) -> None:
    evaluation, outer = await here.stop("(outer 10)")

    async def nest(level: int) -> Evaluation:
        nested = await here.lisp.start_evaluation_in_frame(
            outer.thread, level, 0, '(error "deeper")', id=new_id()
        )
        await here.next(nested)
        assert nested.stop == (outer.thread, level + 1)
        return nested

    nested = await nest(1)
    await here.lisp.abort(outer.thread, 2)
    assert (await here.settled(nested)).state == "aborted"
    await here.recorder.until("stopped", lambda _: here.recorder.all("stopped")[-1].id == outer.id)
    assert evaluation.stop == outer.id

    second, third = await nest(1), await nest(2)
    assert set(here.lisp.stops) == {(outer.thread, level) for level in (1, 2, 3)}
    await here.lisp.toplevel(outer.thread, 3)
    for ended in (third, second, evaluation):
        assert (await here.settled(ended)).state == "aborted"
    assert here.lisp.stops == {}


async def test_two_threads_are_stopped_at_once_and_left_in_any_order(here: Session) -> None:
    one, stop_one = await here.stop("(outer 1)", client="a")
    two, stop_two = await here.stop("(outer 2)", client="b")
    assert set(here.lisp.stops) == {stop_one.id, stop_two.id}
    assert stop_one.thread != stop_two.thread
    await here.lisp.invoke_restart(*stop_one.id, name="USE-VALUE", arguments=["a"])
    assert (await here.settled(one)).values == ["(:RESULT 1)"]
    assert set(here.lisp.stops) == {stop_two.id}
    await here.lisp.invoke_restart(*stop_two.id, name="USE-VALUE", arguments=["a"])
    assert (await here.settled(two)).values == ["(:RESULT 2)"]


@pytest.mark.ledger("D-74")
async def test_frames_have_variables_places_and_pages(here: Session, tmp_path: Path) -> None:
    file = tmp_path / "é 😀.lisp"
    text = ';; é😀€\r\n(defun deep (n)\r\n\t(if (zerop n) (error "down") (1+ (deep (1- n)))))\r\n'
    file.write_bytes(text.encode())
    loaded = await here.lisp.compile_file(file, id=new_id(), load=True)
    assert (await here.settled(loaded)).success
    _, stop = await here.stop("(deep 60)")
    assert stop.frame_count > 60
    assert len(stop.frames) == 20
    page = await here.lisp.frames(*stop.id, 40, 43)
    assert [(frame.index, frame.description) for frame in page] == [
        (40, "(DEEP 40)"),
        (41, "(DEEP 41)"),
        (42, "(DEEP 42)"),
    ]
    assert page[0].location is not None
    assert page[0].location.offset == text.index("(deep (1- n))")
    assert stop.frames[0].location is not None
    assert stop.frames[0].location.file == str(file)
    assert stop.frames[0].location.offset == text.index('(error "down")')
    detail = await here.lisp.frame(*stop.id, 3)
    assert [(local.name, local.value) for local in detail.locals] == [("N", "3")]
    assert detail.package == "COMMON-LISP-USER"
    assert detail.location is not None
    assert detail.location.offset == text.index("(deep (1- n))")
    assert await here.lisp.frames(*stop.id, 5000, 5010) == ()


@pytest.mark.ledger("D-74")
async def test_evaluating_in_a_frame(here: Session) -> None:
    _, stop = await here.stop("(outer 10)")
    assert await here.lisp.eval_in_frame(*stop.id, 0, "(values (+ a 1) b)") == ["11", "0"]
    assert await here.lisp.eval_in_frame(*stop.id, 1, "(setf n 5) n") == ["5"]
    assert await here.lisp.eval_in_frame(*stop.id, 1, "(values)") == []
    with pytest.raises(InvalidParams):
        await here.lisp.eval_in_frame(*stop.id, 1, '(error "bad")')
    assert list(here.lisp.stops) == [stop.id]


@pytest.mark.ledger("D-74")
async def test_returning_a_value_from_a_frame(here: Session) -> None:
    evaluation, stop = await here.stop("(outer 10)")
    with pytest.raises(InvalidParams, match="cannot be left"):
        await here.lisp.return_from_frame(*stop.id, 2, "1")
    with pytest.raises(InvalidParams):
        await here.lisp.return_from_frame(*stop.id, 0, "(car 1)")
    await here.lisp.return_from_frame(*stop.id, 0, "(* a 100)")
    assert (await here.settled(evaluation)).values == ["(:RESULT 1000)"]


@pytest.mark.ledger("D-74")
async def test_calling_a_frame_again_uses_the_corrected_function(here: Session) -> None:
    await here.run('(defun broken (x) (error "not yet ~a" x)) (defun user (x) (list (broken x)))')
    evaluation, stop = await here.stop("(user 3)", client="a")
    assert stop.frames[0].description == "(BROKEN 3)"
    await here.run("(defun broken (x) (* x x))", client="b")
    await here.lisp.restart_frame(*stop.id, 0)
    assert (await here.settled(evaluation)).values == ["(9)"]

    evaluation, stop = await here.stop("(outer 10)", client="a")
    await here.lisp.restart_frame(*stop.id, 0, ["a", "(/ a 2)"])
    assert (await here.settled(evaluation)).values == ["(:RESULT 2)"]


async def test_retrying_runs_the_evaluation_again(here: Session) -> None:
    await here.run("(defvar *ready* nil)")
    evaluation, stop = await here.stop('(if *ready* :now (error "not ready"))', client="a")
    await here.run("(setf *ready* t)", client="b")
    await here.lisp.invoke_restart(*stop.id, name="RETRY")
    assert (await here.settled(evaluation)).values == [":NOW"]


async def test_a_restart_that_stops_again(here: Session) -> None:
    evaluation, stop = await here.stop("(outer 10)")
    await here.lisp.invoke_restart(*stop.id, name="RETRY")
    await here.next(evaluation)
    assert evaluation.state == "stopped"
    assert list(here.lisp.stops) == [stop.id]
    assert here.recorder.all("left") == [stop.id]


async def test_a_stop_has_been_left_when_leaving_it_returns_however_late_that_is_told(
    here: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopped, "_DEPARTURE_S", 0)
    await here.run("""
    (sb-int:encapsulate 'swank::send-to-emacs 'late
      (lambda (send event) (when (eq :debug-return (first event)) (sleep 0.2)) (funcall send event)))""")
    evaluation, outer = await here.stop("(outer 10)")
    nested = await here.lisp.start_evaluation_in_frame(*outer.id, 0, '(error "deeper")', id=new_id())
    await here.next(nested)
    await here.lisp.abort(outer.thread, 2)
    assert list(here.lisp.stops) == [outer.id]
    await here.lisp.abort(*outer.id)
    assert here.lisp.stops == {}
    assert (await here.settled(evaluation)).state == "aborted"
    await here.run("(sb-int:unencapsulate 'swank::send-to-emacs 'late)")


async def test_a_restart_that_comes_back_to_its_stop(here: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopped, "_DEPARTURE_S", 0)
    _, stop = await here.stop('(restart-bind ((come-back (lambda () (abort)))) (error "stay"))')
    async with asyncio.timeout(DEADLINE_S):
        await here.lisp.invoke_restart(*stop.id, name="COME-BACK")
    assert list(here.lisp.stops) == [stop.id]
    assert await here.lisp.eval_in_frame(*stop.id, 0, "(+ 1 2)") == ["3"]


async def test_break_continues(here: Session) -> None:
    evaluation, stop = await here.stop('(list (break "here ~a" 1) 2)')
    assert stop.condition.message == "here 1"
    await here.lisp.continue_(*stop.id)
    assert (await here.settled(evaluation)).values == ["(NIL 2)"]


async def test_what_was_meant_for_a_stop_is_not_done_at_the_next_one(here: Session) -> None:
    await here.run("(defvar *done* nil)")
    evaluation, stop = await here.stop("(list (break) (break))")
    # The thread takes the second request up at its next stop, which has the same thread and level.
    _, late = await asyncio.gather(
        here.lisp.continue_(*stop.id),
        here.lisp.start_evaluation_in_frame(*stop.id, 0, "(setf *done* t)", id=new_id()),
    )
    assert (await here.settled(late)).state == "aborted"
    await here.next(evaluation)
    assert evaluation.stop == stop.id
    assert await here.lisp.eval_in_frame(*stop.id, 0, "*done*") == ["NIL"]


async def test_leaving_a_stop_is_refused_when_another_stopped_above_it_before(here: Session) -> None:
    _, stop = await here.stop("(outer 10)")
    deeper, refused = await asyncio.gather(
        here.lisp.start_evaluation_in_frame(*stop.id, 0, '(error "deeper")', id=new_id()),
        here.lisp.toplevel(*stop.id),
        return_exceptions=True,
    )
    assert isinstance(deeper, Evaluation) and isinstance(refused, DebuggerStale)
    await here.next(deeper)
    assert sorted(here.lisp.stops) == [stop.id, (stop.thread, 2)]


async def test_what_is_not_stopped_is_stale(here: Session) -> None:
    evaluation, stop = await here.stop("(outer 10)")
    await here.lisp.abort(*stop.id)
    await here.settled(evaluation)
    lisp = here.lisp
    for call in (
        lambda: lisp.abort(*stop.id),
        lambda: lisp.frames(*stop.id, 0, 1),
        lambda: lisp.frame(*stop.id, 0),
        lambda: lisp.eval_in_frame(*stop.id, 0, "1"),
        lambda: lisp.return_from_frame(*stop.id, 0, "1"),
        lambda: lisp.restart_frame(*stop.id, 0),
        lambda: lisp.toplevel(*stop.id),
    ):
        with pytest.raises(DebuggerStale):
            await call()


async def test_a_killed_thread_leaves_its_stop(here: Session) -> None:
    evaluation, stop = await here.stop("(outer 10)", client="a")
    await here.run("(defvar *looking* nil)", client="b")
    looking = asyncio.ensure_future(here.lisp.eval_in_frame(*stop.id, 0, "(progn (setf *looking* t) (loop))"))
    await here.run("(loop until *looking* do (sleep 1/100))", client="b")
    await here.run(f"(sb-thread:terminate-thread (swank/backend:find-thread {stop.thread}))", client="b")
    assert (await here.settled(evaluation)).state == "aborted"
    with pytest.raises(DebuggerStale):
        async with asyncio.timeout(DEADLINE_S):
            await looking
    assert here.lisp.stops == {}


async def test_a_thread_that_does_not_describe_its_stop_is_shown_with_less(
    here: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopped, "ANSWER_S", 0.2)
    slow = "(lambda (describe &rest given) (loop until *go* do (sleep 1/100)) (apply describe given))"
    await here.run(f"(defvar *go* nil) (sb-int:encapsulate 'descartes-boot::describe-stop 'slow {slow})")
    try:
        evaluation, stop = await here.stop('(error "seen ~a" :anyway)', client="a")
        assert (stop.condition.message, stop.frames, stop.evaluation) == ("seen ANYWAY", (), evaluation.id)
        assert [each.name for each in stop.restarts][:2] == ["RETRY", "ABORT"]
    finally:
        undo = "(setf *go* t) (sb-int:unencapsulate 'descartes-boot::describe-stop 'slow)"
        await here.run(undo, client="b")
    await here.lisp.abort(*stop.id)
    assert (await here.settled(evaluation)).state == "aborted"


async def test_an_error_while_reading_is_a_stop(here: Session) -> None:
    evaluation, stop = await here.stop("(+ 1")
    assert stop.condition.type == "END-OF-FILE"
    await here.lisp.abort(*stop.id)
    assert (await here.settled(evaluation)).state == "aborted"


async def test_references_are_in_words(here: Session) -> None:
    _, stop = await here.stop("(defun car (x) x)")
    assert any("Package Locks" in reference for reference in stop.condition.references)


async def test_names_are_printed_in_the_clients_package(here: Session) -> None:
    await here.run(
        "(defpackage shop (:use cl)) (in-package shop) (define-condition closed (error) ())", client="a"
    )
    _, stop = await here.stop("(error 'closed)", client="a")
    assert (stop.condition.type, stop.package) == ("CLOSED", "SHOP")
