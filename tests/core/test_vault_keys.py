"""What opens a vault: passwords, keys, and how both are changed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from descartes_core.errors import (
    InvalidParams,
    InvalidTransition,
    PolicyDenied,
)
from descartes_core.vault import archive
from descartes_core.vault.boxes import Master, Opener
from descartes_core.vault.crypto import KDF, Key
from descartes_core.vault.vault import Vault
from support.vaults import ANN, PASSWORD, QUICK, VALUE, everything, rows


@pytest.mark.ledger("D-62")
def test_the_password(vault: Vault) -> None:
    for wrong in ("", "a" * 15, "a" * 257):
        with pytest.raises(InvalidParams, match="16 to 256 characters"):
            vault.create(Opener(wrong), owner="ann")
    vault.create(Opener("é" * 256), owner="ann")
    with pytest.raises(InvalidTransition):
        vault.create(Opener(PASSWORD))
    with pytest.raises(PolicyDenied, match="does not open the vault"):
        vault.unlock(Opener("é" * 255))
    vault.unlock(Opener("é" * 256))


@pytest.mark.ledger("D-62")
def test_the_cost_of_the_password_is_brought_up_to_date(vault: Vault, master: Master) -> None:
    vault.set(master, "one", VALUE, ANN)
    assert KDF >= (19_456, 2, 1)
    newer = Vault(vault.path, kdf=KDF)
    cost = "SELECT kdf_memory_kib, kdf_time, kdf_parallelism FROM vault"
    assert rows(vault, cost) == [tuple(QUICK)]
    with pytest.raises(PolicyDenied):
        newer.unlock(Opener("some wrong password"))
    assert rows(vault, cost) == [tuple(QUICK)]
    unlocked = newer.unlock(Opener(PASSWORD))
    assert rows(vault, cost) == [tuple(KDF)]
    assert everything(newer, unlocked) == everything(newer, newer.unlock(Opener(PASSWORD))) == [VALUE]
    assert everything(vault, master) == [VALUE], "the master key is the same, under a dearer password"


@pytest.mark.ledger("D-62")
def test_a_key_in_the_place_of_a_password(vault: Vault) -> None:
    key = os.urandom(32)
    made = vault.create(Opener(key=key), owner="ann")
    vault.set(made, "one", VALUE, ANN)
    assert everything(vault, vault.unlock(Opener(key=key))) == [VALUE]
    for wrong in (Opener(key=os.urandom(32)), Opener(PASSWORD)):
        with pytest.raises(PolicyDenied):
            vault.unlock(wrong)


@pytest.mark.ledger("D-68")
def test_another_password_and_a_fresh_master_key(vault: Vault, master: Master) -> None:
    vault.set(master, "one", "first-value", ANN)
    vault.set(master, "one", "second-value", ANN)
    before = rows(vault, "SELECT value_box FROM version ORDER BY number")
    keys = rows(vault, "SELECT key_box FROM version")
    fresh = vault.change_opener(master, Opener(PASSWORD), Opener("another long password"))
    assert rows(vault, "SELECT value_box FROM version ORDER BY number") == before, "values are not touched"
    assert set(rows(vault, "SELECT key_box FROM version")).isdisjoint(keys)
    with pytest.raises(PolicyDenied, match="does not open"):
        vault.unlock(Opener(PASSWORD))
    with pytest.raises(PolicyDenied, match="another password") as stale:
        vault.get(master, "one", ANN)
    assert stale.value.data["reason"] == "locked"
    for key in (fresh, vault.unlock(Opener("another long password"))):
        assert vault.get(key, "one", ANN, 1).value == "first-value"
    with pytest.raises(PolicyDenied):
        vault.change_opener(fresh, Opener(PASSWORD), Opener("yet another password"))
    with pytest.raises(InvalidParams):
        vault.change_opener(fresh, Opener("another long password"), Opener("short"))
    assert everything(vault, fresh) == ["second-value"]


DIES = """
import os, sys
from pathlib import Path
from descartes_core.vault import boxes, records
from descartes_core.vault.boxes import Opener
from descartes_core.vault.crypto import KdfParameters
from descartes_core.vault.vault import Vault

place = sys.argv[2]
vault = Vault(Path(sys.argv[1]), kdf=KdfParameters(64, 1, 1))
master = vault.unlock(Opener("correct horse battery"))
module = records if place == "write_seal" else boxes
real = getattr(module, place)
def die(*arguments):
    real(*arguments)
    os._exit(9)
setattr(module, place, die)
vault.change_opener(master, Opener("correct horse battery"), Opener("another long password"))
"""


@pytest.mark.ledger("D-68")
@pytest.mark.parametrize("place", ["rewrap_all", "put_master", "write_seal"])
def test_a_crash_while_the_key_changes_leaves_the_old_one(vault: Vault, master: Master, place: str) -> None:
    vault.set(master, "one", VALUE, ANN)
    died = subprocess.run(
        [sys.executable, "-c", DIES, str(vault.path), place], check=False, capture_output=True, text=True
    )
    assert died.returncode == 9, died.stderr
    assert everything(vault, vault.unlock(Opener(PASSWORD))) == [VALUE]
    with pytest.raises(PolicyDenied):
        vault.unlock(Opener("another long password"))


@pytest.mark.ledger("D-68")
def test_exports_open_with_their_own_password(vault: Vault, master: Master) -> None:
    vault.set(master, "one", VALUE, ANN, "api_key")
    text = archive.write(vault.values(master, ANN), "password of the export", QUICK)
    assert VALUE not in text and "one" not in text
    assert archive.read(text, "password of the export") == [vault.get(master, "one", ANN)]
    with pytest.raises(PolicyDenied, match="does not open the export"):
        archive.read(text, PASSWORD)
    with pytest.raises(InvalidParams):
        archive.write([], "short")
    for wrong in ("", "{}", text[:-20], text.replace("descartes-secrets-1", "descartes-secrets-2")):
        with pytest.raises(InvalidParams, match="export"):
            archive.read(wrong, PASSWORD)


def test_a_wiped_key_holds_nothing() -> None:
    key = Key(b"k" * 32)
    key.wipe()
    assert bytes(key.data) == bytes(32)
    assert "k" not in repr(Opener(PASSWORD)) + repr(key).removeprefix("Key") and PASSWORD not in repr(
        Opener(PASSWORD)
    )
