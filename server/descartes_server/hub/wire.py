"""One end of a connection between a client and the hub: over a Unix socket, or inside one process.

A wire carries messages in order and says when it is lost. It knows nothing of what they mean.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import msgspec

from descartes_server.hub import messages

READ_BYTES = 262_144
FINISH_S = 1.0

Receive = Callable[[Any], None]
"""Is given each message that came, undecoded; raises `msgspec.ValidationError` to have the wire closed."""
Lost = Callable[[str], None]
"""Is told once, with the reason, that nothing more will come."""


class Wire(Protocol):
    """What both ends need of a connection."""

    def send(self, message: messages.Message) -> None:
        """Send MESSAGE, or drop it when the connection is gone; never blocks."""
        ...

    def backlog(self) -> int:
        """Return how many bytes wait because the other side does not read."""
        ...

    async def drain(self) -> None:
        """Wait until the other side has read enough for more to be sent."""
        ...

    def close(self) -> None:
        """Send what waits and end the connection."""
        ...

    def finish(self) -> None:
        """Send what waits, take no more, and end the connection once the other side has read it all.

        What is closed while something that came has not been read yet is broken instead, and the other side
        may lose what it was sent last. One that does not end within `FINISH_S` is cut off.
        """
        ...


class StreamWire(asyncio.Protocol):
    """A wire over a stream socket."""

    def __init__(self, receive: Receive, lost: Lost) -> None:
        self._receive = receive
        self._lost: Lost | None = lost
        self._unpacker = messages.unpacker()
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._closed = False
        """Whether this end wants no more."""
        self._cut_off: asyncio.TimerHandle | None = None

    @property
    def transport(self) -> asyncio.Transport:
        if self._transport is None:
            raise RuntimeError("the wire is not connected yet")
        return self._transport

    def send(self, message: messages.Message) -> None:
        if self._transport is not None and not self._closed and not self._transport.is_closing():
            self._transport.write(messages.encode(message))

    def backlog(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    async def drain(self) -> None:
        await self._writable.wait()

    def close(self) -> None:
        self._closed = True
        if self._transport is not None:
            self._transport.close()

    def finish(self) -> None:
        self._closed = True
        if self._transport is None or self._transport.is_closing():
            return
        try:
            self._transport.write_eof()
        except OSError:
            self._transport.close()
        else:
            self._cut_off = asyncio.get_running_loop().call_later(FINISH_S, self._transport.abort)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._closed:
            return
        try:
            self._unpacker.feed(data)
            for value in self._unpacker:
                self._receive(value)
                if self._closed:
                    return
        except (msgspec.ValidationError, ValueError, TypeError, RecursionError) as error:
            # msgpack's own errors are all ValueErrors; an unhashable key is a TypeError.
            self._end(f"expected a message of the hub's protocol, got something else: {error}")
            self._closed = True
            self.transport.abort()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        if self._cut_off is not None:
            self._cut_off.cancel()
        if exc is not None and not self._closed:
            self._take_what_came()
        self._end(str(exc) if exc else "the connection was closed")

    def _take_what_came(self) -> None:
        """Receive what the other side sent before it broke: asyncio reads no more once a write has failed."""
        descriptor = self.transport.get_extra_info("socket").fileno()
        with suppress(OSError):
            while not self._closed and (data := os.read(descriptor, READ_BYTES)):
                self.data_received(data)

    def _end(self, reason: str) -> None:
        lost, self._lost = self._lost, None
        if lost is not None:
            lost(reason)


class LocalWire:
    """One end of a wire inside this process; what one sends the other receives on the loop's next turn."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._peer: LocalWire | None = None
        self._receive: Receive | None = None
        self._lost: Lost | None = None

    @staticmethod
    def pair() -> tuple[LocalWire, LocalWire]:
        """Return the two ends of a new wire; `listen` on both before anything is sent."""
        one, other = LocalWire(), LocalWire()
        one._peer, other._peer = other, one
        return one, other

    def listen(self, receive: Receive, lost: Lost) -> None:
        """Give what comes to RECEIVE, and the end to LOST."""
        self._receive, self._lost = receive, lost

    def send(self, message: messages.Message) -> None:
        if self._peer is not None:
            self._loop.call_soon(self._peer._deliver, msgspec.to_builtins(message))

    def backlog(self) -> int:
        return 0

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def close(self) -> None:
        peer, self._peer = self._peer, None
        self._loop.call_soon(self._end)
        if peer is not None:
            peer._peer = None
            self._loop.call_soon(peer._end)

    def finish(self) -> None:
        self.close()

    def _deliver(self, value: Any) -> None:
        if self._receive is not None:
            self._receive(value)

    def _end(self) -> None:
        lost, self._lost = self._lost, None
        if lost is not None:
            lost("the connection was closed")
