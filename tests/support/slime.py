"""One connection to an image as SLIME's tests have it, and what they do with its debugger."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import TypeVar

import pytest

from descartes_swank import InputRequest, Lisp, Listener, Stop
from descartes_swank.evaluation import Evaluation
from support.stock_swank import StockSwank
from support.until import until

DEADLINE_S = 60
T = TypeVar("T")
ids = itertools.count(1)


class Ear(Listener):
    """Keeps what was heard."""

    def __init__(self) -> None:
        self.inputs: list[InputRequest] = []
        self.text = ""

    def input_wanted(self, request: InputRequest) -> None:
        self.inputs.append(request)

    def output(self, evaluation: str | None, text: str, stream: str) -> None:
        self.text = (self.text + text)[-100_000:]


@pytest.fixture
def ear() -> Ear:
    """Return what hears the image."""
    return Ear()


@pytest.fixture
async def lisp(stock_image: StockSwank, ear: Ear) -> AsyncIterator[Lisp]:
    """Give a session with the stock image."""
    async with await Lisp.open("127.0.0.1", stock_image.port, listener=ear) as session:
        yield session
        assert session.stops == {} and session.evaluations == {}, "not at the top level"


async def soon(answer: Awaitable[T]) -> T:
    """Return what ANSWER gives, in time."""
    return await asyncio.wait_for(answer, DEADLINE_S)


async def started(lisp: Lisp, code: str, package: str = "CL-USER") -> Evaluation:
    """Return the evaluation of CODE, which goes on."""
    return await lisp.start_evaluation(code, id=f"slime_{next(ids)}", package=package)


async def stopped(lisp: Lisp, code: str) -> Evaluation:
    """Return the evaluation of CODE once it has stopped."""
    evaluation = await started(lisp, code)
    await soon(evaluation.paused_or_settled())
    assert evaluation.stop is not None, evaluation
    return evaluation


def deepest(lisp: Lisp) -> Stop:
    """Return the innermost stop."""
    return max(lisp.stops.values(), key=lambda stop: stop.level)


async def level_reached(lisp: Lisp, level: int) -> None:
    """Answer when LEVEL is the highest one and its thread waits there for requests."""
    await until(
        lambda: max((each.level for each in lisp.stops.values()), default=0) == level, f"level {level}"
    )


async def quit_debugger(lisp: Lisp, evaluation: Evaluation) -> None:
    """Leave all levels, as `sldb-quit` does, and wait for the end of EVALUATION."""
    await soon(lisp.toplevel(*deepest(lisp).id))
    await soon(evaluation.settled())


async def abort_deepest(lisp: Lisp) -> None:
    """Abort the highest level."""
    await soon(lisp.abort(*deepest(lisp).id))


async def compiled(
    lisp: Lisp, text: str, package: str = "SWANK", file: Path | None = None, position: int = 0
) -> Evaluation:
    evaluation = await lisp.compile_string(
        text, id=f"slime_{next(ids)}", file=str(file) if file else None, position=position, package=package
    )
    await soon(evaluation.settled())
    return evaluation
