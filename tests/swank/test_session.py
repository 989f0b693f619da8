"""A session with a real, stock image: values, output, clients, input, loss."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from descartes_swank import Aborted, Connection, InvalidParams, Lisp, LispLost, NotFound, connect
from descartes_swank.evaluation import OUTPUT_KEPT
from support.session import DEADLINE_S, Session, new_id, session
from support.stock_swank import StockSwank, own_stock_swank, stock_swank

__all__ = ["own_stock_swank", "stock_swank"]


@pytest_asyncio.fixture
async def here(stock_swank: StockSwank) -> AsyncIterator[Session]:
    async with session(stock_swank.port) as connected:
        yield connected


@pytest.mark.ledger("D-70")
async def test_connects_to_a_stock_swank_and_evaluates_without_more(stock_swank: StockSwank) -> None:
    async with connect("127.0.0.1", stock_swank.port) as lisp:
        result = await lisp.eval("(+ 1 2)")
        assert (result.values, result.output) == (["3"], "")
        assert lisp.info.implementation == "SBCL"
        assert lisp.info.pid == stock_swank.process.pid
        assert lisp.info.swank_version == "2.27"


@pytest.mark.ledger("D-71")
async def test_values_and_output_are_apart_and_exact(here: Session) -> None:
    evaluation = await here.run('(progn (format t "é😀~%") (warn "careful") (values 1 :a "x\\"y" 2/3))')
    assert evaluation.state == "done"
    assert evaluation.values == ["1", ":A", '"x\\"y"', "2/3"]
    assert here.recorder.text(evaluation.id) == "é😀\n"
    assert "careful" in here.recorder.text(evaluation.id, "error")
    assert evaluation.output.startswith("é😀\n")
    assert evaluation.output_bytes == len(evaluation.output.encode())


@pytest.mark.ledger("D-71")
async def test_an_abort_is_told_from_an_end(here: Session) -> None:
    evaluation, stop = await here.stop('(error "no ~a" 1)')
    await here.lisp.abort(stop.thread, stop.level)
    await here.settled(evaluation)
    assert (evaluation.state, evaluation.values) == ("aborted", [])
    assert evaluation.condition is not None
    assert (evaluation.condition.type, evaluation.condition.message) == ("SIMPLE-ERROR", "no 1")


async def test_no_values_several_forms_and_an_empty_text(here: Session) -> None:
    assert (await here.run("(values)")).values == []
    assert (await here.run("(defvar *seen* 1) (incf *seen*) ; end\n")).values == ["2"]
    assert (await here.run("  ; nothing\n")).values == []


async def test_plain_eval_raises_and_leaves_nothing_stopped(here: Session) -> None:
    with pytest.raises(Aborted, match="variable NO-SUCH-VARIABLE is unbound"):
        await here.lisp.eval("no-such-variable")
    assert here.lisp.stops == {}


async def test_each_client_has_its_own_package_and_history(here: Session) -> None:
    await here.run("(defpackage one (:use cl)) (in-package one)", client="a")
    assert (await here.run("'x", client="a")).values == ["X"]
    assert (await here.run("(package-name *package*)", client="b")).values == ['"COMMON-LISP-USER"']
    assert (await here.run("(package-name *package*)", client="a")).values == ['"ONE"']
    await here.run("(values 1 2)", client="a")
    await here.run("3", client="b")
    assert (await here.run("(list * (first /) (rest /))", client="a")).values == ["(1 1 (2))"]
    assert (await here.run("(list * ** +)", client="b")).values == ['(3 "COMMON-LISP-USER" 3)']


async def test_a_package_that_is_named_is_used_and_does_not_stay(here: Session) -> None:
    await here.run("(defpackage two (:use cl))")
    assert (await here.run("'y", client="c", package="#:two")).values == ["Y"]
    assert (await here.run("(in-package two)", client="c", package="TWO")).package == "TWO"
    assert (await here.run("'two::y", client="c")).values == ["TWO::Y"]
    assert (await here.run("(package-name *package*)", client="c", package="NOT-THERE")).values == [
        '"COMMON-LISP-USER"'
    ]


async def test_one_client_waits_its_turn_and_another_does_not(here: Session) -> None:
    await here.run("(defvar *order* '()) (defvar *gate* (sb-thread:make-semaphore))")
    first = await here.start("(sb-thread:wait-on-semaphore *gate*) (push 1 *order*)", client="a")
    second = await here.start("(push 2 *order*)", client="a")
    other = await here.run("(push 3 *order*)", client="b")
    assert (other.state, first.state, second.state) == ("done", "running", "running")
    await here.run("(sb-thread:signal-semaphore *gate*)", client="b")
    await here.settled(second)
    assert (await here.run("*order*")).values == ["(2 1 3)"]


async def test_the_next_one_starts_when_the_one_before_has_stopped(here: Session) -> None:
    stopped, stop = await here.stop('(error "wait")', client="a")
    assert (await here.run("(+ 2 2)", client="a")).values == ["4"]
    assert stopped.state == "stopped"
    await here.lisp.abort(stop.thread, stop.level)


async def test_output_of_two_clients_never_mixes(here: Session) -> None:
    code = '(dotimes (i 400) (format t "{} ~d~%" i) (when (zerop (mod i 7)) (sleep 0.0005)))'
    one = await here.start(code.replace("{}", "one"), client="a")
    two = await here.start(code.replace("{}", "two"), client="b")
    await here.settled(one)
    await here.settled(two)
    for evaluation, word in ((one, "one"), (two, "two")):
        assert evaluation.output == "".join(f"{word} {i}\n" for i in range(400))


async def test_a_megabyte_of_output_arrives_whole_and_in_pieces(here: Session) -> None:
    evaluation = await here.run('(dotimes (i 20000) (format t "~50,\'0d é~%" i))')
    pieces = [text for id, text, _ in here.recorder.all("output") if id == evaluation.id]
    expected = "".join(f"{i:050d} é\n" for i in range(20000))
    assert "".join(pieces) == expected
    assert max(map(len, pieces)) <= 16384
    assert evaluation.output == expected[:OUTPUT_KEPT]
    assert evaluation.output_bytes == len(expected.encode())


async def test_output_that_nobody_flushes_is_seen_while_it_runs(here: Session) -> None:
    await here.run("(defvar *hold* (sb-thread:make-semaphore))")
    evaluation = await here.start('(write-string "so far") (sb-thread:wait-on-semaphore *hold*)', client="a")
    await here.recorder.until("output", lambda heard: heard == (evaluation.id, "so far", "output"))
    assert evaluation.state == "running"
    await here.run("(sb-thread:signal-semaphore *hold*)", client="b")
    await here.settled(evaluation)


async def test_columns_and_fresh_lines_are_known(here: Session) -> None:
    evaluation = await here.run('(progn (format t "a~&b~&~&") (fresh-line) (format t "~5tx"))')
    assert evaluation.output == "a\nb\n     x"


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (
            "(defclass mute () ())"
            ' (defmethod print-object ((o mute) s) (error "I will not"))'
            " (make-instance 'mute)",
            "#<MUTE that cannot be printed: SIMPLE-ERROR>",
        ),
        ("(let ((list (list 1))) (setf (cdr list) list))", "(1 1 1 1"),
        ("(make-string 17000000 :initial-element #\\a)", '"aaaa'),
        ("(make-string 9000000 :initial-element (code-char 128512))", '"😀😀'),
        ("(error (make-string 17000000 :initial-element #\\b))", None),
    ],
)
async def test_nothing_that_is_printed_ends_the_connection(
    here: Session, code: str, value: str | None
) -> None:
    evaluation = await here.run(code)
    if value is None:
        assert evaluation.stop is not None
        await here.lisp.abort(*evaluation.stop)
        await here.settled(evaluation)
        assert evaluation.state == "aborted"
    else:
        assert evaluation.state == "done"
        assert evaluation.values[-1].startswith(value)
        assert len(evaluation.values[-1].encode()) <= 4194304 + 100
    assert (await here.run("1")).values == ["1"]


@pytest.mark.ledger("D-73")
async def test_inspecting_gives_title_type_and_parts_as_text(here: Session) -> None:
    await here.run("(defstruct point x y)")
    text = await here.lisp.inspect("(make-point :x 41 :y '(a b))")
    assert text.startswith("#S(POINT :X 41 :Y (A B))\nType: POINT\n")
    assert "X = 41" in text
    assert "Y = (A B)" in text
    assert "7" in await here.lisp.inspect("(make-array 3 :initial-element 7)")


async def test_inspecting_what_errs_is_an_error_and_no_stop(here: Session) -> None:
    with pytest.raises(InvalidParams, match="DIVISION-BY-ZERO"):
        await here.lisp.inspect("(/ 1 0)")
    with pytest.raises(InvalidParams, match="In the way"):
        await here.lisp.inspect('(break "in the way")')
    assert here.lisp.stops == {}


async def test_input_is_asked_for_with_the_line_written_before_it(here: Session) -> None:
    evaluation = await here.start(
        '(progn (format t "first~%") (format *query-io* "Your name: ") (list (read-line) (read)))'
    )
    request = await here.recorder.until("input")
    assert (request.prompt, request.kind, request.evaluation) == ("Your name: ", "line", evaluation.id)
    await here.lisp.answer_input(request.tag, "Ada é😀")
    second = await here.recorder.until("input", lambda heard: heard.tag != request.tag)
    await here.lisp.answer_input(second.tag, "(1 2)")
    assert (await here.settled(evaluation)).values == ['("Ada é😀" (1 2))']
    with pytest.raises(NotFound):
        await here.lisp.answer_input(second.tag, "late")


async def test_a_question_with_two_answers_and_one_given_up(here: Session) -> None:
    evaluation = await here.start('(y-or-n-p "Really?")')
    request = await here.recorder.until("input")
    assert (request.kind, "Really?" in request.prompt) == ("yesOrNo", True)
    await here.lisp.answer_input(request.tag, "y")
    assert (await here.settled(evaluation)).values == ["T"]

    evaluation = await here.start("(read-line)")
    request = await here.recorder.until("input", lambda heard: heard.evaluation == evaluation.id)
    await here.lisp.answer_input(request.tag, None)
    assert (await here.settled(evaluation)).state == "aborted"
    assert here.recorder.all("withdrawn") == []  # what was answered is not withdrawn


async def test_a_question_is_withdrawn_when_its_evaluation_is_aborted(here: Session) -> None:
    evaluation = await here.start('(progn (format *query-io* "Name: ") (read-line))')
    request = await here.recorder.until("input")
    await here.lisp.interrupt(evaluation=evaluation.id)
    await here.next(evaluation)
    assert here.recorder.all("withdrawn") == []  # it reads on when it is continued
    await here.lisp.toplevel(*evaluation.stop or (0, 0))
    assert (await here.settled(evaluation)).state == "aborted"
    assert await here.recorder.until("withdrawn") == request
    with pytest.raises(NotFound):
        await here.lisp.answer_input(request.tag, "late")


async def test_what_swank_asks_itself_is_answered_too(here: Session) -> None:
    evaluation = await here.start(
        '(list (swank::y-or-n-p-in-emacs "Sure?") (swank::read-from-minibuffer-in-emacs "N:"))'
    )
    sure = await here.recorder.until("input")
    assert (sure.prompt, sure.kind) == ("Sure?", "yesOrNo")
    await here.lisp.answer_input(sure.tag, "no")
    name = await here.recorder.until("input", lambda heard: heard.prompt == "N:")
    await here.lisp.answer_input(name.tag, "x")
    assert (await here.settled(evaluation)).values == ['(NIL "x")']


async def test_an_endless_loop_is_interrupted_and_aborted(here: Session) -> None:
    evaluation = await here.start("(loop)", client="a")
    await here.run("1", client="b")
    await here.lisp.interrupt(evaluation=evaluation.id)
    await here.next(evaluation)
    assert evaluation.condition is not None
    assert evaluation.condition.type == "interrupt"
    assert evaluation.stop is not None
    stop = here.lisp.stops[evaluation.stop]
    assert "CONTINUE" in [restart.name for restart in stop.restarts]
    assert all("SWANK" not in frame.description for frame in stop.frames)
    await here.lisp.abort(*evaluation.stop)
    assert (await here.settled(evaluation)).state == "aborted"


async def test_an_endless_printer_is_interrupted_and_goes_on(here: Session) -> None:
    await here.run("(defvar *enough* nil)")
    evaluation = await here.start('(loop until *enough* do (format t "more ~a~%" (random 9)))', client="a")
    await here.recorder.until("output", lambda heard: heard[0] == evaluation.id)
    await here.lisp.interrupt(evaluation=evaluation.id)
    await here.next(evaluation)
    assert evaluation.stop is not None
    await here.run("(setf *enough* t)", client="b")
    await here.lisp.continue_(*evaluation.stop)
    assert (await here.settled(evaluation)).state == "done"


async def test_an_abort_that_comes_while_output_is_sent_is_not_left_lying(here: Session) -> None:
    # Another thread sends for this evaluation, which waits for that in `finish-output`: interrupts wait too.
    await here.run("(defvar *sending* nil) (defvar *printer* nil)")
    evaluation = await here.start(
        "(let ((port (descartes-boot::evaluation-port descartes-boot::*evaluation*)))"
        ' (princ "begun")'
        " (sb-thread:make-thread"
        "  (lambda () (sb-thread:with-recursive-lock ((descartes-boot::port-sending port))"
        "              (setf *sending* t) (loop while *sending* do (sleep 0.01)))))"
        " (loop until *sending* do (sleep 0.01))"
        " (setf *printer* sb-thread:*current-thread*)"
        " (finish-output) (loop (sleep 0.01)))",
        client="a",
    )
    printers = "(sb-thread:symbol-value-in-thread '{} *printer*)".format
    enabled = printers("swank::*slime-interrupts-enabled*")
    pending = printers("swank/backend::*pending-slime-interrupts*")
    await here.run(f"(loop until (and *printer* (not {enabled})) do (sleep 0.01))", client="b")
    await here.lisp.abort_evaluation(evaluation.id)
    await here.run(f"(progn (loop until {pending} do (sleep 0.01)) (setf *sending* nil))", client="b")
    assert (await here.settled(evaluation)).state == "aborted"


async def test_interrupting_what_does_not_run(here: Session) -> None:
    with pytest.raises(NotFound):
        await here.lisp.interrupt(evaluation="eval_unknown")
    with pytest.raises(NotFound):
        await here.lisp.interrupt(thread=987654)
    first = await here.start("(sleep 30)", client="a")
    waiting = await here.start("(print 1)", client="a")
    await here.lisp.interrupt(evaluation=waiting.id)
    assert (waiting.state, waiting.output) == ("aborted", "")
    await here.lisp.interrupt(evaluation=first.id)
    await here.next(first)
    assert first.state == "stopped"


async def test_evaluating_answers_within_a_few_milliseconds(here: Session) -> None:
    times = []
    for _ in range(50):
        began = time.perf_counter()
        await here.lisp.eval("(+ 1 2)")
        times.append(time.perf_counter() - began)
    # A busy machine holds up some of them, never nearly all; what waits for something takes 40 ms.
    assert sorted(times)[5] < 0.02


async def test_a_killed_image_ends_everything_once(own_stock_swank: StockSwank) -> None:
    async with session(own_stock_swank.port) as here:
        _, stop = await here.stop('(error "stopped")', client="a")
        running = await here.start("(loop)", client="b")
        waiting = await here.start("1", client="b")
        frames = asyncio.ensure_future(here.lisp.eval_in_frame(stop.thread, stop.level, 0, "(loop)"))
        await here.run("1", client="c")
        own_stock_swank.kill()
        for evaluation in (running, waiting):
            assert (await here.settled(evaluation)).state == "lost"
        with pytest.raises(LispLost):
            async with asyncio.timeout(DEADLINE_S):
                await frames
        assert here.lisp.stops == {}
        assert here.recorder.all("left") == [stop.id]
        assert len(here.recorder.all("lost")) == 1
        for call in (
            lambda: here.lisp.start_evaluation("1", id=new_id()),
            lambda: here.lisp.frames(stop.thread, stop.level, 0, 1),
            lambda: here.lisp.inspect("1"),
        ):
            with pytest.raises(LispLost):
                await call()


async def test_errors_of_other_threads_come_here_though_another_client_came_later(
    stock_swank: StockSwank, here: Session
) -> None:
    await here.alone()  # so that nobody who leaves late is counted
    (before,) = (await here.run("(length swank::*connections*)")).values
    other = await Connection.open("127.0.0.1", stock_swank.port, on_event=lambda _: None)
    try:
        await here.run(
            f"(loop until (and (> (length swank::*connections*) {before})"
            " (eq swank::*emacs-connection* (first swank::*connections*))) do (sleep 1/100))"
        )
        started = await here.run(
            '(sb-thread:make-thread (lambda () (error "in the background")) :name "worker bee")'
        )
        stop = await here.recorder.until("stopped")
        assert (stop.condition.message, stop.evaluation) == ("in the background", started.id)
        await here.lisp.abort(*stop.id)
        await here.recorder.until("left")
    finally:
        await other.close()


async def test_a_request_that_nobody_asked_for_is_aborted_unseen(here: Session) -> None:
    with pytest.raises(Aborted):
        async with asyncio.timeout(DEADLINE_S):
            await here.lisp.connection.rex('(cl:error "a hover that fails")')
    assert here.recorder.all("stopped") == []
    assert here.lisp.stops == {}


async def test_nothing_answers() -> None:
    with socket.socket() as taken, pytest.raises(LispLost):
        taken.bind(("127.0.0.1", 0))  # nobody else can listen there meanwhile
        await Lisp.open("127.0.0.1", taken.getsockname()[1])


async def test_the_example_of_the_readme(stock_swank: StockSwank, capsys: pytest.CaptureFixture[str]) -> None:
    readme = Path(__file__).parents[2] / "swank" / "README.md"
    match = re.search(r"```python\n(.*?)asyncio\.run\(main\(\)\)\n```", readme.read_text(), re.DOTALL)
    assert match is not None
    names: dict[str, Any] = {}
    exec(match[1].replace("4005", str(stock_swank.port)), names)
    await names["main"]()
    assert capsys.readouterr().out == "Result(values=['3'], output='')\n"
