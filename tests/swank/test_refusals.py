"""What cannot be a Swank session ends in one sentence, and soon: silent, deaf, foreign and locked servers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from descartes_swank import Lisp, LispLost, attachment
from descartes_swank.image import ImageRecord
from descartes_swank.sexp import Symbol
from descartes_swank.ways import CommandWay, TcpWay
from support.fake_swank import Peer, fake_swank

DEADLINE_S = 60


async def refused(host: str, port: int, **options: object) -> str:
    """Return the sentence that a person gets instead of a session."""
    with pytest.raises(LispLost) as caught:
        await asyncio.wait_for(Lisp.open(host, port, **options), DEADLINE_S)  # type: ignore[arg-type]
    message = caught.value.message
    assert "\n" not in message and not message.endswith(".")
    return message


@contextlib.asynccontextmanager
async def serving(answer: bytes | None) -> AsyncIterator[int]:
    """Yield the port of a server that says ANSWER to whatever comes, or nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            if answer is not None:
                writer.write(answer)
                break
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_closed_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody else can listen there meanwhile
        port = taken.getsockname()[1]
        message = await refused("127.0.0.1", port)
    assert f"No Lisp answers at 127.0.0.1 port {port}" in message and "start one there" in message


async def test_an_unknown_host() -> None:
    assert "No Lisp answers at no-such-host.invalid port 4005" in await refused("no-such-host.invalid", 4005)


async def test_a_host_that_never_accepts() -> None:
    with socket.socket() as full, contextlib.ExitStack() as callers:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(full.getsockname())
        way = TcpWay("127.0.0.1", full.getsockname()[1], deadline_s=0.2)
        assert "no word from there in 0.2 s" in await refused("", 0, way=way)


async def test_a_server_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachment, "GREETING_S", 0.2)
    async with serving(None) as port:
        assert "said nothing for 0.2 s; start Swank in that Lisp" in await refused("127.0.0.1", port)


async def test_a_server_of_something_else() -> None:
    async with serving(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert "or it is no Swank" in await refused("127.0.0.1", port)


@pytest.mark.parametrize("secret", [None, "wrong"])
async def test_a_wrong_or_missing_secret(own_image: ImageRecord, secret: str | None) -> None:
    message = await refused("127.0.0.1", own_image.port, secret=secret)
    expected = "it may want a secret" if secret is None else "the secret is wrong"
    assert expected in message and ".slime-secret" in message


async def test_a_command_that_leads_nowhere_says_why() -> None:
    way = CommandWay(["sh", "-c", "echo 'ssh: connect to host box port 22: No route' >&2; exit 255"], "box")
    message = await refused("", 0, way=way)
    assert "box" in message and "ssh: connect to host box port 22: No route" in message


async def test_a_command_that_does_not_exist() -> None:
    message = await refused("", 0, way=CommandWay(["no-such-ssh", "-W", "x"], "box"))
    assert "'no-such-ssh'" in message and "could not be started" in message


async def test_a_server_without_swanks_functions() -> None:
    async def play(peer: Peer) -> None:
        await peer.receive()
        packet = peer.received[-1].replace("\\", "\\\\").replace('"', '\\"')
        peer.send(f'(:reader-error "{packet}" "Package SWANK does not exist.")')
        await peer.receive()

    async with fake_swank(play) as fake:
        assert "does not know Swank's functions" in await refused("127.0.0.1", fake.port)


async def test_an_image_with_slynk_loaded_too_is_no_slynk() -> None:
    async def play(peer: Peer) -> None:
        _, request = await peer.receive_request()
        peer.answer(request, [Symbol(":features"), [Symbol(":slynk"), Symbol(":swank")]])
        _, request = await peer.receive_request()
        peer.answer(request, None)
        await peer.receive()
        await peer.close()

    async with fake_swank(play) as fake:
        assert "hung up" in await refused("127.0.0.1", fake.port)
