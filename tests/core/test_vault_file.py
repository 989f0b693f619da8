"""The file of the vault: what it shows, and what becomes of it when somebody touches it."""

from __future__ import annotations

import base64
import itertools
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from descartes_core.errors import (
    PolicyDenied,
    StoreUnavailable,
)
from descartes_core.vault import boxes
from descartes_core.vault.boxes import Master, Opener
from descartes_core.vault.crypto import Damaged
from descartes_core.vault.vault import Vault
from support.vaults import ANN, PASSWORD, QUICK, VALUE, everything, files_of, rows

BLOBS = [
    ("vault", "kdf_salt"), ("vault", "master_box"), ("vault", "seal"),
    ("version", "salt"), ("version", "key_box"), ("version", "value_box"),
]  # fmt: skip


@pytest.mark.ledger("D-69")
def test_the_file_shows_no_value_in_any_form(vault: Vault, master: Master) -> None:
    seen: list[bytes] = []
    for version in range(5):
        vault.set(master, "API_KEY", f"{VALUE}-{version}", ANN)
        seen.append(files_of(vault))
    vault.revoke(master, "API_KEY", 1, ANN)
    vault.remove(master, "API_KEY", ANN)
    seen.append(files_of(vault))
    data = VALUE.encode()
    forms = [data, base64.b64encode(data)[:-4], data.hex().encode(), data[::-1], VALUE.encode("utf-16-le")]
    assert [form for form, bytes_ in itertools.product(forms, seen) if form in bytes_] == []
    assert PASSWORD.encode() not in b"".join(seen)
    assert oct(vault.path.stat().st_mode & 0o777) == "0o600"


@pytest.mark.ledger("D-63")
def test_equal_values_look_different(vault: Vault, master: Master) -> None:
    for name in ("one", "two"):
        vault.set(master, name, VALUE, ANN)
        vault.set(master, name, VALUE, ANN)
    for column, size in (("salt", 32), ("key_box", 1 + 12 + 32 + 16), ("value_box", 1 + 12 + 15 + 16)):
        found = [value for (value,) in rows(vault, f"SELECT {column} FROM version")]
        assert len(set(found)) == 4
        assert {len(each) for each in found if isinstance(each, bytes)} == {size}
    assert {box[0] for (box,) in rows(vault, "SELECT value_box FROM version") if isinstance(box, bytes)} == {
        1
    }


def blob_bytes() -> Iterator[tuple[str, str, int]]:
    sizes = {"salt": 32, "kdf_salt": 32, "seal": 32}
    for table, column in BLOBS:
        for place in range(sizes.get(column, 1 + 12 + 15 + 16)):
            yield table, column, place


@pytest.mark.ledger("D-61")
def test_any_flipped_bit_is_noticed(vault: Vault, master: Master) -> None:
    vault.set(master, "one", VALUE, ANN)
    unnoticed = []
    for table, column, place in blob_bytes():
        ((before,),) = rows(vault, f"SELECT {column} FROM {table}")
        assert isinstance(before, bytes)
        flipped = bytearray(before)
        flipped[place] ^= 1 << (place % 8)
        rows(vault, f"UPDATE {table} SET {column} = ?", bytes(flipped))
        for what in (lambda: vault.unlock(Opener(PASSWORD)), lambda: vault.get(master, "one", ANN)):
            try:
                what()
            except (Damaged, PolicyDenied):
                continue
            # A box that only unlocking opens is under the seal for whoever has the key already.
            unnoticed.append((table, column, place))
        rows(vault, f"UPDATE {table} SET {column} = ?", before)
    assert unnoticed == []
    assert everything(vault, vault.unlock(Opener(PASSWORD))) == [VALUE]


@pytest.mark.ledger("D-61")
def test_the_boxes_alone_notice_a_swap(vault: Vault, master: Master) -> None:
    for name in ("one", "two"):
        vault.set(master, name, f"{name}-first", ANN)
        vault.set(master, name, f"{name}-second", ANN)
    with closing(sqlite3.connect(vault.path)) as connection:
        found = [
            (secret, number, name)
            for secret, number, name in connection.execute(
                "SELECT secret, number, name FROM version JOIN secret ON id = secret ORDER BY name, number"
            )
        ]
        for one, other in itertools.permutations(found, 2):
            taken = connection.execute(
                "SELECT revoked_ms, salt, key_box, value_box FROM version WHERE secret = ? AND number = ?",
                other[:2],
            ).fetchone()
            connection.execute("SAVEPOINT swap")
            connection.execute(
                "UPDATE version SET revoked_ms = ?, salt = ?, key_box = ?, value_box = ?"
                " WHERE secret = ? AND number = ?",
                (*taken, *one[:2]),
            )
            with pytest.raises(Damaged):
                boxes.open_version(connection, master, boxes.Row(one[0], one[2], "custom"), one[1])
            connection.execute("ROLLBACK TO swap")


TOUCHED = [
    "UPDATE secret SET name = 'x' || name",
    "UPDATE secret SET name = CASE name WHEN 'one' THEN 't' ELSE 'o' END",
    "UPDATE secret SET updated_ms = 1",
    "UPDATE version SET revoked_ms = 1",
    "UPDATE version SET number = number + 10",
    "UPDATE version SET created_ms = 7",
    "DELETE FROM version WHERE number = 2",
    "DELETE FROM secret WHERE name = 'one'",
    "DELETE FROM access",
    "UPDATE access SET level = 'admin'",
    "UPDATE access SET expires_ms = NULL",
    "INSERT INTO access SELECT secret, 'agent:eve', 'read', 1, 'Ann', NULL FROM access",
    "UPDATE vault SET owner = 'eve'",
    "UPDATE vault SET generation = 2",
    "UPDATE vault SET kdf_time = kdf_time + 1",
    "UPDATE vault SET kdf_memory_kib = 1073741824",
    "UPDATE vault SET format = 'x'",
    "UPDATE vault SET id = 'x'",
    "UPDATE vault SET kdf_salt = 'text'",
    "UPDATE version SET value_box = NULL",
]


@pytest.mark.ledger("D-61")
@pytest.mark.parametrize("statement", TOUCHED)
def test_any_changed_row_is_noticed(vault: Vault, master: Master, statement: str) -> None:
    for name in ("one", "two"):
        vault.set(master, name, f"{name}-first", ANN)
        vault.set(master, name, f"{name}-second", ANN)
    vault.grant(master, "one", "agent:deploy", "read", ANN, expires_ms=2_000_000)
    rows(vault, statement)
    with pytest.raises((Damaged, PolicyDenied)) as noticed:
        everything(vault, vault.unlock(Opener(PASSWORD)))
    assert "Descartes wrote it" in str(noticed.value) or "changed" in str(noticed.value)


def test_a_file_that_is_no_database(vault: Vault, master: Master) -> None:
    vault.path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(Damaged, match="damaged or changed"):
        vault.unlock(Opener(PASSWORD))
    vault.path.write_bytes(b"")
    assert vault.describe() is None


WRITES = """
import sys
from pathlib import Path
from descartes_core.model import Principal
from descartes_core.vault.boxes import Opener
from descartes_core.vault.crypto import KdfParameters
from descartes_core.vault.shapes import Who
from descartes_core.vault.vault import Vault

me = Who(Principal(kind="human", id="ann", name="Ann"), owner=True)
vault = Vault(Path(sys.argv[1]), kdf=KdfParameters(64, 1, 1))
master = vault.unlock(Opener("correct horse battery"))
for number in range(25):
    vault.set(master, sys.argv[2], f"value-{sys.argv[2]}-{number}", me)
    vault.set(master, "shared", f"value-{sys.argv[2]}-{number}", me)
"""


def test_two_processes_at_once(vault: Vault, master: Master) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITES, str(vault.path), name]) for name in ("one", "two")
    ]
    assert [writer.wait(45) for writer in writers] == [0, 0]
    for name in ("one", "two"):
        assert vault.get(master, name, ANN).value == f"value-{name}-24"
        assert vault.get(master, name, ANN, 1).value == f"value-{name}-0"
    assert vault.get(master, "shared", ANN).version == 50


def test_a_file_or_folder_that_others_can_reach_is_refused(vault: Vault, master: Master) -> None:
    def refused(words: str) -> None:
        with pytest.raises(StoreUnavailable, match=words):
            vault.unlock(Opener(PASSWORD))

    vault.path.chmod(0o640)
    refused("chmod 600")
    vault.path.chmod(0o600)
    vault.path.parent.chmod(0o770)
    refused("chmod go-w")
    vault.path.parent.chmod(0o700)
    moved = vault.path.with_name("elsewhere.db")
    vault.path.rename(moved)
    vault.path.symlink_to(moved)
    refused("cannot be opened")
    vault.path.unlink()
    vault.path.hardlink_to(moved)
    refused("a file of its own")
    vault.path.unlink()
    os.mkfifo(vault.path, 0o600)
    refused("a file of its own")


def test_a_home_that_cannot_be_written(isolated_environment: Path) -> None:
    file = isolated_environment / "a-file"
    file.touch()
    nowhere = Vault(file / "home" / "vault.db", kdf=QUICK)
    with pytest.raises(StoreUnavailable, match="cannot be opened: Not a directory"):
        nowhere.create(Opener(PASSWORD), owner="ann")
    assert nowhere.describe() is None
