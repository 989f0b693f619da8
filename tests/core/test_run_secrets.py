"""Secrets in runs: in the environment of the steps that name them, and nowhere else."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import pytest

from descartes_core.errors import InvalidParams, NotFound, PolicyDenied, StoreUnavailable
from descartes_core.model import Principal
from descartes_core.processes.identity import identify
from descartes_core.store import Store
from descartes_core.store.secret_variables import given_here, joined
from descartes_core.vault.audit import Visitor
from descartes_core.vault.boxes import Opener
from descartes_core.vault.crypto import KdfParameters
from descartes_core.vault.secrets import Secrets
from descartes_core.vault.vault import Vault
from support.acp_runs import plain, said, start
from support.running import ANN, Bench, call
from support.until import until

PASSWORD = "correct horse battery"
VALUE = "hunter2-of-the-runs"
PERSON = Visitor(ANN, "a test", person=True)
PRINTS = 'echo "it is $API_KEY"'


class Safe(Bench):
    """A bench with a vault."""

    secrets: Secrets


@pytest.fixture
async def bench(workspace: Path) -> AsyncIterator[Safe]:
    store = await Store.open(workspace / ".descartes" / "descartes.db")
    vault = Vault(workspace.parent / "home" / "vault.db", kdf=KdfParameters(64, 1, 1))
    vault.create(Opener(PASSWORD), owner="ann")
    secrets = Secrets(store, vault, lambda: 900)
    made = Safe(workspace, store, None, secrets=secrets)
    made.secrets = secrets
    await secrets.set(PERSON, "API_KEY", VALUE, None, PASSWORD)
    yield made
    await made.close()
    secrets.close()


def kept(bench: Safe) -> bytes:
    state = bench.workspace / ".descartes"
    return b"".join(path.read_bytes() for path in sorted(state.rglob("*")) if path.is_file())


async def results(bench: Safe, run: str) -> list[str]:
    return [
        event.data["result"] if event.name == "tool.completed" else event.data["error"]["message"]
        for event in await bench.events(run)
        if event.name in ("tool.completed", "tool.failed")
    ]


async def test_a_command_has_what_it_names(bench: Safe) -> None:
    run = await bench.ended((await bench.command("sh", "-c", PRINTS, secrets=["API_KEY"])).id)
    assert run.exit_code == 0
    assert (await bench.runs.output(run.id)).text == "it is ‹secret:API_KEY›\n"
    other = await bench.ended((await bench.command("sh", "-c", PRINTS)).id)
    assert (await bench.runs.output(other.id)).text == "it is \n"
    assert VALUE.encode() not in kept(bench)
    uses = await bench.events(run.id, "secret.used")
    assert [(each.actor.name, each.data["name"], each.data["success"]) for each in uses] == [
        (run.agent, "API_KEY", True)
    ]


REMEMBERS = """
import os
from descartes_core.leases.held import Held
from descartes_core.trace import Session
from descartes_server.operations import guarding, principals, workspace
key = os.environ["API_KEY"]
with Session(workspace=os.getcwd()) as session:
    session.set("found", {"header": f"Bearer {key}", key: [key]})
with Session() as own:
    own.set("found", key)
    own.set("mail", "ann@example.org")
    print(own.log_path)
place = workspace.find(__import__("pathlib").Path.cwd())
guarding.record(place, principals.user(), "refused", {"hook": key}, {})
"""


async def test_what_a_command_writes_into_a_log_does_not_show_what_it_was_given(bench: Safe) -> None:
    run = await bench.command(sys.executable, "-c", REMEMBERS, secrets=["API_KEY"])
    ended = await bench.ended(run.id)
    printed = (await bench.runs.output(run.id)).text
    assert ended.exit_code == 0, printed
    assert VALUE.encode() not in kept(bench)
    (found,) = [each.data["content"]["new_value"] for each in await bench.events(type="session.state.set")]
    assert found == {"header": "Bearer ‹secret:API_KEY›", "‹secret:API_KEY›": ["‹secret:API_KEY›"]}
    assert (await bench.events(type="guard"))[0].data["hook"] == "‹secret:API_KEY›"
    own = Path(printed.strip()).read_bytes()
    assert VALUE.encode() not in own and b"ann@example.org" in own


def test_what_a_child_is_given_is_named_beside_what_its_parent_was() -> None:
    parent = joined({"PATH": "/bin"}, {"A_KEY": "first-value"}, {"A_KEY": "a.key"})
    child = joined(parent, {"B": "second-value", "C": "abc"}, {"B": "B", "C": "C"})
    assert child["DESCARTES_SECRETS"] == "A_KEY=a.key B=B C=C"
    # What is too short would take half of every text with it.
    assert dict(given_here(child)) == {"a.key": "first-value", "B": "second-value"}
    assert list(given_here({"DESCARTES_SECRETS": "  =x LOST=lost"})) == []
    assert joined({"PATH": "/bin"}, {}, {}) == {"PATH": "/bin"}


async def test_a_step_of_a_model_has_what_it_names(bench: Safe) -> None:
    run = await bench.spawn(
        call("shell", command=PRINTS),
        call("shell", command=PRINTS, secrets=["API_KEY"]),
        secrets=["API_KEY"],
        tool_level="trusted",
    )
    await bench.ended(run.id)
    assert await results(bench, run.id) == [
        "it is \n(exit code 0)",
        "it is ‹secret:API_KEY›\n(exit code 0)",
    ]
    (used,) = await bench.events(run.id, "secret.used")
    assert used.data["callId"] == "call_2_1"


async def test_without_a_grant_a_person_is_asked(bench: Safe) -> None:
    turns = [call("shell", command=PRINTS, secrets=["API_KEY"])]
    run = await bench.spawn(*turns, agent="deploy", tool_level="trusted")
    question = await bench.question(run.id)
    assert "the secret API_KEY, and nobody has granted that" in question.detail
    await bench.answer(run.id, "accept")
    await bench.ended(run.id)
    assert "‹secret:API_KEY›" in (await results(bench, run.id))[0]
    refused = await bench.spawn(*turns, agent="deploy", tool_level="trusted")
    await bench.answer(refused.id, "reject", reason="no")
    await bench.ended(refused.id)
    assert (await results(bench, refused.id))[0].startswith("Ann rejected this call")
    assert await bench.events(refused.id, "secret.used") == []


async def test_with_a_grant_nobody_is_asked(bench: Safe) -> None:
    await bench.secrets.grant(PERSON, "API_KEY", "agent:deploy", "read", None, None)
    turns = [call("shell", command=PRINTS, secrets=["API_KEY"])]
    run = await bench.ended((await bench.spawn(*turns, agent="deploy", tool_level="trusted")).id)
    assert "‹secret:API_KEY›" in (await results(bench, run.id))[0]
    other = await bench.spawn(*turns, agent="other", tool_level="trusted")
    await bench.question(other.id)
    await bench.secrets.grant(PERSON, "API_KEY", "role:trusted", "read", None, None)
    third = await bench.ended((await bench.spawn(*turns, agent="third", tool_level="trusted")).id)
    assert "‹secret:API_KEY›" in (await results(bench, third.id))[0]


async def test_a_name_that_an_agent_chose_is_worth_nothing(bench: Safe) -> None:
    await bench.secrets.grant(PERSON, "API_KEY", "agent:deploy", "read", None, None)
    parent = await bench.spawn({"text": "x", "delayMs": 30_000}, agent="parent")
    as_parent = Principal(kind="agent", id=parent.id, name="parent")
    turns = [call("shell", command=PRINTS, secrets=["API_KEY"])]
    with pytest.raises(PolicyDenied, match="no grant of the secret"):
        await bench.spawn(*turns, agent="deploy", by=as_parent, secrets=["API_KEY"])
    child = await bench.spawn(*turns, agent="deploy", by=as_parent)
    assert "is given the secret API_KEY" in (await bench.question(child.id)).detail
    command = await bench.command("sh", "-c", PRINTS, by=as_parent, secrets=["API_KEY"])
    assert "It is given these secrets: API_KEY" in (await bench.question(command.id)).detail
    await bench.answer(command.id, "accept")
    await bench.ended(command.id)
    assert (await bench.runs.output(command.id)).text == "it is ‹secret:API_KEY›\n"


async def test_what_cannot_be_given(bench: Safe) -> None:
    with pytest.raises(NotFound, match="no secret 'NOPE'"):
        await bench.command("true", secrets=["NOPE"])
    bob = Principal(kind="human", id="bob", name="Bob")
    with pytest.raises(PolicyDenied, match="Bob has no grant"):
        await bench.command("true", secrets=["API_KEY"], by=bob)
    await bench.secrets.lock(PERSON)
    with pytest.raises(PolicyDenied, match="locked"):
        await bench.command("true", secrets=["API_KEY"])
    turns = [call("shell", command=PRINTS, secrets=["API_KEY"]), call("shell", command=PRINTS, secrets=[1])]
    run = await bench.ended((await bench.spawn(*turns, tool_level="trusted")).id)
    locked, wrong = await results(bench, run.id)
    assert "locked" in locked and "shell takes" in wrong
    denied = [each.data for each in await bench.events(None, "secret.used")]
    assert [(each["success"], each["name"]) for each in denied] == [(False, "API_KEY")]


async def test_without_a_vault(workspace: Path) -> None:
    bench = await Bench.open(workspace)
    with pytest.raises(InvalidParams, match="no vault"):
        await bench.command("true", secrets=["API_KEY"])
    await bench.close()


LARGE = """
import os, sys
value = os.environ["API_KEY"]
for number in range(20000):
    sys.stdout.write(value[:7]); sys.stdout.flush() if number % 500 == 0 else None
    sys.stdout.write(value[7:] + str(number) + "\\n")
sys.stdout.write("tail " + value[:9])
"""


async def test_much_output_and_what_is_left_behind(bench: Safe) -> None:
    run = await bench.command(sys.executable, "-c", LARGE, secrets=["API_KEY"])
    await bench.ended(run.id)
    text = (bench.workspace / ".descartes" / "output" / run.id / "stdout").read_text()
    assert text == "".join(f"‹secret:API_KEY›{number}\n" for number in range(20000)) + "tail " + VALUE[:9]
    daemon = "setsid sh -c 'while :; do echo $API_KEY; done' & echo $! >&2"
    left = await bench.command("sh", "-c", daemon, secrets=["API_KEY"])
    assert (await bench.ended(left.id)).exit_code == 0, "nobody waits for what went into another session"
    pid = int((await bench.runs.output(left.id, "stderr")).text)
    await until(lambda: identify(pid) is None, "what nobody reads any more ends", 20)
    assert VALUE.encode() not in kept(bench)


async def test_the_vault_locks_itself_when_nobody_uses_it(workspace: Path) -> None:
    store = await Store.open(workspace / ".descartes" / "descartes.db")
    vault = Vault(workspace.parent / "home" / "vault.db", kdf=KdfParameters(64, 1, 1))
    idle_seconds = 900.0
    secrets = Secrets(store, vault, lambda: idle_seconds)
    locked = asyncio.Event()
    store.on_events(lambda events: [locked.set() for each in events if each.name == "secret.locked"])
    await secrets.set(PERSON, "API_KEY", VALUE, None, PASSWORD)
    idle_seconds = 0.05
    assert (await secrets.get(PERSON, "API_KEY", None, None)).value == VALUE, "the last use for now"
    await asyncio.wait_for(locked.wait(), 60)
    assert secrets.locks_at is None
    with pytest.raises(PolicyDenied, match="locked"):
        await secrets.get(PERSON, "API_KEY", None, None)
    assert (await secrets.get(PERSON, "API_KEY", None, PASSWORD)).value == VALUE
    secrets.close()
    await store.close()


class Ring(keyring.backend.KeyringBackend):
    """A system's keyring in memory."""

    priority = 1

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.mark.ledger("D-62")
async def test_a_key_in_the_keyring_of_the_system(workspace: Path) -> None:
    before, ring = keyring.get_keyring(), Ring()
    keyring.set_keyring(ring)
    store = await Store.open(workspace / ".descartes" / "descartes.db")
    secrets = Secrets(store, Vault(workspace.parent / "home" / "vault.db"), lambda: 900)
    try:
        await secrets.init(PERSON, None, keyring=True)
        await secrets.set(PERSON, "API_KEY", VALUE, None, None)
        (first,) = ring.kept.values()
        await secrets.lock(PERSON)
        assert (await secrets.get(PERSON, "API_KEY", None, None)).value == VALUE, "nothing is asked"
        await secrets.rekey(PERSON, None, None, keyring=True)
        (second,) = ring.kept.values()
        assert second != first
        await secrets.lock(PERSON)
        with pytest.raises(PolicyDenied, match="opens with the system's keyring"):
            await secrets.get(PERSON, "API_KEY", None, PASSWORD)
        assert (await secrets.get(PERSON, "API_KEY", None, None)).value == VALUE
        await secrets.rekey(PERSON, None, PASSWORD, keyring=False)
        assert ring.kept == {}
        await secrets.lock(PERSON)
        assert (await secrets.get(PERSON, "API_KEY", None, PASSWORD)).value == VALUE
        keyring.set_keyring(keyring.backends.fail.Keyring())
        with pytest.raises(StoreUnavailable, match="no keyring"):
            await secrets.rekey(PERSON, PASSWORD, None, keyring=True)
        assert (await secrets.get(PERSON, "API_KEY", None, PASSWORD)).value == VALUE
    finally:
        keyring.set_keyring(before)
        secrets.close()
        await store.close()


AGENT = """
prompt = ready()
value = os.environ['API_KEY']
print('my key is', value, file=sys.stderr, flush=True)
for piece in ('the key is ' + value[:5], value[5:] + ', keep it'):
    block = {'sessionUpdate': 'agent_message_chunk', 'content': {'type': 'text', 'text': piece}}
    tell('session/update', {'update': block})
ask('fs/write_text_file', {'path': os.path.abspath('out.txt'), 'content': 'key ' + value})
say(prompt, {'stopReason': 'end_turn'})
"""


async def test_an_agent_of_another_program_has_what_it_is_given(bench: Safe) -> None:
    started = await start(bench, plain(AGENT), secrets=["API_KEY"], tool_level="trusted")
    run = await bench.ended(started.id)
    assert run.status == "completed", run.reason
    assert (bench.workspace / "out.txt").read_text() == f"key {VALUE}", "what it says to the hub is exact"
    assert VALUE.encode() not in kept(bench)
    shown = [(await bench.runs.output(run.id, stream)).text for stream in ("stdout", "stderr")]
    assert shown == ["the key is ‹secret:API_KEY›, keep it\n", "my key is ‹secret:API_KEY›\n"]
    assert "‹secret:API_KEY›" in await said(bench, run.id)
