"""One connection to the distribution's Swank: requests, events, errors, a killed Lisp, and no stall."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from fractions import Fraction
from typing import Any

import pytest

from descartes_swank import messages, parsing
from descartes_swank.connection import Connection
from descartes_swank.errors import (
    Aborted,
    DebuggerStale,
    InvalidParams,
    LispLost,
    ReaderError,
    RequestInvalid,
    TooLarge,
)
from descartes_swank.sexp import Char, Cons, Symbol, Vector, plist
from support.stock_swank import StockSwank, own_stock_swank, stock_swank
from support.swank_events import Events
from support.until import answer_that

__all__ = ["own_stock_swank", "stock_swank"]

REPL = Symbol(":repl-thread")


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
async def lisp(stock_swank: StockSwank, events: Events) -> AsyncIterator[Connection]:
    connection = await Connection.open("127.0.0.1", stock_swank.port, on_event=events)
    yield connection
    await connection.close()


@pytest.fixture
async def repl(lisp: Connection) -> Connection:
    await lisp.rex("(swank:swank-require '(:swank-repl))")
    await lisp.rex("(swank-repl:create-repl nil)")
    return lisp


@pytest.mark.ledger("D-70")
async def test_requests_answer_with_values(lisp: Connection, stock_swank: StockSwank) -> None:
    info = plist(await lisp.rex([Symbol("swank:connection-info")]))
    assert info[":pid"] == stock_swank.process.pid
    assert plist(info[":lisp-implementation"])[":type"] == "SBCL"
    assert await lisp.rex('(swank:operator-arglist "car" "CL")') == "(car LIST)"


@pytest.mark.parametrize(
    "value",
    [None, True, 42, -(10**40), Fraction(1, 3), 1.5, -2.5e-7, 1e22, float("inf"), "é😀€ \"\\\n\t", Char("a"),
     Char(" "), Char("λ"), [1, ["two", None], Symbol(":three")], Cons((1, 2), "x"), Vector((1, "x")),
     Symbol("cl:car"), Symbol(":|Foo Bar|"), [Symbol("quote"), 1]],
)  # fmt: skip
async def test_a_real_lisp_reads_and_prints_what_we_do(lisp: Connection, value: Any) -> None:
    answer = await lisp.rex([Symbol("cl:quote"), value])
    if value == "cl:car":
        assert answer in {"cl:car", "common-lisp:car"}
    else:
        assert answer == value
        assert type(answer) is type(value)


async def test_a_huge_integer_comes_with_all_its_digits(lisp: Connection) -> None:
    answer = await lisp.rex([Symbol("cl:1+"), 10**5000])
    assert answer == "1" + "0" * 4999 + "1"
    assert isinstance(answer, Symbol)


async def test_objects_without_syntax_are_kept_whole(lisp: Connection) -> None:
    answer = await lisp.rex("(cl:list (cl:find-package :cl) (cl:function cl:car) (cl:make-hash-table) 1)")
    assert [type(item).__name__ for item in answer] == ["Unreadable", "Unreadable", "Unreadable", "int"]
    assert answer[0] == '#<common-lisp:package "COMMON-LISP">'


async def test_requests_on_new_workers_run_side_by_side(lisp: Connection) -> None:
    """Each waits until all of them are there."""
    await lisp.rex("(cl:defparameter cl-user::*there* (cl:list 0))")
    wait = "(cl:loop until (cl:= 20 (cl:car cl-user::*there*)) do (cl:sleep 0.01))"
    meet = f"(cl:progn (sb-ext:atomic-incf (cl:car cl-user::*there*)) {wait} {{}})"
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(lisp.rex(meet.format(n)) for n in range(20)))
    assert answers == list(range(20))


async def test_output_and_values_arrive_as_events(repl: Connection, events: Events) -> None:
    await repl.rex('(swank-repl:listener-eval "(progn (princ 1) (+ 40 2))")', thread=REPL)
    written = [event for event in events.seen if isinstance(event, messages.WriteString)]
    assert "1" in "".join(event.text for event in written if event.target is None)
    assert "42\n" in [event.text for event in written if event.target == ":repl-result"]


@pytest.mark.ledger("D-70")
async def test_more_than_a_hundred_messages_do_not_stall(repl: Connection, events: Events) -> None:
    await repl.rex('(swank-repl:listener-eval "(dotimes (i 500) (princ i) (finish-output))")', thread=REPL)
    written = (e.text for e in events.seen if isinstance(e, messages.WriteString) and e.target is None)
    assert "".join(written).strip() == "".join(map(str, range(500)))
    assert not any(isinstance(event, messages.Ping) for event in events.seen)


async def test_a_failing_request_stops_in_the_debugger_and_is_aborted(
    lisp: Connection, events: Events
) -> None:
    request, answer = lisp.rex_with_id('(cl:error "a ~a" :thing)')
    stop = await events.next(messages.Debug)
    assert stop.condition == messages.ConditionText("a THING", "SIMPLE-ERROR", None)
    assert stop.conts == (request,)
    assert stop.level == 1
    assert any(restart.quits for restart in stop.restarts)
    info = parsing.debug_info(await lisp.rex("(swank:debugger-info-for-emacs 0 5)", thread=stop.thread))
    assert info is not None
    assert (info.condition, len(info.frames)) == (stop.condition, 5)
    # The request that asks is the innermost.
    assert info.conts[1:] == stop.conts
    with pytest.raises(Aborted):
        await lisp.rex("(swank:throw-to-toplevel)", thread=stop.thread)
    with pytest.raises(Aborted, match="SIMPLE-ERROR"):
        await answer
    assert (await events.next(messages.DebugReturn)).thread == stop.thread


async def test_a_line_of_input_is_sent(repl: Connection, events: Events) -> None:
    _, answer = repl.rex_with_id('(swank-repl:listener-eval "(read-line)")', thread=REPL)
    wanted = await events.next(messages.ReadString)
    repl.send([Symbol(":emacs-return-string"), wanted.thread, wanted.tag, "héllo\n"])
    await answer
    result = await events.next(messages.WriteString, lambda event: "héllo" in event.text)
    assert result.target == ":repl-result"


async def test_a_working_thread_is_interrupted(repl: Connection, events: Events) -> None:
    # Not by its output: Swank leaves an interrupt lying that comes while a thread sends a message.
    await repl.rex("(cl:defparameter cl-user::*on* cl:nil)")
    _, answer = repl.rex_with_id(
        '(swank-repl:listener-eval "(progn (setf cl-user::*on* t) (loop))")', thread=REPL
    )
    await answer_that(bool, lambda: repl.rex("cl-user::*on*"), "the thread works")
    repl.interrupt(REPL)
    stop = await events.next(messages.Debug)
    with pytest.raises(Aborted):
        await repl.rex("(swank:sldb-abort)", thread=stop.thread)
    with pytest.raises(Aborted):
        await answer


async def test_what_lisp_cannot_read_fails_its_own_request(lisp: Connection) -> None:
    slow = asyncio.ensure_future(lisp.rex("(cl:progn (cl:sleep 0.2) 1)"))
    with pytest.raises(ReaderError, match="NOWHERE") as caught:
        await lisp.rex("(nowhere:f 1)")
    assert caught.value.code == "invalid_params"
    assert await slow == 1


@pytest.mark.parametrize("text", ["(cl:list 1", "(cl:list 1))", "1 2", "", '"open'])
async def test_text_that_is_not_one_form_is_not_sent(lisp: Connection, text: str) -> None:
    with pytest.raises(InvalidParams, match="one Lisp form"):
        await lisp.rex(text)
    assert await lisp.rex("1 ; and a comment") == 1


async def test_a_request_to_a_thread_that_is_gone_fails(lisp: Connection) -> None:
    with pytest.raises(RequestInvalid, match="4711") as caught:
        await lisp.rex("1", thread=4711)
    assert isinstance(caught.value, DebuggerStale)
    assert caught.value.code == "debugger_stale"


async def test_a_request_that_is_too_long_is_refused_and_leaves_the_connection(lisp: Connection) -> None:
    with pytest.raises(TooLarge):
        await lisp.rex(["cl:length", "x" * 17_000_000])
    assert await lisp.rex("1") == 1


async def test_an_answer_over_the_protocols_limit_ends_the_connection_clearly(
    stock_swank: StockSwank, events: Events
) -> None:
    connection = await Connection.open("127.0.0.1", stock_swank.port, on_event=events)
    with pytest.raises(LispLost):
        await connection.rex("(cl:make-string 17000000 :initial-element #\\x)")
    await connection.closed


async def test_a_big_answer_arrives_whole(lisp: Connection) -> None:
    answer = await lisp.rex('(cl:list (cl:make-string 5000000 :initial-element #\\λ) "end")')
    assert answer == ["λ" * 5_000_000, "end"]


async def test_a_cancelled_request_leaves_no_trace(lisp: Connection, events: Events) -> None:
    request = asyncio.ensure_future(lisp.rex("(cl:progn (cl:sleep 0.2) 1)"))
    await asyncio.sleep(0)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert await lisp.rex("(cl:progn (cl:sleep 0.4) 2)") == 2
    assert not any(isinstance(event, messages.Return) for event in events.seen)


async def test_the_lisp_is_killed_and_every_request_fails_at_once(
    own_stock_swank: StockSwank, events: Events
) -> None:
    connection = await Connection.open("127.0.0.1", own_stock_swank.port, on_event=events)
    await connection.rex("1")
    pending = [connection.rex_with_id("(cl:sleep 600)")[1] for _ in range(10)]
    own_stock_swank.kill()
    answers = await asyncio.wait_for(asyncio.gather(*pending, return_exceptions=True), 60)
    assert [type(answer) for answer in answers] == [LispLost] * 10
    assert connection.closed.done()
    with pytest.raises(LispLost, match="connect again"):
        await connection.rex("1")
    with pytest.raises(LispLost):
        connection.send([Symbol(":emacs-interrupt"), True])
    await connection.close()


async def undisturbed_ms(ask: Callable[[int], Any]) -> float:
    """Return what ASK takes when the machine has time for it: most of 30 times take no less."""
    times = []
    for n in range(30):
        begin = time.perf_counter()
        await ask(n)
        times.append(1000 * (time.perf_counter() - begin))
    return sorted(times)[5]


async def test_no_request_waits_for_a_delayed_acknowledgement(repl: Connection) -> None:
    evaluated = await undisturbed_ms(lambda _: repl.rex('(swank-repl:listener-eval "(+ 1 2)")', thread=REPL))
    compiled = await undisturbed_ms(
        lambda n: repl.rex(
            f'(swank:compile-string-for-emacs "(defun quick{n} (x) (* x {n}))" "b" '
            "'((:position 1) (:line 1 1)) cl:nil cl:nil)"
        )
    )
    # With the stall both are 44, each time.
    assert evaluated < 30
    assert compiled < 30


async def test_ids_go_on_where_the_last_connection_ended(stock_swank: StockSwank, events: Events) -> None:
    connection = await Connection.open("127.0.0.1", stock_swank.port, first_id=500, on_event=events)
    request, answer = connection.rex_with_id("1")
    assert (request, await answer, connection.next_id) == (500, 1, 501)
    await connection.close()
