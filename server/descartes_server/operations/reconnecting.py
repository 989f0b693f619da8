"""Trying again and again, less and less often: what is done about a Lisp whose connection was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import descartes_swank as swank

FIRST_S, LONGEST_S, IN_ALL_S = 0.2, 30.0, 3600.0


def delays() -> Iterator[float]:
    """Yield how many seconds to wait before each attempt, growing, for an hour in all."""
    delay, waited = FIRST_S, 0.0
    while waited < IN_ALL_S:
        yield delay
        waited += delay
        delay = min(delay * 2, LONGEST_S)


async def until_it_works(attempt: Callable[[], Awaitable[None]]) -> str | None:
    """Return None when ATTEMPT succeeded, or why no more attempts are made."""
    problem = "it was lost"
    for delay in delays():
        await asyncio.sleep(delay)
        try:
            await attempt()
        except swank.LispGone as error:
            return error.message
        except swank.SwankError as error:
            problem = error.message
        else:
            return None
    return f"given up after {IN_ALL_S / 60:g} minutes: {problem}"
