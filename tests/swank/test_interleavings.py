"""Random interleavings of stops, requests, aborts and broken connections, against a model of what must be so.

Every request has exactly one answer, nothing hangs, and the table of stops is the model's: with a server that
plays Swank's part event by event, and with a real image.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from descartes_swank import DebuggerStale, InvalidParams, Lisp, LispLost, NotFound
from descartes_swank.connection import Connection
from descartes_swank.debugger import Condition, Debugger, Describe, Stop
from descartes_swank.errors import SwankError
from descartes_swank.evaluation import Evaluation
from descartes_swank.stopped import StepKind
from support.fake_swank import Peer, fake_swank
from support.stock_swank import StockSwank
from support.until import until

DEADLINE_S = 60
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["answer", "abort", "stop", "leave", "again", "invalid", "ask", "cancel"]),
        st.integers(0, 9),
    ),
    max_size=40,
)


@dataclass
class Model:
    """What a client must know of a server: requests without an answer, and levels by thread."""

    asked: set[int] = field(default_factory=set)
    levels: dict[int, int] = field(default_factory=dict)


def _debug(thread: int, level: int, request: int) -> str:
    return (
        f'(:debug {thread} {level} ("oops" "   [Condition of type SIMPLE-ERROR]" nil)'
        f' (("ABORT" "Return.")) ((0 "(F)")) ({request}))'
    )


class Played:
    """A connection to a server that says whatever it is told to say."""

    def __init__(self, connection: Connection, peer: Peer) -> None:
        self.connection, self.peer = connection, peer
        self.model = Model()
        self.answers: dict[int, asyncio.Future[Any]] = {}
        self.expected: dict[int, str] = {}
        self.cancelled: set[int] = set()

    async def perform(self, step: str, number: int) -> None:
        pending = sorted(self.model.asked)
        request = pending[number % len(pending)] if pending else None
        thread, level = number % 3 + 1, self.model.levels.get(number % 3 + 1, 0)
        if step == "ask":
            await self._ask()
        elif step == "stop":
            self.model.levels[thread] = level + 1
            self.peer.send(_debug(thread, level + 1, request or 0))
        elif step == "leave" and level:
            self.model.levels[thread] = level - 1
            self.peer.send(f"(:debug-return {thread} {level} nil)")
            if level > 1:  # Swank says twice where it is back
                self.peer.send(_debug(thread, level - 1, request or 0))
                self.peer.send(_debug(thread, level - 1, request or 0))
        elif step == "again" and level:
            self.peer.send(_debug(thread, level, request or 0))
        elif request is not None:
            await self._end(step, request)

    async def _ask(self) -> None:
        request, answer = self.connection.rex_with_id("(cl:list)")
        self.answers[request] = answer
        assert (await self.peer.receive_request())[1] == request
        self.model.asked.add(request)

    async def _end(self, step: str, request: int) -> None:
        self.model.asked.discard(request)
        self.expected[request] = step
        if step == "cancel":
            self.answers[request].cancel()
            self.cancelled.add(request)
        lines = {
            "abort": f'(:return (:abort "NIL") {request})',
            "invalid": f'(:invalid-rpc {request} "Thread not found")',
        }
        # An answer that nobody waits for any more is dropped.
        self.peer.send(lines.get(step, f"(:return (:ok {request}) {request})"))

    async def settle(self) -> None:
        """Return when everything that was said has been heard."""
        self.peer.send("(:ping 9 9)")
        while (await self.peer.receive())[0] != ":emacs-pong":
            pass

    def check(self) -> None:
        for request, answer in self.answers.items():
            assert answer.done() == (request in self.expected), request
            match self.expected.get(request):
                case "answer":
                    assert answer.result() == request
                case "cancel":
                    assert answer.cancelled()
                case "abort" | "invalid":
                    assert isinstance(answer.exception(), SwankError)


class Table:
    """The session's state machine, told the same events, with descriptions that come at once."""

    def __init__(self) -> None:
        self.machine = Debugger()

    def hear(self, event: Any) -> None:
        kind = type(event).__name__
        if kind == "Debug":
            self._perform(self.machine.entered(event.thread, event.level, silent=False))
        elif kind == "DebugReturn":
            self._perform(self.machine.left(event.thread, event.level))

    def _perform(self, effects: list[Any]) -> None:
        for effect in effects:
            if isinstance(effect, Describe):
                stop = Stop(effect.thread, effect.level, Condition("E", "e"), (), (), 0, None)
                self._perform(self.machine.described(effect.visit, stop))


async def _play(steps: list[tuple[str, int]], *, cut: bool) -> None:
    ready: asyncio.Future[Peer] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def part(peer: Peer) -> None:
        ready.set_result(peer)
        await over.wait()

    table = Table()
    async with fake_swank(part) as fake:
        connection = await Connection.open("127.0.0.1", fake.port, on_event=table.hear)
        played = Played(connection, await ready)
        for step, number in steps:
            await played.perform(step, number)
        await played.settle()
        played.check()
        levels = {
            (thread, level) for thread, top in played.model.levels.items() for level in range(1, top + 1)
        }
        assert set(table.machine.stops) == levels
        for thread, top in played.model.levels.items():
            waiting = [level for level in range(1, top + 1) if table.machine.waiting(thread, level)]
            assert waiting == ([top] if top else [])
        over.set() if cut else None
        if not cut:
            await connection.close()
            over.set()
        await asyncio.shield(connection.closed)
        table._perform(table.machine.lost())
        assert table.machine.stops == {}
        for request in played.model.asked:
            assert isinstance(played.answers[request].exception(), LispLost)
        with pytest.raises(LispLost):
            await connection.rex("(cl:list)")


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, cut=st.booleans())
def test_a_server_that_says_anything_in_any_order(steps: list[tuple[str, int]], cut: bool) -> None:
    asyncio.run(asyncio.wait_for(_play(steps, cut=cut), DEADLINE_S))


# The same with a real image

DEEDS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("value", "error", "loop", "called", "nested", "abort", "toplevel", "restart", "interrupt"),
                *("continue", "step", "return", "again", "breakpoint", "break"),
            ]
        ),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=14,
)
DEFINITION = """(unless (fboundp 'called)
  (eval (read-from-string "(locally (declare (optimize (debug 3))) (defun called (n) (list (1+ n) n)))")))"""
STEP_KINDS: tuple[StepKind, ...] = ("into", "next", "out")
_numbers = itertools.count(1)


class Real:
    """A session with the image, and what must have become of each evaluation."""

    def __init__(self, lisp: Lisp, port: int) -> None:
        self.lisp, self.port = lisp, port
        self.begun: list[Evaluation] = []
        self.broken = False
        self.loops: set[str] = set()
        """Those that run until they are interrupted; any other that runs waits for a stop of its thread."""

    def chosen(self, number: int) -> Stop | None:
        waiting = [each for each in self.lisp.stops.values() if self.lisp._debugger.waiting(*each.id)]
        return waiting[number % len(waiting)] if waiting else None

    async def do(self, deed: str, number: int) -> None:
        stop = self.chosen(number)
        codes = {
            "value": f"(+ {number} 1)",
            "error": '(restart-case (error "x") (use-value (v) v))',
            "loop": "(loop (sleep 1/100))",
            "called": f"(progn (break) (list (called {number}) (called {number + 1})))",
        }
        if deed in codes:
            await self._begin(codes[deed])
        elif deed == "interrupt":
            running = [each for each in self.begun if each.state == "running" and each.id in self.loops]
            if running:
                try:
                    await self.lisp.interrupt(evaluation=running[number % len(running)].id)
                except NotFound:
                    return
                # One whose outer level was taken over seems to run, and stops when the inner one is left.
                if not self.broken:
                    await running[number % len(running)].paused_or_settled()
        elif deed == "break":
            await self._reconnect()
        elif deed == "breakpoint":
            await self._toggle_breakpoint(number)
        elif stop is not None:
            await self._leave(deed, stop, number)

    async def _begin(self, code: str) -> None:
        # Each of a client of its own: those of one client wait for each other.
        name = f"mix_{next(_numbers)}"
        evaluation = await self.lisp.start_evaluation(code, id=name, client=name)
        self.begun.append(evaluation)
        if "loop" in code:
            self.loops.add(name)
        else:
            await evaluation.paused_or_settled()

    async def _leave(self, deed: str, stop: Stop, number: int) -> None:
        try:
            if deed == "nested":
                inner = await self.lisp.start_evaluation_in_frame(
                    *stop.id, 0, '(error "inner")', id=f"mix_{next(_numbers)}"
                )
                self.begun.append(inner)
                await inner.paused_or_settled()
            elif deed == "restart" and stop.restarts[0].name == "USE-VALUE":
                await self.lisp.invoke_restart(*stop.id, index=0, arguments=[str(number)])
            elif deed == "toplevel":
                await self.lisp.toplevel(*stop.id)
            elif deed == "continue":
                await self.lisp.continue_(*stop.id)
            elif deed == "step":
                await self.lisp.step(*stop.id, STEP_KINDS[number % 3])
            elif deed == "return":
                await self.lisp.return_from_frame(*stop.id, number % 3, f"(list {number})")
            elif deed == "again":
                await self.lisp.restart_frame(*stop.id, number % 3)
            else:
                await self.lisp.abort(*stop.id)
        except (DebuggerStale, InvalidParams, NotFound):
            pass  # another level, or a stop without that way out

    async def _toggle_breakpoint(self, number: int) -> None:
        if any(each.id == "brk_mix" for each in await self.lisp.breakpoints()):
            await self.lisp.forget_breakpoint("brk_mix")
        else:
            condition = "(evenp n)" if number % 2 else None
            verdict = await self.lisp.break_at_function("brk_mix", "cl-user::called", condition=condition)
            assert verdict.verified, verdict

    async def _reconnect(self) -> None:
        old, self.broken = self.lisp, True
        old.connection._link.abort()
        await asyncio.shield(old.connection.closed)
        await asyncio.sleep(0)
        assert old.stops == {} and all(each.ended for each in self.begun)
        self.lisp = await Lisp.open("127.0.0.1", self.port)
        # What is still taken for the old client's is left to nobody, and would meet the next example.
        alone = "(cl:loop while (cl:rest swank::*connections*) do (cl:sleep 1/100))"
        await self.lisp.connection.rex(alone)
        self.begun += await self.lisp.adopt()

    async def end(self) -> None:
        """Bring everything to its end; each evaluation has one."""
        while not all(each.ended for each in self.begun):
            stop = self.chosen(0)
            if stop is not None:
                await self._leave("toplevel", stop, 0)
            else:
                await self.do("interrupt", next(_numbers))
            await asyncio.sleep(0.01)
        assert self.lisp.evaluations == {}
        await self.lisp.forget_breakpoint("brk_mix")
        await until(lambda: not self.lisp.stops, "no stop is left")


async def _mix(deeds: list[tuple[str, int]], port: int) -> None:
    before = len(asyncio.all_tasks())
    real = Real(await Lisp.open("127.0.0.1", port), port)
    await real.lisp.eval(DEFINITION, package="CL-USER")
    for deed, number in deeds:
        await real.do(deed, number)
        # Only the innermost level of a stop is told again to a client that takes over.
        for stop in real.lisp.stops.values() if not real.broken else ():
            below = {(stop.thread, level) for level in range(1, stop.level)}
            assert below <= set(real.lisp.stops), "levels have no gaps"
    await real.end()
    await real.lisp.close()
    await until(lambda: len(asyncio.all_tasks()) <= before, "no task is left")


@settings(
    max_examples=12,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(deeds=DEEDS)
@example(deeds=[("error", 7), ("nested", 4), ("value", 4), ("break", 8), ("interrupt", 0), ("nested", 7)])
@example(deeds=[("loop", 7), ("interrupt", 4), ("nested", 0), ("break", 5), ("break", 6), ("value", 0)])
def test_a_real_image_in_any_order(stock_image: StockSwank, deeds: list[tuple[str, int]]) -> None:
    asyncio.run(asyncio.wait_for(_mix(deeds, stock_image.port), DEADLINE_S))
