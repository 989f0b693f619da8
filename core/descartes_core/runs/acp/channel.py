"""Messages to and from an agent under a keeper: lines of JSON on its standard input and output.

Fills the port `Transport` of the protocol's library.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from descartes_core.errors import DescartesError
from descartes_core.processes.kept import KeptProcess

LONGEST_LINE = 16 * 1024 * 1024
MOST_STRAY_LINES = 50
"""How many lines that are no messages an agent may print, such as greetings, before it is not listened to."""
SHOWN_CHARACTERS = 120
WRITE_SECONDS = 60.0
"""For how long an agent may read nothing while it is written to."""


class Channel:
    """What is said between the hub and one agent.

    Make it before the agent is started, so that there is a reader, and `connect` it afterwards.
    """

    def __init__(
        self, fifo: Path, stray: Callable[[str], None], ready: Callable[[], Awaitable[None]]
    ) -> None:
        """FIFO is made; STRAY is told of each line that is no message; READY() returns when there is room
        for one more."""
        self._stray = stray
        self._ready = ready
        self.wrong: str | None = None
        """What the agent did that is no conversation, as a part of a sentence."""
        self._strays: list[str] = []
        os.mkfifo(fifo, 0o600)
        descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._file: BinaryIO = os.fdopen(descriptor, "rb", buffering=0)
        self._reader = asyncio.StreamReader(limit=LONGEST_LINE)
        self._reading: asyncio.ReadTransport | None = None
        self._kept: KeptProcess | None = None
        self._goes = asyncio.Event()
        self._goes.set()

    async def connect(self, kept: KeptProcess) -> None:
        """Begin to listen to KEPT, which was started with the FIFO as its standard output."""
        self._kept = kept
        loop = asyncio.get_running_loop()
        self._reading, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._reader), self._file
        )

    def hold(self) -> None:
        """Write nothing from now on: the agent is stopped where it is, and reads nothing."""
        self._goes.clear()

    def release(self) -> None:
        """Go on writing."""
        self._goes.set()

    async def send(self, message: dict[str, Any]) -> None:
        """Write MESSAGE. What an agent does not take ends the conversation."""
        await self._goes.wait()
        assert self._kept is not None
        text = json.dumps(message, separators=(",", ":")) + "\n"
        try:
            await self._kept.write(text, WRITE_SECONDS)
        except (DescartesError, OSError):
            self._give_up("reads nothing of what it is told")
            raise ConnectionError("the agent reads nothing") from None

    async def receive(self) -> dict[str, Any] | None:
        """Return the next message, None when there will be none."""
        while True:
            await self._ready()
            try:
                line = await self._reader.readline()
            except ValueError:
                self._give_up(f"sent a message of more than {LONGEST_LINE} bytes")
                return None
            if not line:
                return None
            if (message := _message(line)) is not None:
                return message
            if not self._take_stray(line):
                return None

    async def close(self) -> None:
        """Let go of the agent without touching it."""
        if self._reading is not None:
            self._reading.close()
        self._file.close()
        self.release()

    def finish(self) -> None:
        """Take what is left to read from an agent that has ended, whoever still holds its output."""
        if self._reading is None or self._reading.is_closing():
            return
        self._reading.pause_reading()
        with suppress(OSError):
            while data := os.read(self._file.fileno(), 65_536):
                self._reader.feed_data(data)
        self._end()

    @property
    def strays(self) -> str:
        """The first line that was no message, shortened; empty when there was none."""
        return self._strays[0] if self._strays else ""

    def _take_stray(self, line: bytes) -> bool:
        text = line.decode("utf-8", "replace").rstrip()
        if not text:
            return True
        self._strays.append(text[:SHOWN_CHARACTERS])
        self._stray(text)
        if len(self._strays) <= MOST_STRAY_LINES:
            return True
        self._give_up(f"does not speak the Agent Client Protocol: it printed {self.strays!r}")
        return False

    def _give_up(self, why: str) -> None:
        self.wrong = self.wrong or why
        self._end()

    def _end(self) -> None:
        if not self._reader.at_eof():
            self._reader.feed_eof()


def _message(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    is_message = isinstance(found, dict) and ("method" in found or "id" in found)
    return found if is_message and isinstance(found.get("method", ""), str) else None
