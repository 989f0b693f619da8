"""A session with an image, whose listener remembers everything and lets a test wait for it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from descartes_swank import DebuggerStale, Evaluation, InputRequest, Lisp, Listener, Stop
from descartes_swank.questions import Asking

DEADLINE_S = 60

Asker = TypeVar("Asker", bound=Asking)
_numbers = itertools.count(1)


def new_id() -> str:
    """Return an id that no other evaluation of this test run has."""
    return f"eval_{next(_numbers)}"


def patient(asker: Asker) -> Asker:
    """Return ASKER, whose questions may take as long as a busy machine makes them."""
    asker._deadline_ms = 1000 * DEADLINE_S
    return asker


class Recorder(Listener):
    """Remembers every call as (name, value) and wakes who waits for one."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []
        self._changed = asyncio.Event()

    def _hear(self, name: str, value: Any) -> None:
        self.heard.append((name, value))
        self._changed.set()

    def output(self, evaluation: str | None, text: str, stream: str) -> None:
        self._hear("output", (evaluation, text, stream))

    def stopped(self, stop: Stop) -> None:
        self._hear("stopped", stop)

    def left(self, thread: int, level: int) -> None:
        self._hear("left", (thread, level))

    def evaluation_changed(self, evaluation: Evaluation) -> None:
        self._hear("changed", (evaluation.id, evaluation.state))

    def reported(self, evaluation: Evaluation, report: Any, output: str) -> None:
        self._hear("reported", report)

    def input_wanted(self, request: InputRequest) -> None:
        self._hear("input", request)

    def input_withdrawn(self, request: InputRequest) -> None:
        self._hear("withdrawn", request)

    def lost(self, reason: str) -> None:
        self._hear("lost", reason)

    def all(self, name: str) -> list[Any]:
        return [value for kind, value in self.heard if kind == name]

    def text(self, evaluation: str | None, stream: str = "output") -> str:
        return "".join(text for id, text, to in self.all("output") if (id, to) == (evaluation, stream))

    async def until(self, name: str, test: Callable[[Any], bool] = lambda _: True) -> Any:
        """Return the first value of NAME that passes TEST, waiting for it."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for value in self.all(name):
                    if test(value):
                        return value
                self._changed.clear()
                await self._changed.wait()


class Session:
    """A `Lisp` with its recorder, and short ways to use it."""

    def __init__(self, lisp: Lisp, recorder: Recorder) -> None:
        self.lisp = lisp
        self.recorder = recorder
        self._number = next(_numbers)

    def client(self, name: str) -> str:
        """Return NAME made different from the clients of other tests on the same image."""
        return f"{name}-{self._number}"

    async def start(self, code: str, *, client: str = "", package: str | None = None) -> Evaluation:
        return await self.lisp.start_evaluation(
            code, id=new_id(), client=self.client(client), package=package
        )

    async def run(self, code: str, *, client: str = "", package: str | None = None) -> Evaluation:
        """Return the evaluation of CODE at its first stop or end."""
        async with asyncio.timeout(DEADLINE_S):
            evaluation = await self.start(code, client=client, package=package)
            return await evaluation.paused_or_settled()

    async def stop(self, code: str, *, client: str = "") -> tuple[Evaluation, Stop]:
        """Return the evaluation of CODE, which stops, and its stop."""
        evaluation = await self.run(code, client=client)
        assert evaluation.state == "stopped", evaluation
        assert evaluation.stop is not None
        return evaluation, self.lisp.stops[evaluation.stop]

    async def settled(self, evaluation: Evaluation) -> Evaluation:
        async with asyncio.timeout(DEADLINE_S):
            return await evaluation.settled()

    async def alone(self) -> None:
        """Return when the image has noticed that every other client is gone."""
        others = "(cl:loop while (cl:rest swank::*connections*) do (cl:sleep 1/100))"
        async with asyncio.timeout(DEADLINE_S):
            await self.lisp.connection.rex(others)

    async def next(self, evaluation: Evaluation) -> Evaluation:
        """Return EVALUATION at its next stop or end."""
        async with asyncio.timeout(DEADLINE_S):
            return await evaluation.paused_or_settled()


@contextlib.asynccontextmanager
async def session(port: int) -> AsyncIterator[Session]:
    """Give a session with the image that listens on PORT; what it leaves stopped is aborted."""
    recorder = Recorder()
    lisp = await Lisp.open("127.0.0.1", port, listener=recorder)
    try:
        yield Session(lisp, recorder)
        async with asyncio.timeout(DEADLINE_S):
            await _abort_all(lisp)
    finally:
        await lisp.close()


async def _abort_all(lisp: Lisp) -> None:
    while (stops := lisp.stops) and not lisp.connection.closed.done():
        thread, level = max(stops)
        with contextlib.suppress(DebuggerStale):  # it is on its way out with a deeper level
            await lisp.toplevel(thread, level)
