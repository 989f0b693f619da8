"""Waiting for what announces itself to nobody, such as the state of another process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(true: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until TRUE answers true; fail with WHAT when it does not within SECONDS."""
    try:
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"not within {seconds:g} s: {what}") from None


async def answer_that(
    fits: Callable[[T], object], ask: Callable[[], Awaitable[T]], what: str, seconds: float = 60
) -> T:
    """Return the first answer to ASK that FITS, asking again and again; fail with WHAT after SECONDS."""
    answer: object = "nothing was answered"
    try:
        async with asyncio.timeout(seconds):
            while True:
                answer = found = await ask()
                if fits(found):
                    return found
    except TimeoutError:
        raise AssertionError(f"not within {seconds:g} s: {what}; last: {answer!r:.2000}") from None
