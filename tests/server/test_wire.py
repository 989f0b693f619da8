"""What the other side sent before the connection broke is received, also when writing fails first."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from descartes_server.hub import messages
from descartes_server.hub.wire import StreamWire


async def test_an_answer_that_came_before_the_connection_broke_is_delivered() -> None:
    ours, theirs = socket.socketpair()
    received: list[Any] = []
    lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    _, wire = await asyncio.get_running_loop().create_connection(
        lambda: StreamWire(received.append, lost.set_result), sock=ours
    )
    # Nobody gives the loop a turn between the answer and the failing write.
    for number in range(3):
        theirs.send(messages.encode(messages.OperationResponse(request_id=str(number), success=True)))
    theirs.close()
    wire.send(messages.Ping())
    async with asyncio.timeout(20):
        await lost
    assert [value["request_id"] for value in received] == ["0", "1", "2"]


async def test_who_closed_the_connection_receives_nothing_more() -> None:
    ours, theirs = socket.socketpair()
    received: list[Any] = []
    lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    _, wire = await asyncio.get_running_loop().create_connection(
        lambda: StreamWire(received.append, lost.set_result), sock=ours
    )
    theirs.send(messages.encode(messages.Pong()))
    wire.close()
    async with asyncio.timeout(20):
        await lost
    theirs.close()
    assert received == []


async def test_who_finishes_lets_the_other_side_read_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the other side goes on sending, which nobody reads any more."""
    monkeypatch.setattr("descartes_server.hub.wire.FINISH_S", 60.0)  # nobody is cut off for being slow
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[str] = loop.create_future()
    _, wire = await loop.create_connection(lambda: StreamWire(lambda _: None, ended.set_result), sock=ours)
    for number in range(500):
        wire.send(messages.OperationResponse(request_id=str(number), success=True))
    wire.finish()
    received: list[Any] = []
    lost: asyncio.Future[str] = loop.create_future()
    _, other = await loop.create_connection(lambda: StreamWire(received.append, lost.set_result), sock=theirs)
    other.send(messages.Ping())
    async with asyncio.timeout(20):
        await asyncio.gather(lost, ended)
    assert len(received) == 500


async def test_who_does_not_let_go_is_cut_off() -> None:
    ours, theirs = socket.socketpair()
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    _, wire = await asyncio.get_running_loop().create_connection(
        lambda: StreamWire(lambda _: None, ended.set_result), sock=ours
    )
    wire.finish()
    async with asyncio.timeout(20):
        await ended
    theirs.close()
