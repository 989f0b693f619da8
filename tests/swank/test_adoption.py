"""What a client that vanished left in an image is taken over by the next one."""

from __future__ import annotations

import asyncio

from descartes_swank import Lisp
from support.session import DEADLINE_S, Recorder, Session, new_id, session
from support.stock_swank import StockSwank, stock_swank

__all__ = ["stock_swank"]

EVALUATIONS = "descartes-boot::*evaluations*"
GATE = "(defvar *gate* (sb-thread:make-semaphore))"


async def _vanishing(port: int) -> Session:
    """Return a session that the test itself ends, the hard way."""
    recorder = Recorder()
    return Session(await Lisp.open("127.0.0.1", port, listener=recorder), recorder)


def _vanish(gone: Session) -> None:
    gone.lisp.connection._link.abort()


async def test_a_stopped_evaluation_is_answered_by_the_next_client(stock_swank: StockSwank) -> None:
    gone = await _vanishing(stock_swank.port)
    evaluation, stop = await gone.stop(
        '(progn (princ "before ") (list (restart-case (error "left alone") (use-value (v) v))))'
    )
    _vanish(gone)
    await gone.recorder.until("lost")
    async with session(stock_swank.port) as here:
        await here.alone()
        (adopted,) = await here.lisp.adopt()
        await here.next(adopted)
        assert (adopted.id, adopted.client, adopted.state) == (evaluation.id, evaluation.client, "stopped")
        again = here.lisp.stops[stop.id]
        assert (again.condition, again.restarts) == (stop.condition, stop.restarts)
        assert again.frames == stop.frames
        assert again.evaluation == evaluation.id
        await here.lisp.invoke_restart(*stop.id, name="USE-VALUE", arguments=["'(1 2)"])
        assert (await here.settled(adopted)).values == ["((1 2))"]
        assert await here.lisp.adopt() == []


async def test_nested_levels_and_other_threads_are_taken_over(stock_swank: StockSwank) -> None:
    gone = await _vanishing(stock_swank.port)
    _, outer = await gone.stop('(error "outer")')
    nested = await gone.lisp.start_evaluation_in_frame(*outer.id, 0, '(error "inner")', id=new_id())
    await gone.next(nested)
    thread = '(sb-thread:make-thread (lambda () (error "background")) :name "alone")'
    started = await gone.run(thread, client="b")
    background = await gone.recorder.until("stopped", lambda stop: stop.condition.message == "background")
    _vanish(gone)
    await gone.recorder.until("lost")
    async with session(stock_swank.port) as here:
        await here.alone()
        await here.lisp.adopt()
        # A busy thread may tell of its stop only after that.
        for id in ((outer.thread, 2), background.id):
            await here.recorder.until("stopped", lambda stop, id=id: stop.id == id)
        assert set(here.lisp.stops) == {(outer.thread, 2), background.id}
        assert here.lisp.stops[background.id].evaluation == started.id
        await here.lisp.abort(outer.thread, 2)
        stop = await here.recorder.until("stopped", lambda stop: stop.id == outer.id)
        assert stop.condition.message == "outer"
        await here.lisp.abort(*background.id)
        await here.recorder.until("left", lambda left: left == background.id)


async def test_one_that_runs_on_is_heard_of_again(stock_swank: StockSwank) -> None:
    gone = await _vanishing(stock_swank.port)
    await gone.run(GATE)
    evaluation = await gone.start(
        '(progn (dotimes (i 3) (format t "line ~d~%" i)) (finish-output)'
        ' (sb-thread:wait-on-semaphore *gate*) (princ "later") :finished)'
    )
    await gone.recorder.until("output", lambda _: "line 2\n" in gone.recorder.text(evaluation.id))
    _vanish(gone)
    await gone.recorder.until("lost")
    assert evaluation.state == "lost"
    async with session(stock_swank.port) as here:
        await here.alone()
        (adopted,) = await here.lisp.adopt()
        assert (adopted.id, adopted.state) == (evaluation.id, "running")
        await here.run("(sb-thread:signal-semaphore cl-user::*gate*)")
        assert (await here.settled(adopted)).values == [":FINISHED"]
        assert here.recorder.text(adopted.id) == "later"


async def test_one_that_ended_unheard_is_not_forgotten(stock_swank: StockSwank) -> None:
    gone = await _vanishing(stock_swank.port)
    await gone.run(GATE)
    evaluation = await gone.start('(progn (sb-thread:wait-on-semaphore *gate*) (princ "é") (values 1 2))')
    other = await gone.start('(progn (sb-thread:wait-on-semaphore *gate*) (error "unheard"))', client="b")
    known = f'(every (lambda (id) (gethash id {EVALUATIONS})) (list "{evaluation.id}" "{other.id}"))'
    await gone.run(f"(loop until {known} do (sleep 1/100))", client="c")
    _vanish(gone)
    await gone.recorder.until("lost")
    meanwhile = await _vanishing(stock_swank.port)
    await meanwhile.alone()
    await meanwhile.run("(sb-thread:signal-semaphore cl-user::*gate* 2)")
    await meanwhile.run(
        f'(loop until (descartes-boot::evaluation-outcome (gethash "{evaluation.id}"'
        f" {EVALUATIONS})) do (sleep 1/100))"
    )
    await meanwhile.lisp.close()
    async with session(stock_swank.port) as here:
        await here.alone()
        adopted = {live.id: live for live in await here.lisp.adopt()}
        assert set(adopted) == {evaluation.id, other.id}
        done = await here.settled(adopted[evaluation.id])
        assert (done.state, done.values, done.output) == ("done", ["1", "2"], "é")
        async with asyncio.timeout(DEADLINE_S):
            stopped = await adopted[other.id].paused_or_settled()
        assert stopped.condition is not None
        assert (stopped.state, stopped.condition.message) == ("stopped", "unheard")


async def test_a_fast_writer_outlives_its_client(stock_swank: StockSwank) -> None:
    gone = await _vanishing(stock_swank.port)
    await gone.run("(defvar *write* t)")
    evaluation = await gone.start('(loop while *write* do (format t "~60d~%" 1) finally (return :end))')
    await gone.recorder.until("output", lambda _: len(gone.recorder.all("output")) > 20)
    _vanish(gone)
    await gone.recorder.until("lost")
    async with session(stock_swank.port) as here:
        await here.alone()
        await here.run("(setf cl-user::*write* nil)")
        adopted = {live.id: live for live in await here.lisp.adopt()}
        assert (await here.settled(adopted[evaluation.id])).values == [":END"]


async def test_a_question_is_asked_again(stock_swank: StockSwank) -> None:
    gone = await _vanishing(stock_swank.port)
    evaluation = await gone.start('(progn (format *query-io* "Name? ") (values (read-line *query-io*)))')
    await gone.recorder.until("input")
    _vanish(gone)
    await gone.recorder.until("lost")
    async with session(stock_swank.port) as here:
        await here.alone()
        (adopted,) = await here.lisp.adopt()
        request = await here.recorder.until("input")
        assert (request.prompt, request.evaluation) == ("Name? ", evaluation.id)
        await here.lisp.answer_input(request.tag, "Grace")
        assert (await here.settled(adopted)).values == ['"Grace"']


async def test_a_client_that_is_there_keeps_what_is_its_own(stock_swank: StockSwank) -> None:
    async with session(stock_swank.port) as one, session(stock_swank.port) as two:
        evaluation, stop = await one.stop('(error "mine")')
        assert await two.lisp.adopt() == []
        assert two.lisp.stops == {}
        await one.lisp.abort(*stop.id)
        assert (await one.settled(evaluation)).state == "aborted"


async def test_an_image_goes_on_when_clients_leave_without_reading_what_they_asked_for(
    stock_swank: StockSwank,
) -> None:
    """Swank fails to write the rest to them, in the thread that registers all connections."""
    for _ in range(12):
        gone = await _vanishing(stock_swank.port)
        await gone.start('(dotimes (i 400) (format t "~5000d" i) (finish-output))')
        await gone.recorder.until("output")
        _vanish(gone)
    async with session(stock_swank.port) as here:
        await here.lisp.adopt()
        await here.alone()
        assert here.recorder.all("stopped") == []
