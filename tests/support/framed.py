"""What the clients of the language server and of the debug adapter share: messages after their length."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

SECONDS = 60.0
"""How long a test waits for what must come; only against waiting for ever, a busy machine may take long."""
LIMIT = 64 * 1024 * 1024
Message = dict[str, Any]


class FramedClient:
    """One connection to PROCESS. Everything received is kept in `messages`, in order."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, process: asyncio.subprocess.Process
    ) -> None:
        self.process = process
        self.messages: list[Message] = []
        self.ended = False
        self._reader, self._writer = reader, writer
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read(), name="read the messages")

    async def message(
        self, fits: Callable[[Message], Any], what: str, *, after: int = 0, seconds: float = SECONDS
    ) -> Message:
        """Return the first message from index AFTER on that FITS, waiting for it."""
        index = after

        def found() -> Message | None:
            nonlocal index
            while index < len(self.messages):
                index += 1
                if fits(self.messages[index - 1]):
                    return self.messages[index - 1]
            return None

        async with self._news:
            try:
                async with asyncio.timeout(seconds):
                    while (message := found()) is None:
                        assert not self.ended, f"the process ended before: {what}"
                        await self._news.wait()
            except TimeoutError:
                recent = [json.dumps(m)[:400] for m in self.messages[-8:]]
                raise AssertionError(f"not seen in {seconds} s: {what}; last: {recent}") from None
        return message

    def send(self, *messages: Any) -> None:
        """Send MESSAGES in one write."""
        self.send_bytes(b"".join(frame(json.dumps(message).encode()) for message in messages))

    def send_bytes(self, data: bytes) -> None:
        self._writer.write(data)

    async def _read(self) -> None:
        try:
            while True:
                header = await self._reader.readuntil(b"\r\n\r\n")
                length = int(header.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                await self._take(json.loads(await self._reader.readexactly(length)))
        except asyncio.IncompleteReadError as end:
            self._cut_off(end.partial)
        except ConnectionError:
            pass
        finally:
            async with self._news:
                self.ended = True
                self._news.notify_all()

    async def _take(self, message: Message) -> None:
        """Keep MESSAGE for those who wait for it."""
        self._received(message)
        async with self._news:
            self.messages.append(message)
            self._news.notify_all()
        self._kept(message)

    def _received(self, message: Message) -> None:
        """Look at MESSAGE before anybody who waits for it."""

    def _kept(self, message: Message) -> None:
        """Act on MESSAGE, which is in `messages` now."""

    def _cut_off(self, rest: bytes) -> None:
        """Take note that the process's output ended with REST, no message."""


def frame(body: bytes) -> bytes:
    """Return BODY as one message."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
