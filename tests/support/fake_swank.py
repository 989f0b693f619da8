"""A server that speaks Swank's bytes and plays a part: a newer Swank, a broken one, one that dies.

The traffic of `newer_swank` has the shapes of Swank 2.32 as its sources send them; what a test needs
beyond that it plays itself through a `Peer`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from descartes_swank.framing import Framer, encode
from descartes_swank.sexp import Symbol, Value, read, write

WORKER = 96638312
"""A thread as 2.30 and later number them: by the operating system's id."""


class Peer:
    """The Lisp's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._framer = Framer()
        self._waiting: list[bytes] = []
        self.received: list[str] = []

    async def receive_text(self) -> str:
        """Return the client's next packet; EOFError when it has gone."""
        while not self._waiting:
            data = await self._reader.read(65536)
            if not data:
                raise EOFError
            self._waiting += self._framer.feed(data)
        text = self._waiting.pop(0).decode()
        self.received.append(text)
        return text

    async def receive(self) -> list[Value]:
        """Return the client's next packet as a form."""
        form, problem = read(await self.receive_text())
        assert problem is None, problem
        assert isinstance(form, list)
        return form

    async def receive_request(self) -> tuple[list[Value], int]:
        """Return the form and the id of the client's next `:emacs-rex`."""
        message = await self.receive()
        assert message[0] == ":emacs-rex", message
        return message[1], message[4]

    def send(self, text: str) -> None:
        self.send_bytes(encode(text))

    def send_bytes(self, data: bytes) -> None:
        self._writer.write(data)

    async def send_slowly(self, text: str) -> None:
        """Send TEXT as a packet, each byte in a segment of its own."""
        for byte in encode(text):
            self._writer.write(bytes([byte]))
            await self._writer.drain()
            await asyncio.sleep(0)

    def answer(self, request: int, value: Any) -> None:
        self.send(f"(:return (:ok {write(value)}) {request})")

    async def close(self) -> None:
        with contextlib.suppress(ConnectionError):
            self._writer.close()
            await self._writer.wait_closed()


Play = Callable[[Peer], Awaitable[None]]


@dataclass
class FakeSwank:
    """A running fake: its PORT, every peer it has had, and what went wrong in their parts."""

    port: int
    peers: list[Peer] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)


@contextlib.asynccontextmanager
async def fake_swank(play: Play) -> AsyncIterator[FakeSwank]:
    """Serve PLAY to every client on a free port; a failed assertion in it fails the test at the end."""
    fake = FakeSwank(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        fake.peers.append(peer)
        try:
            await play(peer)
        except (EOFError, ConnectionError, asyncio.CancelledError):
            pass
        except BaseException as error:
            fake.failures.append(error)
        finally:
            await peer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    async with server:
        yield fake
    if fake.failures:
        raise fake.failures[0]


_ANSWERS: dict[str, Value] = {
    "swank:connection-info": [
        Symbol(":pid"), 4711, Symbol(":style"), Symbol(":spawn"),
        Symbol(":encoding"), [Symbol(":coding-systems"), ["utf-8-unix", "iso-latin-1-unix"]],
        Symbol(":lisp-implementation"),
        [Symbol(":type"), "SBCL", Symbol(":name"), "sbcl", Symbol(":version"), "2.5.10"],
        Symbol(":features"), [Symbol(":swank"), Symbol(":sbcl")],
        Symbol(":package"), [Symbol(":name"), "COMMON-LISP-USER", Symbol(":prompt"), "CL-USER"],
        Symbol(":version"), "2.32.git",
    ],
    "swank:swank-require": ["SWANK-REPL", "SWANK-FUZZY"],
    "swank-repl:create-repl": ["COMMON-LISP-USER", "CL-USER"],
    "swank:operator-arglist": "(swank:interactive-eval string lines width)",
    "swank:simple-completions": [
        ["multiple-value-bind", "-f---m---", "COMMON-LISP:MULTIPLE-VALUE-BIND"],
        ["multiple-value-call", "-f-------", "COMMON-LISP:MULTIPLE-VALUE-CALL"],
    ],
    "swank:fuzzy-completions": [
        [["multiple-value-bind", "-f---m---", "COMMON-LISP:MULTIPLE-VALUE-BIND", [[0, "m"], [9, "v"]]]],
        None,
    ],
    "swank:interactive-eval": "=> 42 (6 bits, #x2A, #o52, #b101010)",
}  # fmt: skip


async def newer_swank(peer: Peer) -> None:
    """Play Swank 2.32: output names its thread, and the evaluation waits until each piece is acknowledged."""
    while True:
        form, request = await peer.receive_request()
        if form[0] == "swank-repl:listener-eval":
            for piece in ("1", "2"):
                peer.send(f'(:write-string "{piece}" nil {WORKER})')
                assert await peer.receive() == [":write-done", WORKER]
            peer.send("(:new-repl-output)")
            peer.send(f'(:write-string "42\n" :repl-result {WORKER})')
            assert await peer.receive() == [":write-done", WORKER]
            peer.answer(request, None)
        elif form[0] == "swank:interactive-eval" and len(form) != 4:
            peer.send(
                f'(:debug {WORKER} 1 ("invalid number of arguments: {len(form) - 1}" '
                f'"   [Condition of type SB-INT:SIMPLE-PROGRAM-ERROR]" nil) '
                f'(("*ABORT" "Return to SLIME\'s top level.")) ((0 "(SWANK:INTERACTIVE-EVAL)")) ({request}))'
            )
            peer.send(f"(:debug-activate {WORKER} 1 nil)")
        else:
            peer.answer(request, _ANSWERS[form[0]])
