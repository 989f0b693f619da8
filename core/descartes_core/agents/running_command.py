"""A command of a step that is under way, which can be stopped where it is and let go on."""

from __future__ import annotations

import asyncio
import signal

from descartes_core.processes.kept import KeptProcess


class RunningCommand:
    """The processes KEPT and the LIMIT of their time, which does not run while they are stopped."""

    def __init__(self, kept: KeptProcess, limit: asyncio.Timeout) -> None:
        self._kept = kept
        self._limit = limit
        self._left_seconds: float | None = None

    def freeze(self) -> bool:
        """Stop the processes; False, and nothing is done, when the command is at its end."""
        if self._limit.expired() or not self._kept.signal(signal.SIGSTOP):
            return False
        ends = self._limit.when()
        if ends is not None:
            self._left_seconds = max(0.0, ends - asyncio.get_running_loop().time())
            self._limit.reschedule(None)
        return True

    def thaw(self) -> None:
        """Let the processes go on, with the time that they had left."""
        if self._left_seconds is not None:
            self._limit.reschedule(asyncio.get_running_loop().time() + self._left_seconds)
            self._left_seconds = None
        self._kept.signal(signal.SIGCONT)
