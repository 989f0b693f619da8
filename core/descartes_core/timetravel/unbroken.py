"""Work that is not left in the middle: whoever waits for it may be cancelled, it goes to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def to_its_end(work: Awaitable[T], stop: Callable[[], object] = lambda: None) -> T:
    """Return what WORK returns, or raise what it raises, always after its end.

    Each time the caller is cancelled meanwhile STOP is called, by which WORK may end itself with
    `CancelledError`. A cancel that WORK did not follow came too late: its outcome is told all the same.
    """
    task = asyncio.ensure_future(work)
    cancelled = 0
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled += 1
            stop()
    current = asyncio.current_task()
    if current is not None and not task.cancelled():
        for _ in range(cancelled):
            current.uncancel()
    return task.result()


async def in_thread(function: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Return what FUNCTION returns, run in a thread; when cancelled, raise that once the thread is done."""
    thread = asyncio.ensure_future(asyncio.to_thread(function, *given, **named))
    cancelled: asyncio.CancelledError | None = None
    while not thread.done():
        try:
            await asyncio.wait({thread})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not thread.cancelled():
            thread.exception()  # it is looked at, so that nobody hears of it twice
        raise cancelled
    return thread.result()
