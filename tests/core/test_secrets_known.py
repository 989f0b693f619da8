"""Values are masked from the moment that the vault is open here, used or not; nobody's access is logged."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import keyring
import pytest

from descartes_core.errors import PolicyDenied
from descartes_core.model import NewEvent
from descartes_core.store import EventQuery, Store
from descartes_core.vault import archive, boxes
from descartes_core.vault.audit import Visitor
from descartes_core.vault.boxes import Master
from descartes_core.vault.secrets import Secrets
from descartes_core.vault.shapes import SecretValue
from descartes_core.vault.vault import Vault
from support.file_keyring import FileKeyring
from support.running import ANN
from support.vaults import ANN as OWNER
from support.vaults import PASSWORD, QUICK

pytestmark = pytest.mark.invented_events
PERSON = Visitor(ANN, "a test", person=True)
VALUES = ["first-value", "second-value", "value-of-two"]


@dataclass
class Hub:
    """What a hub has of the vault."""

    store: Store
    secrets: Secrets

    async def shows(self, *values: str) -> list[str]:
        """Return which of VALUES this hub would show in what is printed, or in its log."""
        text = " ".join(f"<{value}>" for value in values)
        await self.store.append(
            NewEvent(category="action", name="test.said", stream="test", actor=ANN, data={"text": text})
        )
        (said,) = (await self.store.reader.events(EventQuery(type="test", limit=1))).events
        printed = said.data["text"], self.secrets.masks.text(text)
        return [value for value in values if any(value in each for each in printed)]

    async def noted(self) -> list[str]:
        found = await self.store.reader.events(EventQuery(type="secret", order="asc"))
        return [each.name for each in found.events]


@pytest.fixture
async def hub(workspace: Path, vault: Vault, master: Master) -> AsyncIterator[Hub]:
    """Return a hub that has just begun, with a vault that another one has filled."""
    for name, value in zip(("one", "one", "two"), VALUES, strict=True):
        vault.set(master, name, value, OWNER)
    store = await Store.open(workspace / ".descartes" / "descartes.db")
    made = Hub(store, Secrets(store, vault, lambda: 900))
    yield made
    made.secrets.close()
    await store.close()


async def test_unlocking_is_enough(hub: Hub) -> None:
    assert await hub.shows(*VALUES) == VALUES, "what nobody can know yet"
    with pytest.raises(PolicyDenied):
        await hub.secrets.unlock(PERSON, "a wrong but long password")
    assert await hub.shows(*VALUES) == VALUES
    await hub.secrets.unlock(PERSON, PASSWORD)
    assert await hub.shows(*VALUES) == [], "old versions too"
    await hub.secrets.lock(PERSON)
    assert await hub.shows(*VALUES) == []
    assert await hub.noted() == ["secret.unlocked", "secret.unlocked", "secret.locked"]


async def test_a_hub_that_begins_knows_and_stays_locked(hub: Hub) -> None:
    await hub.secrets.know(None)
    assert await hub.shows(*VALUES) == VALUES, "a vault under a password, and none was given"
    with pytest.raises(PolicyDenied):
        await hub.secrets.know("a wrong but long password")
    await hub.secrets.know(PASSWORD)
    assert await hub.shows(*VALUES) == []
    assert hub.secrets.locks_at is None and await hub.noted() == []
    with pytest.raises(PolicyDenied, match="locked"):
        await hub.secrets.get(PERSON, "one", None, None)


async def test_the_keyring_is_enough(
    hub: Hub, isolated_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keyring.get_keyring()
    monkeypatch.setenv("TEST_KEYRING", str(isolated_environment / "ring.json"))
    keyring.set_keyring(FileKeyring())
    try:
        other = Secrets(hub.store, hub.secrets.vault, lambda: 900)
        await other.rekey(PERSON, PASSWORD, None, keyring=True)
        other.close()
        for password in (None, PASSWORD):
            fresh = Hub(hub.store, Secrets(hub.store, hub.secrets.vault, lambda: 900))
            await fresh.secrets.know(password)
            assert fresh.secrets.masks.text(" ".join(VALUES)).count("‹secret:") == 3
            assert fresh.secrets.locks_at is None
    finally:
        keyring.set_keyring(before)


async def test_no_vault_is_no_trouble(hub: Hub) -> None:
    hub.secrets.vault.path.unlink()
    await hub.secrets.know(PASSWORD)
    assert await hub.shows(*VALUES) == VALUES


async def test_what_is_set_rotated_or_imported(hub: Hub) -> None:
    new = ["kept-just-now", "rotated-just-now", "imported-just-now"]
    await hub.secrets.set(PERSON, "three", new[0], None, PASSWORD)
    await hub.secrets.set(PERSON, "three", new[1], None, None, exists=True)
    taken = [SecretValue(name="four", type="custom", version=1, value=new[2])]
    await hub.secrets.import_(
        PERSON, archive.write(taken, "password of it " * 2, QUICK), "password of it " * 2, None
    )
    assert await hub.shows(*VALUES, *new) == []


async def test_what_another_hub_kept_is_known_with_the_next_use(
    hub: Hub, master: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hub.secrets.unlock(PERSON, PASSWORD)
    opened: list[tuple[str, bool]] = []
    real = boxes.open_version

    def noting(connection: object, key: Master, row: boxes.Row, number: int) -> bytes:
        opened.append((f"{row.name} {number}", threading.current_thread() is threading.main_thread()))
        return real(connection, key, row, number)  # type: ignore[arg-type]

    hub.secrets.vault.set(master, "another", "value-of-another", OWNER)
    monkeypatch.setattr(boxes, "open_version", noting)
    await hub.secrets.unlock(PERSON, None)
    await hub.secrets.unlock(PERSON, PASSWORD)
    assert opened == [("another 1", False)], "only what is new, and not on the loop"
    assert await hub.shows(*VALUES, "value-of-another") == []
    await hub.secrets.revoke(PERSON, "one", 1, None)
    await hub.secrets.unlock(PERSON, None)
    assert await hub.shows("first-value") == [], "it may have been printed somewhere"


async def test_five_hundred_secrets(hub: Hub, master: Master) -> None:
    values = [f"value number {number:03d}" for number in range(500)]
    taken = [
        SecretValue(name=f"n{at}", type="custom", version=1, value=each) for at, each in enumerate(values)
    ]
    hub.secrets.vault.take_in(master, taken, OWNER)
    await hub.secrets.unlock(PERSON, PASSWORD)
    assert await hub.shows(*VALUES, *values) == []
    assert hub.secrets.masks.text("value number 500") == "value number 500"
