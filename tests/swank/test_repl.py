"""REPLs of one client on a real, stock image, and what belongs to an evaluation: numbers, threads, output."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from descartes_swank import Evaluation, ResultValue
from support.session import DEADLINE_S, Session, new_id, session
from support.stock_swank import StockSwank, stock_swank

__all__ = ["stock_swank"]


@pytest_asyncio.fixture
async def here(stock_swank: StockSwank) -> AsyncIterator[Session]:
    async with session(stock_swank.port) as connected:
        yield connected


async def start(here: Session, code: str, *, repl: str = "main", client: str = "ann") -> Evaluation:
    return await here.lisp.start_evaluation(code, id=new_id(), client=here.client(client), repl=repl)


async def enter(here: Session, code: str, *, repl: str = "main", client: str = "ann") -> Evaluation:
    async with asyncio.timeout(DEADLINE_S):
        return await (await start(here, code, repl=repl, client=client)).paused_or_settled()


async def test_repls_of_one_client_have_packages_and_histories_of_their_own(here: Session) -> None:
    await enter(here, "(defpackage shop (:use cl))")
    assert (await enter(here, "(in-package shop)", repl="one")).package == "SHOP"
    assert (await enter(here, "(values 1 2) (values 3 4)", repl="one")).values == ["3", "4"]
    other = await enter(here, "(list * (package-name *package*))", repl="two")
    assert other.values == ['(NIL "COMMON-LISP-USER")']
    assert (await enter(here, "(list * ** / +)", repl="one")).values == [
        '(3 #<PACKAGE "SHOP"> (3 4) (VALUES 3 4))'
    ]
    assert await here.lisp.package_of(here.client("ann"), "one") == "SHOP"
    # The client itself, and another with a REPL of the same name, have not seen any of it.
    assert (await here.run("*", client="ann")).values == ["NIL"]
    assert (await enter(here, "*", repl="one", client="bob")).values == ["NIL"]


async def test_a_repl_whose_package_was_deleted_is_in_the_users(here: Session) -> None:
    await enter(here, "(defpackage gone (:use cl)) (in-package gone)")
    deleted = await enter(here, "(delete-package *package*)")
    assert (deleted.values, deleted.package) == (["T"], "COMMON-LISP-USER")
    assert (await enter(here, "(list 'a)")).values == ["(A)"]


async def test_results_have_numbers_and_are_referred_to_by_them(here: Session) -> None:
    numbers = [(await enter(here, code)).number for code in ("(values :a :b)", "(list 1 2)", "(values)")]
    assert numbers == [1, 2, 3]
    assert (await enter(here, "(list #v1 #v1:1 (eq #v2 #v2) #v3)")).values == ["(:A :B T NIL)"]
    failed = await enter(here, "#v77")
    assert failed.condition is not None and "no result 77" in failed.condition.message
    assert failed.stop is not None
    await here.lisp.toplevel(*failed.stop)
    assert (await here.settled(failed)).number is None
    assert (await enter(here, ":next")).number == 5
    assert (await enter(here, "1", repl="fresh")).number == 1
    # It is the object itself, and nothing of it is known outside a REPL.
    assert (await enter(here, "(setf (first #v2) 9) #v2")).values == ["(9 2)"]
    outside = await here.run("#v1", client="ann")
    assert outside.state == "stopped" and outside.number is None


async def test_the_last_hundred_results_are_kept(here: Session) -> None:
    for number in range(1, 103):
        last = await enter(here, f"(list {number})")
    assert last.number == 102
    assert (await enter(here, "(list #v3 #v102)")).values == ["((3) (102))"]
    gone = await enter(here, "#v2")
    assert gone.condition is not None and "100 are kept" in gone.condition.message
    shown = await here.lisp.inspector.open(ResultValue(last.id), id="ins_last", owner=here.client("ann"))
    assert shown.title == "(102)"


async def test_readtables_of_the_user_stay_what_they_are(here: Session) -> None:
    table = """
    (defvar *mine* (copy-readtable nil))
    (set-macro-character #\\! (lambda (s c) c (list 'quote (list :bang (read s)))) nil *mine*)
    """
    await enter(here, table)
    await enter(here, "(list 5)")
    await enter(here, "(setf *readtable* *mine*)")
    assert (await enter(here, "(list !7 #v2 (eq *readtable* *mine*))")).values == ["((:BANG 7) (5) T)"]
    assert (await enter(here, "(get-dispatch-macro-character #\\# #\\v *mine*)")).values == ["NIL"]
    own = (
        "(set-dispatch-macro-character #\\# #\\v (lambda (s c n) (list 'quote (list :mine (read s)))) *mine*)"
    )
    await enter(here, own)
    assert (await enter(here, "#v 1")).values == ["(:MINE 1)"]
    assert (await enter(here, "'|!|", repl="other")).values == ["!"]


async def test_a_form_is_read_when_the_one_before_it_was_evaluated(here: Session) -> None:
    code = "(defpackage later (:use cl)) (in-package later) (defun here () 'sign) (here)"
    done = await enter(here, code)
    assert (done.values, done.package) == (["SIGN"], "LATER")
    assert (await enter(here, "(symbol-package 'here)")).values == ['#<PACKAGE "LATER">']


async def test_repls_run_side_by_side_and_each_in_order(here: Session) -> None:
    await enter(here, "(defvar cl-user::*door* (sb-thread:make-semaphore))")
    waits = await start(here, "(sb-thread:wait-on-semaphore cl-user::*door*) :first")
    queued = await start(here, ":second")
    assert (await enter(here, ":beside", repl="two")).values == [":BESIDE"]
    assert (waits.state, queued.state) == ("running", "running")
    await enter(here, "(sb-thread:signal-semaphore cl-user::*door*)", repl="two")
    assert [(await here.settled(each)).number for each in (waits, queued)] == [2, 3]


async def test_the_evaluation_that_is_meant_is_interrupted(here: Session) -> None:
    one, two = (
        await start(here, "(loop (sleep 0.01))", repl="one"),
        await start(here, "(loop (sleep 0.01))", repl="two"),
    )
    await here.lisp.interrupt(evaluation=one.id)
    stopped = await here.next(one)
    assert stopped.condition is not None and stopped.condition.type == "interrupt"
    assert two.state == "running"
    await here.lisp.interrupt(evaluation=two.id)
    await here.next(two)


async def test_what_a_thread_writes_belongs_to_the_evaluation_that_started_it(here: Session) -> None:
    code = """
    (defvar cl-user::*go* (sb-thread:make-semaphore))
    (sb-thread:make-thread
      (lambda (word)
        (format t "early ~a~%" word)
        (finish-output)
        (sb-thread:wait-on-semaphore cl-user::*go*)
        (sb-thread:join-thread (sb-thread:make-thread (lambda () (format t "late ~a~%" word)))))
      :arguments '("child"))
    """
    evaluation = await enter(here, code)
    await here.settled(evaluation)
    await here.recorder.until("output", lambda _: here.recorder.text(evaluation.id) == "early child\n")
    await enter(here, "(sb-thread:signal-semaphore cl-user::*go*)", client="bob")
    await here.recorder.until(
        "output", lambda _: here.recorder.text(evaluation.id).endswith("\nlate child\n")
    )
    assert here.recorder.text(None) == ""


async def test_the_error_of_a_thread_is_shown_to_who_started_it(here: Session) -> None:
    evaluation = await enter(here, '(sb-thread:make-thread (lambda () (error "in the background"))) :started')
    stop = await here.recorder.until("stopped", lambda stop: stop.condition.message == "in the background")
    assert stop.evaluation == evaluation.id
    assert [restart.name for restart in stop.restarts]
    await here.lisp.abort(*stop.id)
    await here.recorder.until("left", lambda left: left == stop.id)
    assert (await enter(here, ":alive")).values == [":ALIVE"]


async def test_a_waiting_evaluation_shows_the_stop_of_its_thread(here: Session) -> None:
    code = '(sb-thread:join-thread (sb-thread:make-thread (lambda () (+ 1 (restart-case (error "help")'
    code += " (use-value (v) v))))))"
    evaluation = await enter(here, code)
    assert evaluation.state == "stopped" and evaluation.stop is not None
    await here.lisp.invoke_restart(*evaluation.stop, name="USE-VALUE", arguments=["41"])
    assert (await here.settled(evaluation)).values == ["42"]


async def test_a_new_client_hears_what_the_threads_of_one_that_is_gone_write(stock_swank: StockSwank) -> None:
    async with session(stock_swank.port) as first:
        code = """
        (defvar cl-user::*speak* (sb-thread:make-semaphore))
        (sb-thread:make-thread
          (lambda () (sb-thread:wait-on-semaphore cl-user::*speak*) (format t "still here~%")))
        """
        evaluation = await enter(first, code)
        await first.settled(evaluation)
    async with session(stock_swank.port) as second:
        await second.alone()
        await second.lisp.adopt()
        await enter(second, "(sb-thread:signal-semaphore cl-user::*speak*)")
        await second.recorder.until("output", lambda _: second.recorder.text(evaluation.id) == "still here\n")


@pytest.mark.slow
async def test_a_hundred_megabytes_of_output_block_neither_image_nor_client(here: Session) -> None:
    code = "(dotimes (i 1000000) (write-line (load-time-value (make-string 99 :initial-element #\\x))))"
    flood = await start(here, code, repl="flood")
    beside = [(await enter(here, f"(+ {n} 1)", repl="beside")).values for n in range(50)]
    assert beside == [[str(n + 1)] for n in range(50)]
    async with asyncio.timeout(240):
        await flood.settled()
    assert (flood.state, flood.output_bytes) == ("done", 100_000_000)
