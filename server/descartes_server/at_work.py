"""What a process of ours is waiting for, told in its log when it is sent SIGUSR1."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections import Counter

log = logging.getLogger(__name__)


def tell_when_asked() -> None:
    """Let SIGUSR1 write the tasks of the running loop to the log, where there is such a signal."""
    with contextlib.suppress(AttributeError, NotImplementedError, RuntimeError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _tell)


def _tell() -> None:
    tasks = asyncio.all_tasks()
    kinds = Counter(getattr(each.get_coro(), "__qualname__", each.get_name()) for each in tasks)
    told = "; ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    log.warning("%d tasks: %s", len(tasks), told)
