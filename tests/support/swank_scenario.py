"""What is done with a Swank while its traffic is recorded, and again when the recording is played.

Every step is one thing that changed between versions, or that a client cannot do without.
"""

from __future__ import annotations

import asyncio

from descartes_swank import Lisp, Listener
from descartes_swank.forms import Symbol
from support.session import patient

DEADLINE_S = 60


class Heard(Listener):
    """Keeps what was written."""

    def __init__(self) -> None:
        self.text = ""

    def output(self, evaluation: str | None, text: str, stream: str) -> None:
        self.text += text


async def scenario(port: int, *, interrupts: bool = True) -> None:
    """Use the server at PORT by Swank's own calls and check what comes of it."""
    heard = Heard()
    lisp = await Lisp.open("127.0.0.1", port, plain=True, listener=heard)
    async with lisp, asyncio.timeout(DEADLINE_S):
        assert lisp.info.implementation == "SBCL" and lisp.info.package == "COMMON-LISP-USER"
        await _evaluates(lisp)
        await _leaves_by_a_restart(lisp)
        await _nests(lisp)
        await _asks(lisp)
        await _compiles(lisp)
        await _listens(lisp, heard)
        if interrupts:
            await _interrupts(lisp)


async def _evaluates(lisp: Lisp) -> None:
    result = await lisp.eval('(princ "hi") (values 3 :b "ä😀")')
    assert result.values == ["3", ":B", '"ä😀"'] and result.output == "hi"


async def _leaves_by_a_restart(lisp: Lisp) -> None:
    code = '(restart-case (error "no way") (use-value (v) :report "Use it." v))'
    evaluation = await lisp.start_evaluation(code, id="restart")
    await evaluation.paused_or_settled()
    assert evaluation.stop is not None
    stop = lisp.stops[evaluation.stop]
    assert stop.condition.message == "no way" and stop.condition.type == "SIMPLE-ERROR"
    assert stop.restarts[0].name == "USE-VALUE" and stop.restarts[0].description == "Use it."
    assert stop.frames
    await lisp.invoke_restart(*stop.id, name="USE-VALUE", arguments=["(* 6 7)"])
    await evaluation.settled()
    assert (evaluation.state, evaluation.values) == ("done", ["42"])


async def _nests(lisp: Lisp) -> None:
    outer = await lisp.start_evaluation('(let ((x 5)) (error "outer ~a" x))', id="outer")
    await outer.paused_or_settled()
    assert outer.stop is not None
    assert await lisp.eval_in_frame(*outer.stop, 0, "(+ 20 22)") == ["42"]
    inner = await lisp.start_evaluation_in_frame(*outer.stop, 0, '(error "inner")', id="inner")
    await inner.paused_or_settled()
    assert inner.stop == (outer.stop[0], outer.stop[1] + 1)
    await lisp.abort(*inner.stop)
    await inner.settled()
    assert inner.state == "aborted" and set(lisp.stops) == {outer.stop}
    await lisp.toplevel(*outer.stop)
    await outer.settled()
    assert outer.state == "aborted" and lisp.stops == {}


async def _asks(lisp: Lisp) -> None:
    questions = patient(lisp.questions())
    assert [each.label for each in await questions.completions("multiple-value-b", "CL-USER")] == [
        "multiple-value-bind"
    ]
    assert await questions.arglist("car", "CL-USER") == "(car LIST)"
    assert await questions.arglist("no-such-function", "CL-USER") is None
    assert (await questions.describe("car", "CL-USER")).startswith("COMMON-LISP:CAR")
    assert await questions.describe("no ) such", "CL-USER") == ""


async def _compiles(lisp: Lisp) -> None:
    code = "(defun recorded (x) (list x recorded-oops))"
    compiled = await lisp.compile_string(code, id="compiled", file=None, position=0, package="CL-USER")
    await compiled.settled()
    (note,) = compiled.notes
    assert note.message == "undefined variable: COMMON-LISP-USER::RECORDED-OOPS"
    assert note.severity == "warning" and code[note.start : note.end] == "recorded-oops"


async def _listens(lisp: Lisp, heard: Heard) -> None:
    """Swank's REPL: since 2.28 whoever prints waits for the client at each piece."""
    await lisp.connection.rex("(swank:swank-require (cl:quote (swank-repl)))")
    await lisp.connection.rex("(swank-repl:create-repl nil)")
    form = '(swank-repl:listener-eval "(progn (princ 1) (finish-output) (princ 2) 42)")'
    await lisp.connection.rex(form, thread=Symbol(":repl-thread"))
    assert heard.text.endswith("1242\n") or heard.text.split()[-1] == "42", heard.text
    assert "1" in heard.text and "2" in heard.text


async def _interrupts(lisp: Lisp) -> None:
    running = await lisp.start_evaluation("(loop (sleep 1))", id="loop")
    # Its answer means that the request before it has its thread.
    await lisp.connection.rex("(cl:progn (cl:sleep 1/5) cl:t)")
    await lisp.interrupt(evaluation="loop")
    await running.paused_or_settled()
    assert running.stop is not None
    await lisp.toplevel(*running.stop)
    await running.settled()
    assert running.state == "aborted"
