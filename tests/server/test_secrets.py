"""`descartes secret` as a person, a script and an agent use it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from descartes_core.errors import NotFound, PolicyDenied
from descartes_server.hub import record
from descartes_server.hub.client import HubClient
from descartes_server.operations.workspace import Workspace, vault

Descartes = Callable[..., Awaitable[Any]]
PASSWORD = "correct horse battery"
OPEN = {"DESCARTES_VAULT_PASSWORD": PASSWORD}
VALUE = "hunter2-of-the-test"


@pytest.fixture(autouse=True)
def ann(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    monkeypatch.setenv("USER", "ann")
    monkeypatch.delenv("DESCARTES_VAULT_PASSWORD", raising=False)


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.ledger("D-64")
async def test_a_secret_from_a_terminal(descartes: Descartes, here: Workspace) -> None:
    made = await descartes("secret", "set", "API_KEY", "--type", "api_key", stdin=f"{VALUE}\n", **OPEN)
    assert (made.status, made.err) == (0, "") and made.out.startswith("API_KEY\tapi_key\t1\t")
    got = await descartes("secrets", "get", "API_KEY", **OPEN)
    assert (got.status, got.out, got.err) == (0, f"{VALUE}\n", "")
    rotated = await descartes("secret", "rotate", "API_KEY", "--json", stdin="another-value", **OPEN)
    assert json.loads(rotated.out)["version"] == 2
    listed = json.loads((await descartes("secret", "list", "--json")).out)["secrets"]
    assert [(each["name"], each["version"]) for each in listed] == [("API_KEY", 2)]
    assert oct(vault().stat().st_mode & 0o777) == "0o600"
    for folder in (here.state, vault().parent):
        assert VALUE.encode() not in everything_in(folder) and PASSWORD.encode() not in everything_in(folder)


async def test_versions_and_grants_from_a_terminal(descartes: Descartes) -> None:
    for value in (VALUE, "another-value"):
        await descartes("secret", "set", "API_KEY", stdin=value, **OPEN)
    assert (await descartes("secret", "get", "API_KEY", "--version", "1", **OPEN)).out == f"{VALUE}\n"
    granted = await descartes("secret", "grant", "API_KEY", "agent:deploy", "--ttl-seconds", "600", **OPEN)
    assert granted.out.startswith("API_KEY\tagent:deploy\tread\t20")
    assert (await descartes("secret", "revoke", "API_KEY", "--version", "1", **OPEN)).status == 0
    gone = await descartes("secret", "get", "API_KEY", "--version", "1", **OPEN)
    assert gone.status == 1 and "revoked" in gone.err
    assert (await descartes("secret", "rm", "API_KEY", **OPEN)).status == 0
    assert json.loads((await descartes("secret", "list", "--json")).out) == {"secrets": []}


async def test_what_is_wrong_with_a_password_is_one_sentence(descartes: Descartes) -> None:
    none = await descartes("secret", "get", "API_KEY")
    assert (none.status, none.out) == (2, "") and "no vault yet" in none.err
    short = await descartes("secret", "set", "A", stdin=VALUE, DESCARTES_VAULT_PASSWORD="too short")
    assert (short.status, short.err) == (1, "expected a password of 16 to 256 characters, got 9\n")
    assert (await descartes("secret", "set", "A", stdin=VALUE, **OPEN)).status == 0
    unlocked = await descartes("secret", "get", "A")
    assert unlocked.out == f"{VALUE}\n", "the hub holds the vault open"
    wrong = await descartes("secret", "get", "A", DESCARTES_VAULT_PASSWORD="another long password")
    assert wrong.status == 1 and "password does not open" in wrong.err and VALUE not in wrong.out
    await descartes("secret", "lock")
    locked = await descartes("secret", "get", "A")
    assert locked.status == 1 and "is locked" in locked.err


async def test_what_is_wrong_with_a_name_a_value_or_the_file_is_one_sentence(descartes: Descartes) -> None:
    assert (await descartes("secret", "set", "A", stdin=VALUE, **OPEN)).status == 0
    unknown = await descartes("secret", "get", "B", **OPEN)
    assert unknown.status == 2 and "There is no secret 'B'" in unknown.err
    bad = await descartes("secret", "set", "no good", stdin=VALUE, **OPEN)
    assert bad.status == 1 and "expected a name" in bad.err
    empty = await descartes("secret", "set", "A", stdin="", **OPEN)
    assert empty.status == 1 and "expected a value of" in empty.err
    vault().write_bytes(b"garbage " * 512)
    damaged = await descartes("secret", "get", "A", **OPEN)
    assert damaged.status == 1 and "damaged or changed" in damaged.err and "Traceback" not in damaged.err


@pytest.mark.ledger("D-68")
async def test_another_password_and_an_export(descartes: Descartes, isolated_environment: Path) -> None:
    for name in ("A", "B"):
        await descartes("secret", "set", name, stdin=VALUE, **OPEN)
    backup = str(isolated_environment / "backup")
    export = {"DESCARTES_EXPORT_PASSWORD": "password of the export"}
    assert (await descartes("secret", "export", backup, **OPEN, **export)).status == 0
    assert VALUE not in Path(backup).read_text() and Path(backup).stat().st_mode & 0o777 == 0o600
    changed = await descartes("secret", "change-password", stdin="another long password\n", **OPEN)
    assert changed.status == 0
    old = await descartes("secret", "get", "A", **OPEN)
    assert old.status == 1 and "does not open" in old.err
    new = {"DESCARTES_VAULT_PASSWORD": "another long password"}
    assert (await descartes("secret", "get", "A", **new)).out == f"{VALUE}\n"
    for name in ("A", "B"):
        await descartes("secret", "rm", name, **new)
    await descartes("secret", "set", "B", "--type", "api_key", stdin="another value", **new)
    mixed = await descartes("secret", "import", backup, **new, **export)
    assert mixed.status == 1 and "'B' is of type api_key, not custom" in mixed.err
    assert (await descartes("secret", "list")).out.startswith("B\tapi_key\t1\t"), "A was not taken either"
    await descartes("secret", "rm", "B", **new)
    taken = await descartes("secret", "import", backup, **new, **export)
    assert taken.status == 0 and (await descartes("secret", "get", "A", **new)).out == f"{VALUE}\n"
    wrong = await descartes("secret", "import", backup, **new, DESCARTES_EXPORT_PASSWORD="x" * 20)
    assert wrong.status == 1 and "does not open the export" in wrong.err
    audit = json.loads((await descartes("secret", "audit", "--json")).out)["entries"]
    noted = [(each["action"], each["secretName"], each["success"]) for each in audit]
    assert noted[:7] == [
        ("import", None, False), ("read", "A", True),
        ("import", None, True), ("set", "B", True), ("set", "A", True),
        ("remove", "B", True), ("import", None, False),
    ]  # fmt: skip


@pytest.mark.ledger("D-67")
async def test_every_access_and_every_refusal_is_in_the_log(
    client: Callable[..., HubClient], descartes: Descartes
) -> None:
    ann = client(user="ann")
    await ann.call("secret.set", {"name": "A", "value": VALUE, "password": PASSWORD})
    await ann.call("secret.get", {"name": "A"})
    with pytest.raises(PolicyDenied):
        await ann.call("secret.get", {"name": "A", "password": "another long password"})
    with pytest.raises(NotFound):
        await ann.call("secret.get", {"name": "B"})
    found = (await ann.call("secret.audit"))["entries"]
    assert [(each["action"], each["secretName"], each["success"]) for each in found] == [
        ("read", "B", False),
        ("read", "A", False),
        ("read", "A", True),
        ("set", "A", True),
        ("init", None, True),
    ]
    assert {(each["principalId"], each["source"]) for each in found} == {("ann", "Emacs")}
    assert all(each["timestamp"].endswith("Z") and each["sourceIp"] is None for each in found)
    failed = await descartes("secret", "audit", "A", "--failed")
    assert failed.out.count("\n") == 1 and "does not open the vault" in failed.out


AGENT_ASKS = (
    f"import os, subprocess, sys; os.environ['DESCARTES_VAULT_PASSWORD'] = {PASSWORD!r};"
    " sys.exit(subprocess.call([sys.executable, '-m', 'descartes_server', 'secret', 'get', 'A']))"
)


@pytest.mark.ledger("D-67")
async def test_an_agent_is_refused_and_that_is_noted(descartes: Descartes) -> None:
    await descartes("secret", "set", "A", stdin=VALUE, **OPEN)
    asked = await descartes(
        "spawn", "--trust", "--agent", "curious", "--wait", "--", sys.executable, "-c", AGENT_ASKS
    )
    assert asked.status == 1 and "secret.get is for a person to do" in asked.err
    assert VALUE not in asked.out + asked.err
    (entry,) = json.loads((await descartes("secret", "audit", "A", "--failed", "--json")).out)["entries"]
    assert (entry["principal"], entry["action"]) == ("agent:curious", "read") and entry["run"]


async def test_a_program_at_the_socket(client: Callable[..., HubClient], here: Workspace) -> None:
    person = client(user="ann")
    await person.call("secret.set", {"name": "A", "value": VALUE, "password": PASSWORD})
    other = client("a tool", principal={"kind": "service", "id": "tool", "name": "tool"})
    with pytest.raises(PolicyDenied):
        await other.call("secret.get", {"name": "A", "password": PASSWORD})
    with pytest.raises(PolicyDenied):
        await other.call("secret.remove", {"name": "A"})
    wrong: dict[str, Any] = {"name": "A", "value": [VALUE], "password": PASSWORD}
    with pytest.raises(Exception, match="expected `str`") as problem:
        await person.call("secret.set", wrong)
    assert VALUE not in str(problem.value)


async def test_the_password_is_passed_on_to_nobody(descartes: Descartes, here: Workspace) -> None:
    await descartes("secret", "set", "A", stdin=VALUE, **OPEN)
    await descartes("hub", "stop")
    printed = await descartes("spawn", "--trust", "--wait", "--", "sh", "-c", f"env; echo {VALUE}", **OPEN)
    assert printed.status == 0 and PASSWORD not in printed.out and "DESCARTES_RUN=" in printed.out
    assert printed.out.endswith("‹secret:A›\n"), "the hub that this started had the password for a moment"
    hub = record.read(here)
    assert hub is not None
    assert PASSWORD not in str(psutil.Process(hub.pid).environ())
    assert (await descartes("secret", "status")).out.startswith("locked")


async def test_a_hub_begins_with_a_password_that_is_wrong(descartes: Descartes, here: Workspace) -> None:
    await descartes("secret", "set", "A", stdin=VALUE, **OPEN)
    await descartes("hub", "stop")
    wrong = {"DESCARTES_VAULT_PASSWORD": "another long password"}
    assert (await descartes("spawn", "--trust", "--wait", "--", "echo", "hello", **wrong)).out == "hello\n"
    told = (here.log / "hub.log").read_text()
    assert "does not open the vault" in told and "another long" not in told


async def test_two_workspaces_at_once(descartes: Descartes, isolated_environment: Path) -> None:
    second = isolated_environment / "second"
    second.mkdir()
    await descartes("secret", "set", "FIRST", stdin=VALUE, **OPEN)
    outcomes = await asyncio.gather(
        descartes("secret", "set", "SECOND", stdin=VALUE, cwd=second, **OPEN),
        descartes("secret", "set", "THIRD", stdin=VALUE, **OPEN),
    )
    assert [each.status for each in outcomes] == [0, 0]
    listed = json.loads((await descartes("secret", "list", "--json")).out)["secrets"]
    assert [each["name"] for each in listed] == ["FIRST", "SECOND", "THIRD"]
    with sqlite3.connect(vault()) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
