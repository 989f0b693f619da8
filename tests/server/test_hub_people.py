"""Who is attached to one hub: what they see of each other's leases, and whose word counts for what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from descartes_core.errors import InvalidParams, LeaseHeld, PolicyDenied
from descartes_core.model import Principal
from descartes_server.hub import messages
from descartes_server.hub.client import HubClient
from descartes_server.hub.embedded import EmbeddedOpener
from descartes_server.hub.main import running_hub
from descartes_server.hub.service import Hub
from descartes_server.operations.workspace import Workspace
from support.hubs import Heard

Attach = Callable[..., HubClient]


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
