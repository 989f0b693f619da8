"""Where the bytes come from and go to: standard input and output, or one TCP client with the secret.

asyncio reads standard input itself; pygls' reader borrows a thread for every line, which costs two thirds
of a small request and stands still when all threads work.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import socket
import stat
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol

from descartes_server.lsp.framing import Framer, Garbage

SECRET_PREFIX = b"descartes-secret: "
_SECRET_SECONDS = 10


class Receiver(Protocol):
    """Who gets the messages."""

    def set_writer(self, writer: Any) -> None: ...

    def receive(self, body: bytes | Garbage) -> None: ...

    def hang_up(self) -> None: ...


class Link(asyncio.Protocol):
    """One connection: feeds RECEIVER with messages and writes what pygls' protocol sends."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._framer = Framer()
        self._out: asyncio.WriteTransport | None = None
        self._room = asyncio.Event()
        self._room.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._out is None and isinstance(transport, asyncio.WriteTransport):
            self.attach(transport)

    def attach(self, transport: asyncio.WriteTransport) -> None:
        """Write to TRANSPORT from now on, and be what the receiver writes to."""
        self._out = transport
        self._receiver.set_writer(self)

    def data_received(self, data: bytes) -> None:
        for body in self._framer.feed(data):
            self._receiver.receive(body)

    def connection_lost(self, exc: Exception | None) -> None:
        self._room.set()
        self._receiver.hang_up()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def write(self, data: bytes) -> None:
        """Send DATA; what the client does not read at once waits in memory, never in the loop."""
        if self._out is not None and not self._out.is_closing():
            self._out.write(data)

    async def room(self) -> None:
        """Return when the client has read nearly everything, or is gone."""
        await self._room.wait()

    async def drain(self, seconds: float = 1.0) -> None:
        """Wait until the client has read nearly everything, at most SECONDS."""
        if self._out is not None and not self._out.is_closing():
            self._out.set_write_buffer_limits(high=0)
            try:
                await asyncio.wait_for(self._room.wait(), seconds)
            except TimeoutError:
                return

    def close(self) -> None:
        if self._out is not None:
            self._out.close()


async def open_stdio(receiver: Receiver) -> Link:
    """Return the link over this process's standard input and output, whatever they are.

    Editors give pipes or socket pairs (sometimes one socket for both), a shell gives files or a terminal.
    Standard output is duplicated and replaced by standard error first, so that a stray print cannot
    put text between two messages.
    """
    loop = asyncio.get_running_loop()
    link = Link(receiver)
    source, target = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    # The writer comes first: an answer that is ready before there is one would be lost.
    if _is_socket(target) and _same_file(source, target):
        os.close(target)
    else:
        link.attach(await _connect_writer(loop, link, target))
    await _connect_reader(loop, link, source)
    return link


async def _connect_reader(loop: asyncio.AbstractEventLoop, link: Link, fd: int) -> None:
    if _is_socket(fd):
        await loop.connect_accepted_socket(lambda: link, socket.socket(fileno=fd))
    elif _selectable(fd):
        await loop.connect_read_pipe(lambda: link, os.fdopen(fd, "rb", buffering=0))
    else:
        threading.Thread(target=_read_file, args=(loop, link, fd), daemon=True).start()


async def _connect_writer(loop: asyncio.AbstractEventLoop, link: Link, fd: int) -> asyncio.WriteTransport:
    writer = _Output(link)
    if _is_socket(fd):
        transport, _ = await loop.connect_accepted_socket(lambda: writer, socket.socket(fileno=fd))
        return transport
    if not _selectable(fd):
        return _FileTransport(fd)
    pipe, _ = await loop.connect_write_pipe(lambda: writer, os.fdopen(fd, "wb", buffering=0))
    return pipe


class _Output(asyncio.Protocol):
    """The writing half where it has a transport of its own."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def pause_writing(self) -> None:
        self._link.pause_writing()

    def resume_writing(self) -> None:
        self._link.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.connection_lost(exc)


class _FileTransport(asyncio.WriteTransport):
    """Standard output that is a file, where writing never waits."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._file = os.fdopen(fd, "wb", buffering=0)

    def write(self, data: Any) -> None:
        self._file.write(data)

    def is_closing(self) -> bool:
        return self._file.closed

    def close(self) -> None:
        self._file.close()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        return


def _read_file(loop: asyncio.AbstractEventLoop, link: Link, fd: int) -> None:
    with os.fdopen(fd, "rb", buffering=0) as file:
        while data := file.read(65536):
            loop.call_soon_threadsafe(link.data_received, data)
    loop.call_soon_threadsafe(link.connection_lost, None)


def _is_socket(fd: int) -> bool:
    return stat.S_ISSOCK(os.fstat(fd).st_mode)


def _same_file(one: int, other: int) -> bool:
    return os.path.sameopenfile(one, other)


def _selectable(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


async def serve_once(
    host: str, port: int, secret: str, receiver: Receiver, announce: Callable[[int], None]
) -> Link:
    """Return the link to the first client of HOST:PORT that sends SECRET; others are turned away.

    The client's first line is `descartes-secret: SECRET` and a line feed; the protocol follows. A wrong
    line, or none within ten seconds, closes that connection; listening goes on until one is right and
    then ends. ANNOUNCE is called with the port as soon as it listens.
    Errors: ValueError when HOST is no address of this machine's loopback.
    """
    if host not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError(f"--tcp expects a loopback address such as 127.0.0.1, not {host}")
    loop = asyncio.get_running_loop()
    winner: asyncio.Future[Link] = loop.create_future()
    server = await loop.create_server(lambda: _Knock(secret, receiver, winner), host, port)
    announce(server.sockets[0].getsockname()[1])
    try:
        return await winner
    finally:
        server.close()


class _Knock(asyncio.Protocol):
    """A TCP connection until its first line has come."""

    def __init__(self, secret: str, receiver: Receiver, winner: asyncio.Future[Link]) -> None:
        self._line = SECRET_PREFIX + secret.encode()
        self._receiver = receiver
        self._winner = winner
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._timer = asyncio.get_running_loop().call_later(_SECRET_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        line, newline, rest = self._buffer.partition(b"\n")
        if not newline and len(line) <= len(self._line) + 1:
            return
        if hmac.compare_digest(line.rstrip(b"\r"), self._line) and not self._winner.done():
            self._let_in(rest)
        elif self._transport is not None:
            self._transport.abort()

    def _let_in(self, rest: bytes) -> None:
        assert self._transport is not None and self._timer is not None
        self._timer.cancel()
        link = Link(self._receiver)
        link.connection_made(self._transport)
        self._transport.set_protocol(link)
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._winner.set_result(link)
        if rest:
            asyncio.get_running_loop().call_soon(link.data_received, rest)
