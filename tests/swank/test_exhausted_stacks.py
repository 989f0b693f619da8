"""Exhausted stacks of a real, stock image: a stop like others, and an image that goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from support.session import Session, session
from support.stock_swank import StockSwank, stock_swank

__all__ = ["stock_swank"]


@pytest_asyncio.fixture
async def here(stock_swank: StockSwank) -> AsyncIterator[Session]:
    async with session(stock_swank.port) as connected:
        yield connected


async def test_an_exhausted_stack_is_a_stop_like_others(here: Session) -> None:
    _, stop = await here.stop("(labels ((f (x) (1+ (f (1+ x))))) (f 0))")
    assert "exhausted" in stop.condition.message.lower()
    assert stop.frame_count > 1000
    assert len(await here.lisp.frames(*stop.id, 500, 510)) == 10


@pytest.mark.parametrize(
    "way",
    [
        "(handler-case (deep 0) (storage-condition () :survived))",
        "(sb-thread:join-thread (sb-thread:make-thread (lambda () "
        "(handler-case (deep 0) (storage-condition () :survived)))))",
    ],
    ids=["in an evaluation", "in a thread of one"],
)
async def test_a_stack_can_be_exhausted_again_and_again(here: Session, way: str) -> None:
    """A thread that was given the memory of one whose stack had been exhausted ended the image."""
    await here.run("(defun deep (x) (1+ (deep (1+ x))))")
    for _ in range(6):
        assert (await here.run(way)).values == [":SURVIVED"]


async def test_stops_of_exhausted_stacks_can_be_left_one_after_the_other(here: Session) -> None:
    for _ in range(4):
        evaluation, stop = await here.stop("(labels ((f (x) (1+ (f (1+ x))))) (f 0))")
        await here.run("(+ 1 2)", client="b")
        await here.lisp.abort(*stop.id)
        assert (await here.settled(evaluation)).state == "aborted"
