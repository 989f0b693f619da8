"""What travels between a hub and its clients, and that every call has exactly one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgpack
import pytest

from descartes_core.errors import Cancelled, DescartesError, HubLost, InvalidParams, NotFound
from descartes_core.leases import Leases
from descartes_core.model import NewEvent, Principal
from descartes_core.store import Store
from descartes_server.hub import messages
from descartes_server.hub.client import HubClient
from descartes_server.hub.embedded import EmbeddedOpener
from descartes_server.hub.main import running_hub, serve
from descartes_server.hub.server import SocketServer
from descartes_server.operations import dispatch
from descartes_server.operations.workspace import Workspace
from support.hubs import Heard

Attach = Callable[..., HubClient]
Descartes = Callable[..., Awaitable[Any]]


class Raw:
    """A program that speaks the protocol itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._unpacker = messages.unpacker()

    @staticmethod
    async def connect(here: Workspace, client_id: str = "raw", **said: Any) -> Raw:
        raw = Raw(*await asyncio.open_unix_connection(str(here.socket)))
        hello = {"type": "hello", "version": "0.1.0", "protocol": messages.PROTOCOL, "client_id": client_id}
        raw.send(hello | said)
        assert (await raw.next())["type"] == "hello"
        return raw

    def send(self, *sent: dict[str, Any]) -> None:
        self.writer.write(b"".join(msgpack.packb(message) for message in sent))

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while True:
                for message in self._unpacker:
                    assert isinstance(message, dict)
                    return message
                data = await self.reader.read(65536)
                assert data, "the hub closed the connection"
                self._unpacker.feed(data)

    async def until(self, kind: str) -> dict[str, Any]:
        while (message := await self.next())["type"] != kind:
            pass
        return message


@pytest.fixture
async def hub(client: Attach) -> HubClient:
    """Return an attached client of a hub that runs."""
    attached = client()
    await attached.attach(start=True)
    return attached


async def test_changes_by_another_process_are_seen(hub: HubClient, here: Workspace) -> None:
    heard = Heard(hub)
    store = await Store.open(here.database)
    try:
        agent = Principal(kind="agent", id="fixer", name="fixer")
        await Leases(store, here.root).acquire("b.lisp", agent)
    finally:
        await store.close()
    told = await heard.until("descartes/lease/changed")
    assert told["lease"]["holder"]["name"] == "fixer"


async def test_parameters_are_explained_when_they_are_wrong(hub: HubClient) -> None:
    with pytest.raises(InvalidParams) as wrong:
        await hub.call("lease.acquire", {"path": "a.lisp", "ttlSeconds": "long"})
    assert wrong.value.message == (
        "lease.acquire: expected `float | null`, got `str` ('long') at `ttlSeconds`"
    )
    with pytest.raises(InvalidParams, match="unknown field `pth`"):
        await hub.call("lease.acquire", {"pth": "a.lisp"})
    with pytest.raises(InvalidParams, match="missing required field `event`"):
        await hub.call("history.show", {})
    with pytest.raises(NotFound, match=r"lease has lease\.acquire, "):
        await hub.call("lease.frobnicate")
    with pytest.raises(NotFound, match="the resources are"):
        await hub.call("nothing.at.all")


async def test_a_cancelled_call_leaves_nothing_behind(client: Attach) -> None:
    ann, bob = client(user="ann"), client(user="bob")
    await ann.call("lease.acquire", {"path": "a.lisp"})
    waiting = asyncio.ensure_future(bob.call("lease.acquire", {"path": "a.lisp", "waitMs": 60_000}))
    await bob.call("hub.status")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await ann.call("lease.release", {"path": "a.lisp"})
    async with asyncio.timeout(60):
        while (await ann.call("lease.list"))["leases"]:
            pass


async def test_an_answer_that_cannot_travel_is_an_error(
    client: Attach, here: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Any] = ["half of it: \ud83d", object()]

    async def cannot_travel(*_: Any, **__: Any) -> dict[str, Any]:
        return {"text": answers.pop(0)}

    async with running_hub(here) as hub:
        server = SocketServer(hub, here)
        await server.listen()
        ann = client()
        await ann.attach()
        monkeypatch.setattr(dispatch, "perform", cannot_travel)
        with pytest.raises(InvalidParams, match="expected text, got half a character"):
            await asyncio.wait_for(ann.call("lease.acquire", {"path": "a.lisp"}), 60)
        with pytest.raises(DescartesError, match="because of a mistake in Descartes"):
            await asyncio.wait_for(ann.call("lease.acquire", {"path": "a.lisp"}), 60)
        await ann.close()
        server.close()


async def test_a_raw_client_gets_one_answer_for_each_request(hub: HubClient, here: Workspace) -> None:
    raw = await Raw.connect(here)
    request = {"type": "operation_request", "request_id": "1", "operation": "lease.acquire"}
    once = request | {"params": {"path": "a.lisp"}}
    raw.send(once, once)
    first = await raw.next()
    assert first["success"] and first["result"]["token"] == 1
    raw.send(once, {"type": "ping", "payload": "p"})
    again, pong = await raw.next(), await raw.next()
    if again["type"] == "pong":
        again, pong = pong, again
    assert (again, pong) == (first, {"type": "pong", "payload": "p"})

    other = {"type": "hello", "version": "0", "protocol": messages.PROTOCOL, "client_id": "2"}
    holder = {"kind": "human", "id": "zoe", "name": "Zoe"}
    raw.send(other | {"principal": holder})
    raw.send(once | {"request_id": "2", "params": {"path": "a.lisp", "waitMs": 60000}})
    raw.send({"type": "cancel", "request_id": "2"})
    answer = await raw.next()
    assert (answer["request_id"], answer["error"]["code"]) == ("2", Cancelled.code)
    raw.writer.close()


async def test_events_are_sent_from_any_point_and_as_fast_as_they_are_taken(
    hub: HubClient, here: Workspace
) -> None:
    for number in range(10):
        await hub.call("lease.acquire", {"path": f"{number}.lisp"})
    raw = await Raw.connect(here)
    raw.send({"type": "subscribe", "since": 0, "types": ["lease."], "credit": 4})
    paths = [(await raw.until("event"))["event"]["data"]["path"] for _ in range(4)]
    raw.send({"type": "ping"})
    assert (await raw.next())["type"] == "pong", "no credit, no event"
    raw.send({"type": "credit", "count": 6})
    paths += [(await raw.until("event"))["event"]["data"]["path"] for _ in range(6)]
    assert paths == [f"{number}.lisp" for number in range(10)]
    raw.writer.close()


@pytest.mark.invented_events
async def test_a_subscriber_that_does_not_read_holds_up_nobody_and_misses_nothing(
    hub: HubClient, here: Workspace
) -> None:
    slow = await Raw.connect(here, notifications=True)
    slow.send({"type": "subscribe", "since": 0, "types": ["test"]})
    store = await Store.open(here.database)
    try:
        someone = Principal(kind="service", id="t", name="t")
        big = {"text": "x" * 20_000}
        for number in range(40):
            event = NewEvent(
                category="system", name=f"test.{number}", stream="t", actor=someone, data=big | {"n": number}
            )
            await store.append(*[event] * 10)
    finally:
        await store.close()
    async with asyncio.timeout(60):
        await hub.call("lease.acquire", {"path": "a.lisp"})
    seen = [(await slow.until("event"))["event"]["data"]["n"] for _ in range(400)]
    assert seen == [number for number in range(40) for _ in range(10)]
    slow.writer.close()


async def test_a_client_that_does_not_read_is_told_what_it_missed(here: Workspace) -> None:
    async with running_hub(here) as hub:
        server = SocketServer(hub, here)
        await server.listen()
        slow = await Raw.connect(here, notifications=True)
        for number in range(400):
            hub.publish("descartes/lisp/output", {"text": "x" * 50_000, "n": number})
        heard = 0
        while (message := await slow.next())["type"] == "notification":
            heard += 1
        assert message["type"] == "lagged" and heard + message["dropped"] == 400
        hub.publish("descartes/lisp/output", {"text": "and on"})
        assert (await slow.next())["params"] == {"text": "and on"}
        slow.writer.close()
        server.close()


async def test_a_client_reads_events_over_the_death_of_a_hub(client: Attach, here: Workspace) -> None:
    ann = client()
    await ann.attach(start=True)
    await ann.call("lease.acquire", {"path": "a.lisp"})
    seen: list[str] = []
    more = asyncio.Event()

    async def read() -> None:
        async for event in ann.events(since=0, types=["lease."]):
            seen.append(event["data"]["path"])
            more.set()

    reading = asyncio.ensure_future(read())
    async with asyncio.timeout(60):
        await more.wait()
        lost = asyncio.Event()
        ann.on_lost(lambda _: lost.set())
        await ann.call("hub.stop")
        await lost.wait()
        more.clear()
        await ann.call("lease.acquire", {"path": "b.lisp"})
        await more.wait()
    assert seen == ["a.lisp", "b.lisp"]
    reading.cancel()


async def test_who_stops_the_hub_is_answered_whenever_that_is(
    here: Workspace, client: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in the moment in which the hub looks by itself whether it is time to end."""
    monkeypatch.setattr("descartes_server.hub.main.LOOK_S", 0.0)
    monkeypatch.setattr("descartes_server.garbage.leave_out", lambda: None)  # this process goes on
    listening = asyncio.Event()
    hub = asyncio.create_task(serve(here, lambda answer: listening.set()))
    await listening.wait()
    async with asyncio.timeout(60):
        assert await client().call("hub.stop") == {}
        await hub


async def test_the_hub_asks_a_client_and_hears_its_answer(here: Workspace) -> None:
    here.root.mkdir(exist_ok=True)
    async with running_hub(here, embedded=True) as hub:
        hello = messages.ClientHello(version="0.1.0", protocol=messages.PROTOCOL, client_id="c1")
        client = HubClient(EmbeddedOpener(hub), lambda: hello)
        await client.attach()

        async def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
            return {"text": f"{method} {params['prompt']}"}

        with pytest.raises(NotFound, match="has no answer"):
            await hub.ask_client("c1", "descartes/lisp/input", {"prompt": "?"})
        client.on_request(answer)
        heard = await hub.ask_client("c1", "descartes/lisp/input", {"prompt": "name?"})
        assert heard == {"text": "descartes/lisp/input name?"}

        never = asyncio.Event()

        async def silent(method: str, params: dict[str, Any]) -> dict[str, Any]:
            await never.wait()
            return {}

        client.on_request(silent)
        asked = asyncio.ensure_future(hub.ask_client("c1", "descartes/lisp/input", {"prompt": "?"}))
        await client.call("hub.status")
        await client.close()
        with pytest.raises(HubLost):
            await asked
        with pytest.raises(NotFound):
            await hub.ask_client("c1", "descartes/lisp/input", {})


async def test_the_embedded_hub_is_the_same_hub(here: Workspace) -> None:
    async with running_hub(here, embedded=True) as hub:
        hello = messages.ClientHello(
            version="0.1.0", protocol=messages.PROTOCOL, client_id="c", notifications=True
        )
        client = HubClient(EmbeddedOpener(hub), lambda: hello)
        heard = Heard(client)
        await client.call("lease.acquire", {"path": "a.lisp"})
        assert (await heard.until("descartes/lease/changed"))["change"] == "acquired"
        assert (await client.call("hub.status"))["clients"] == 1
        await client.close()
