"""`descartes secret` with the vault's key in the system's keyring, which may be locked, broken or missing."""

from __future__ import annotations

import getpass
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from descartes_server.hub.client import HubClient
from descartes_server.operations.workspace import vault
from support.file_keyring import FileKeyring

Descartes = Callable[..., Awaitable[Any]]
VALUE = "hunter2-of-the-test"
TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture
def ring(isolated_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a keyring that is this person's choice."""
    path = isolated_environment / "ring.json"
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", f"{FileKeyring.__module__}.{FileKeyring.__name__}")
    monkeypatch.setenv("TEST_KEYRING", str(path))
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    monkeypatch.delenv("DESCARTES_VAULT_PASSWORD", raising=False)
    return path


def entries(ring: Path) -> list[str]:
    return [name.rpartition("/")[2] for name in json.loads(ring.read_text())]


@pytest.mark.ledger("D-62")
async def test_the_key_in_the_keyring_is_found_changed_and_lost(
    descartes: Descartes, client: Callable[..., HubClient], ring: Path
) -> None:
    made = await descartes("secret", "init", "--keyring")
    assert (made.status, made.err) == (0, "") and entries(ring) == ["1"]
    person = client(user=getpass.getuser())
    await person.call("secret.set", {"name": "API_KEY", "value": VALUE})
    await person.call("secret.lock")
    assert (await descartes("secret", "get", "API_KEY")).out == f"{VALUE}\n", "nothing is asked"
    changed = await descartes("secret", "change-password", "--keyring")
    assert (changed.status, entries(ring)) == (0, ["2"]), "a fresh key, and the old one is forgotten"
    await person.call("secret.lock")
    assert (await descartes("secret", "get", "API_KEY")).out == f"{VALUE}\n"
    await person.call("secret.lock")
    ring.unlink()
    lost = await descartes("secret", "get", "API_KEY")
    assert lost.status == 1 and "The system's keyring has no key of this vault" in lost.err


@pytest.mark.slow
async def test_a_keyring_in_trouble_is_told_and_comes_back(descartes: Descartes, ring: Path) -> None:
    await descartes("secret", "init", "--keyring")
    await descartes("secret", "set", "API_KEY", stdin=VALUE)
    await descartes("secret", "lock")
    trouble = ring.with_name("ring.json.trouble")
    for what, said in (
        ("locked", "keyring is locked (the person dismissed the prompt); unlock it and try again"),
        ("broken", "which has the key of the vault, cannot be used (the ring is bent); "),
    ):
        trouble.write_text(what)
        refused = await descartes("secret", "get", "API_KEY")
        assert (refused.status, refused.out) == (1, "")
        assert said in refused.err and refused.err.count("\n") == 1
    prints = "spawn", "--trust", "--wait", "--", "echo", VALUE
    await descartes("hub", "stop")
    assert (await descartes(*prints)).out == f"{VALUE}\n", "a hub begins all the same, and knows nothing"
    await descartes("hub", "stop")
    trouble.unlink()
    assert (await descartes(*prints)).out == "‹secret:API_KEY›\n"
    assert (await descartes("secret", "get", "API_KEY")).out == f"{VALUE}\n"


@pytest.mark.slow
async def test_no_vault_is_made_where_the_key_is_not_kept(descartes: Descartes, ring: Path) -> None:
    trouble = ring.with_name("ring.json.trouble")
    for what, said in (("forgets", "it keeps nothing"), ("locked", "locked"), ("broken", "the ring is bent")):
        trouble.write_text(what)
        refused = await descartes("secret", "init", "--keyring")
        assert refused.status == 1 and said in refused.err and "Traceback" not in refused.err
        assert not vault().exists()
    await descartes("hub", "stop")
    nothing = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    refused = await descartes("secret", "init", "--keyring", **nothing)
    assert refused.status == 1 and "No recommended backend was available" in refused.err
    assert "use a password instead" in refused.err and not vault().exists()
    await descartes("hub", "stop")
    unknown = {"PYTHON_KEYRING_BACKEND": "no.such.Backend"}
    refused = await descartes("secret", "init", "--keyring", **unknown)
    assert refused.status == 1 and "use a password instead" in refused.err and not vault().exists()
