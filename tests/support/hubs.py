"""What a client of a hub heard, to be waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from descartes_server.hub.client import HubClient

DEADLINE_S = 60


class Heard:
    """The notifications that CLIENT got."""

    def __init__(self, client: HubClient) -> None:
        self.all: list[tuple[str, dict[str, Any]]] = []
        self._more = asyncio.Event()
        client.on_notification(self._hear)

    async def until(
        self, method: str, holds: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> dict[str, Any]:
        """Return the parameters of the first METHOD for which HOLDS, waiting for it if need be."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                self._more.clear()
                for heard, params in self.all:
                    if heard == method and holds(params):
                        return params
                await self._more.wait()

    def _hear(self, method: str, params: dict[str, Any]) -> None:
        self.all.append((method, params))
        self._more.set()
