"""How far a call has got, told to a client that asked for it while it waits: the tests that have run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

Listener = Callable[[str, dict[str, Any]], None]
TESTED = "descartes/lisp/tested"


class Client(Protocol):
    """The client, as one of its calls sees it."""

    async def report_progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Tell it how far the call has got; nothing, if it did not ask."""
        ...


async def telling(
    client: Client,
    listen: Callable[[Listener], Callable[[], None]],
    system: str,
    run: Awaitable[dict[str, Any]],
) -> dict[str, Any]:
    """Return what RUN, which runs the tests of SYSTEM, answers; CLIENT is told of each test before that.

    LISTEN is as `HubClient.on_notification`.
    """
    news: asyncio.Queue[Sequence[Mapping[str, Any]] | None] = asyncio.Queue()

    def hear(method: str, params: dict[str, Any]) -> None:
        if method == TESTED and params["system"] == system:
            news.put_nowait(params["results"])

    async def tell() -> int:
        count = 0
        while (results := await news.get()) is not None:
            for result in results:
                count += 1
                await client.report_progress(count, message=_line(result))
        return count

    forget, teller = listen(hear), asyncio.create_task(tell())
    try:
        answer = await run
        news.put_nowait(None)
        told = await teller
        # The last ones may be told after the answer.
        for number, result in enumerate(answer["results"][told:], told + 1):
            await client.report_progress(number, message=_line(result))
        return answer
    finally:
        forget()
        teller.cancel()


def _line(result: Mapping[str, Any]) -> str:
    return f"{result['name']}: {result['status']}"
