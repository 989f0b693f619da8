"""Answers about the log's events, given again while no event has come."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from descartes_core.config.table import PerformanceSettings

KEPT = 64
LARGEST_BYTES = 1 << 20
"""An answer larger than this is not kept."""


class Answers:
    """The last answers of one process. Used on one event loop."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: OrderedDict[bytes, tuple[int, float, bytes]] = OrderedDict()

    async def answer(
        self,
        settings: PerformanceSettings,
        question: tuple[str, Mapping[str, Any]],
        last_seq: int,
        ask: Callable[[], Awaitable[dict[str, Any]]],
    ) -> dict[str, Any]:
        """Return the answer to QUESTION, an operation and its parameters, when the log ends at LAST_SEQ.

        It is what ASK returned the last time, if the log ended there too, not longer ago than SETTINGS allow.
        """
        if not settings.enable_response_cache:
            return await ask()
        key = msgspec.json.encode(question, order="deterministic")
        seq, at, data = self._kept.get(key, (-1, 0.0, b""))
        if seq == last_seq and self._now() - at < settings.cache_ttl_secs:
            found: dict[str, Any] = msgspec.json.decode(data)
            return found
        result = await ask()
        self._keep(key, last_seq, msgspec.json.encode(result))
        return result

    def _keep(self, key: bytes, last_seq: int, data: bytes) -> None:
        self._kept.pop(key, None)
        if len(data) <= LARGEST_BYTES:
            self._kept[key] = last_seq, self._now(), data
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
