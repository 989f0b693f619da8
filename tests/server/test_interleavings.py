"""Random interleavings of several clients who leave the same stops: each of them has one answer."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from descartes_core.errors import DebuggerStale, InvalidParams, NotFound
from support.lisp_desk import Desk, lisp_desk

DEADLINE_S = 100
WAIT_MS = 60_000
"""As long as nothing that goes wrong is: whoever is forgotten waits for all of it."""
CODES = (
    '(restart-case (error "x") (use-value (v) v))',
    "(progn (break) (list (called 1) (called 2)))",
    '(handler-case (progn (break) (error "y")) (error () (break)))',
    '(progn (sb-thread:make-thread (lambda () (error "z"))) 1)',
)
WAYS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("abort", {}),
    ("toplevel", {}),
    ("continue", {}),
    ("restart", {"name": "USE-VALUE", "arguments": ["7"]}),
    ("step", {"kind": "into"}),
    ("step", {"kind": "next"}),
    ("returnFromFrame", {"frame": 0, "code": "1"}),
    ("restartFrame", {"frame": 0}),
    ("evalInFrame", {"frame": 0, "code": '(error "inner")'}),
    ("evalInFrame", {"frame": 0, "code": "(+ 1 2)"}),
)
BEGIN = st.tuples(st.just("begin"), st.integers(0, len(CODES) - 1))
LEAVE = st.tuples(st.just("leave"), st.integers(0, len(WAYS) - 1))
BREAK = st.tuples(st.just("breakpoint"), st.just(0))
ROUNDS = st.lists(st.lists(st.one_of(BEGIN, LEAVE, LEAVE, BREAK), min_size=1, max_size=4), max_size=8)
"""Of each round everything is asked for at once."""


class Clients:
    """Several who ask one hub's operations at the same time."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def round(self, deeds: list[tuple[str, int]]) -> None:
        stops = (await self.desk.call("debugger.list"))["debuggers"]
        await asyncio.gather(*(self._do(what, number, stops) for what, number in deeds))

    async def _do(self, what: str, number: int, stops: list[dict[str, Any]]) -> None:
        if what == "begin":
            await self.desk.call("lisp.eval", code=CODES[number], repl=f"repl-{number}-{id(self)}")
        elif what == "breakpoint":
            await self._toggle_breakpoint()
        elif stops:
            # The deepest level of a thread is the one that can be left; all choose the same.
            stop = max(stops, key=lambda each: (-each["thread"], each["level"]))
            await self._leave({"thread": stop["thread"], "level": stop["level"]}, *WAYS[number])

    async def _leave(self, stop: dict[str, int], way: str, params: dict[str, Any]) -> None:
        wait = {} if way == "evalInFrame" else {"waitMs": WAIT_MS}
        began = time.monotonic()
        try:
            answer = await self.desk.call(f"debugger.{way}", **stop, **params, **wait)
        except (DebuggerStale, InvalidParams, NotFound):
            return  # another was faster, or the stop has no such way out
        assert time.monotonic() - began < WAIT_MS / 1000, ("forgotten", way, stop, answer)
        if way != "evalInFrame" and answer["debugger"] is None and answer["evaluation"] is not None:
            assert answer["evaluation"]["state"] != "running", (way, answer)

    async def _toggle_breakpoint(self) -> None:
        there = (await self.desk.call("debugger.breakpoints.list"))["breakpoints"]
        if there:
            with contextlib.suppress(NotFound):  # cleared twice at once
                await self.desk.call("debugger.breakpoints.clear", id=there[0]["id"])
        else:
            await self.desk.call("debugger.breakpoints.set", symbol="called")

    async def end(self) -> None:
        image = self.desk.context.services.image
        # A thread that the last round has begun may stop only now.
        while image.busy():
            for stop in (await self.desk.call("debugger.list"))["debuggers"]:
                await self._leave({name: stop[name] for name in ("thread", "level")}, "toplevel", {})
            await asyncio.sleep(0.01)
        assert image.debuggers._waiters == set()


async def _mix(workspace: Path, rounds: list[list[tuple[str, int]]]) -> None:
    async with lisp_desk(workspace) as desk:
        await desk.call("lisp.eval", code="(defun called (n) (list (1+ n) n))")
        clients = Clients(desk)
        for deeds in rounds:
            await clients.round(deeds)
        await clients.end()


@pytest.mark.slow
@settings(
    max_examples=25,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rounds=ROUNDS)
def test_whoever_leaves_a_stop_has_an_answer(workspace: Path, rounds: list[list[tuple[str, int]]]) -> None:
    asyncio.run(asyncio.wait_for(_mix(workspace, rounds), DEADLINE_S))


def test_all_ways_at_one_stop(workspace: Path) -> None:
    leaving = [("leave", number) for number in range(len(WAYS))]
    begin = [("begin", number) for number in range(len(CODES))]
    asyncio.run(asyncio.wait_for(_mix(workspace, [begin, leaving, leaving, leaving]), DEADLINE_S))
