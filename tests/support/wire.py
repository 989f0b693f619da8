"""A wire between a client and a server that can be cut and mended, as networks do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Wire:
    """Passes on bytes from its PORT to another port on 127.0.0.1, while it is whole."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.attempts = 0
        """Connections that were tried, also while it was cut."""
        self._target = target
        self._whole = True
        self._passes = asyncio.Event()
        self._passes.set()
        self._ends: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """End all connections; new ones are hung up on."""
        self._whole = False
        for end in list(self._ends):
            end.transport.abort()

    def hold(self) -> None:
        """Let new connections wait: they are taken, and nobody answers."""
        self._passes.clear()

    def release(self) -> None:
        """Let what waits through."""
        self._passes.set()

    def mend(self) -> None:
        """Let new connections through."""
        self._whole = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.attempts += 1
        if not self._whole:
            writer.transport.abort()
            return
        self._ends.add(writer)
        await self._passes.wait()
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._ends.add(there_writer)
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(_pass_on(reader, there_writer), _pass_on(there_reader, writer))
        self._ends -= {writer, there_writer}


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def wire_to(target: int) -> AsyncIterator[Wire]:
    """Yield a wire that leads to the port TARGET."""
    wire = Wire(target)
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    async with server:
        try:
            yield wire
        finally:
            wire.release()
            wire.cut()
