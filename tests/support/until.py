"""Waiting for what announces itself to nobody, such as the state of another process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(true: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until TRUE answers true; fail with WHAT when it does not within SECONDS."""
    try:
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"not within {seconds:g} s: {what}") from None
