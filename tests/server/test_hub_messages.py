"""What clients of one hub see of each other, and that every call has exactly one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgpack
import pytest

from descartes_core.errors import Cancelled, HubLost, InvalidParams, LeaseHeld, NotFound, PolicyDenied
from descartes_core.leases import Leases
from descartes_core.model import NewEvent, Principal
from descartes_core.store import Store
from descartes_server.hub import messages
from descartes_server.hub.client import HubClient
from descartes_server.hub.embedded import EmbeddedOpener
from descartes_server.hub.main import running_hub, serve
from descartes_server.hub.server import SocketServer
from descartes_server.hub.service import Hub
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


@pytest.mark.ledger("D-54")
async def test_two_clients_see_each_others_leases(client: Attach) -> None:
    ann, bob = client("Emacs", user="ann"), client("VS Code", user="bob")
    await ann.attach(start=True)
    await bob.attach(start=True)
    heard = Heard(bob)
    lease = await ann.call("lease.acquire", {"path": "./x/../a.lisp", "reason": "tidying"})
    told = await heard.until("descartes/lease/changed")
    assert told == {"lease": lease, "change": "acquired"}
    assert told["lease"]["path"] == "a.lisp" and told["lease"]["holder"]["via"] == "Emacs"
    with pytest.raises(LeaseHeld, match="Ann"):
        await bob.call("lease.acquire", {"path": "a.lisp"})
    stolen = await bob.call("lease.steal", {"path": "a.lisp", "reason": "urgent"})
    assert stolen["token"] > lease["token"]
    await heard.until("descartes/lease/changed", lambda params: params["change"] == "stolen")


async def test_a_request_for_a_lease_is_a_question_to_its_holder(client: Attach) -> None:
    ann, bob = client("Emacs", user="ann"), client("VS Code", user="bob")
    await ann.attach(start=True)
    heard = Heard(ann)
    await ann.call("lease.acquire", {"path": "a.lisp"})
    await bob.call("lease.request", {"path": "a.lisp", "message": "may I?"})
    told = await heard.until("descartes/intervention/changed", lambda params: params["interventions"])
    (question,) = told["interventions"]
    assert question["kind"] == "lease" and "may I?" in question["detail"] and "Bob" in question["title"]
    waiting = asyncio.ensure_future(bob.call("lease.acquire", {"path": "a.lisp", "waitMs": 60_000}))
    await ann.call("intervention.answer", {"id": question["id"][4:12], "choice": "release"})
    assert (await waiting)["holder"]["id"] == "bob"
    assert (await ann.call("intervention.list"))["interventions"] == []


async def test_a_question_about_a_lease_that_ends_is_closed(client: Attach) -> None:
    ann, bob = client("Emacs", user="ann"), client("VS Code", user="bob")
    await ann.attach(start=True)
    heard = Heard(bob)
    await bob.attach()
    for mode, holder in [("shared", None), ("shared", "agent:reader")]:
        await ann.call("lease.acquire", {"path": "a.lisp", "mode": mode, "holder": holder})
    await bob.call("lease.request", {"path": "a.lisp"})
    await heard.until("descartes/intervention/changed", lambda params: len(params["interventions"]) == 1)
    (question,) = (await bob.call("intervention.list"))["interventions"]
    asked = question["data"]["holder"]["kind"]
    of = {"human": None, "agent": "agent:reader"}
    other = next(holder for kind, holder in of.items() if kind != asked)
    await ann.call("lease.release", {"path": "a.lisp", "holder": other})
    await heard.until("descartes/lease/changed", lambda params: params["change"] == "released")
    await bob.call("lease.acquire", {"path": "later.lisp"})
    await heard.until("descartes/lease/changed", lambda params: params["lease"]["path"] == "later.lisp")
    assert (await bob.call("intervention.list"))["interventions"] == [question]
    await ann.call("lease.release", {"path": "a.lisp", "holder": of[asked]})
    await heard.until("descartes/intervention/changed", lambda params: not params["interventions"])


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


async def test_a_child_of_a_run_is_that_runs_agent_whatever_it_says(hub: HubClient, client: Attach) -> None:
    for said in ({"run": "run_0", "token": "x"}, {"token": "x"}, {"run": "run_0"}):
        with pytest.raises(PolicyDenied, match="token"):
            await client(**said).call("hub.status")
    service = client(principal=Principal(kind="service", id="mcp", name="mcp"))
    with pytest.raises(PolicyDenied, match="for a person"):
        await service.call("intervention.answer", {"id": "int_0", "choice": "accept"})
    with pytest.raises(PolicyDenied):
        await service.call("lease.steal", {"path": "a.lisp", "holder": "human:ann"})


@pytest.mark.ledger("D-52")
@pytest.mark.ledger("D-53")
async def test_what_is_a_persons_is_moved_and_ended_by_people(hub: HubClient, client: Attach) -> None:
    agent = client(principal=Principal(kind="agent", id="fixer", name="fixer"))
    await hub.call("lease.acquire", {"path": "a.lisp"})
    with pytest.raises(PolicyDenied, match="follows a file that was renamed"):
        await agent.call("lease.move", {"path": "a.lisp", "newPath": "zzz"})
    with pytest.raises(PolicyDenied, match="by force is for a person"):
        await agent.call("lease.release", {"path": "a.lisp", "force": True})
    await hub.call("lease.move", {"path": "a.lisp", "newPath": "b.lisp"})
    (lease,) = (await hub.call("lease.list"))["leases"]
    assert (lease["path"], lease["holder"]["id"]) == ("b.lisp", "ann")

    with pytest.raises(InvalidParams, match="maxRenewals"):
        await agent.call("lease.acquire", {"path": "c.lisp", "maxRenewals": -1})
    await agent.call("lease.acquire", {"path": "c.lisp", "maxRenewals": 1})
    await agent.call("lease.renew", {"path": "c.lisp"})
    with pytest.raises(PolicyDenied, match="may be renewed once and was"):
        await agent.call("lease.renew", {"path": "c.lisp"})
    with pytest.raises(LeaseHeld, match="fixer"):
        await hub.call("lease.release", {"path": "c.lisp"})
    ended = await hub.call("lease.release", {"path": "c.lisp", "force": True})
    assert ended["holder"]["id"] == "fixer"
    assert [each["path"] for each in (await hub.call("lease.list"))["leases"]] == ["b.lisp"]


async def test_unsaved_documents_are_known_by_editor(here: Workspace) -> None:
    async with running_hub(here, embedded=True) as hub:
        hello = messages.ClientHello(
            version="0.1.0", protocol=messages.PROTOCOL, client_id="c", client_name="Emacs"
        )
        client = HubClient(EmbeddedOpener(hub), lambda: hello)
        client.set_unsaved([str(here.root / "x" / ".." / "a.lisp")])
        await client.call("hub.status")
        assert hub.editors.unsaved_in(here.root / "a.lisp") == "Emacs"
        assert hub.editors.unsaved_in(here.root) == "Emacs"
        client.set_unsaved([])
        await client.call("hub.status")
        assert hub.editors.unsaved_in(here.root / "a.lisp") is None
        await client.close()


class Typist:
    """Somebody in the hub HUB with their editor, whose leases are waited for."""

    def __init__(self, hub: Hub, person: Principal) -> None:
        self._hub, self._person = hub, person
        hello = messages.ClientHello(
            version="0.1.0",
            protocol=messages.PROTOCOL,
            client_id=f"editor of {person.id}",
            client_name="Emacs",
            principal=person,
            presence=True,
        )
        self.client = HubClient(EmbeddedOpener(hub), lambda: hello)
        self._changed = asyncio.Event()
        hub.services.store.on_events(lambda events: self._changed.set())

    async def has(self, *leases: tuple[str, str]) -> None:
        """Return when the person has exactly LEASES, each a path and a mode."""
        async with asyncio.timeout(60):
            while True:
                self._changed.clear()
                found = await self._hub.services.leases.list(holder=self._person)
                if [(each.path, each.mode) for each in found] == list(leases):
                    return
                await self._changed.wait()


@pytest.mark.ledger("D-59")
async def test_who_types_holds_it_whatever_becomes_of_the_leases_there(here: Workspace) -> None:
    ann, bob = (Principal(kind="human", id=name, name=name.title()) for name in ("ann", "bob"))
    agent = Principal(kind="agent", id="run_1", name="fixer")
    typed = ("a.lisp", "intent")
    async with running_hub(here, embedded=True) as hub:
        leases, typist = hub.services.leases, Typist(hub, ann)
        other, thief = (Typist(hub, each).client for each in (bob, agent))
        await leases.acquire("a.lisp", agent, run=agent.id)
        typist.client.set_unsaved([str(here.root / "a.lisp")])
        await typist.client.call("lease.acquire", {"path": "else"})
        await leases.release_all(run=agent.id)
        await typist.has(typed, ("else", "exclusive"))
        await typist.client.call("lease.release", {"path": "else"})

        await typist.client.call("lease.acquire", {"path": "a.lisp"})
        await typist.has(("a.lisp", "exclusive"))
        with pytest.raises(PolicyDenied, match="unsaved changes of a person in Emacs"):
            await thief.call("lease.steal", {"path": "*.lisp"})
        await typist.client.call("lease.release", {"path": "a.lisp"})
        await typist.has(typed)

        with pytest.raises(PolicyDenied, match="unsaved changes of Ann"):
            await leases.steal("a.lisp", agent)
        await other.call("lease.steal", {"path": "a.lisp"})
        await typist.has()
        await other.call("lease.release", {"path": "a.lisp"})
        await typist.has(typed)
        typist.client.set_unsaved([])
        await typist.has()
        for each in (typist.client, other, thief):
            await each.close()
