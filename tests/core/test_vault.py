"""The vault: what is in its file, who may do what, and what becomes of it when somebody touches it."""

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
    DescartesError,
    InvalidParams,
    InvalidTransition,
    NotFound,
    PolicyDenied,
    StoreUnavailable,
)
from descartes_core.model import Principal
from descartes_core.vault import archive, boxes
from descartes_core.vault.boxes import Master, Opener
from descartes_core.vault.crypto import KDF, Damaged, KdfParameters, Key
from descartes_core.vault.shapes import LEVELS, AccessLevel, SecretValue, Who
from descartes_core.vault.vault import Vault

ANN = Who(Principal(kind="human", id="ann", name="Ann"), owner=True)
PASSWORD = "correct horse battery"
QUICK = KdfParameters(memory_kib=64, time=1, parallelism=1)
VALUE = "hunter2-éclair"
BLOBS = [
    ("vault", "kdf_salt"), ("vault", "master_box"), ("vault", "seal"),
    ("version", "salt"), ("version", "key_box"), ("version", "value_box"),
]  # fmt: skip


class Steady:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.ms = 1_000_000

    def now_ms(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Steady:
    return Steady()


@pytest.fixture
def vault(isolated_environment: Path, clock: Steady) -> Vault:
    return Vault(isolated_environment / "home" / "vault.db", clock, QUICK)


@pytest.fixture
def master(vault: Vault) -> Master:
    return vault.create(Opener(PASSWORD), owner="ann")


def rows(vault: Vault, query: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(vault.path)) as connection, connection:
        return connection.execute(query, values).fetchall()


def everything(vault: Vault, master: Master, who: Who = ANN) -> list[str]:
    return [each.value for each in vault.values(master, who)]


def files_of(vault: Vault) -> bytes:
    return b"".join(path.read_bytes() for path in vault.path.parent.glob("vault.db*"))


@pytest.mark.ledger("D-64")
def test_a_value_comes_back_and_a_list_never_decrypts(
    vault: Vault, master: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.set(master, "API_KEY", VALUE, ANN, "api_key")
    vault.set(master, "db", "p\"a's\\s\nword", ANN, "database_password")
    assert vault.get(master, "API_KEY", ANN) == SecretValue(
        name="API_KEY", type="api_key", version=1, value=VALUE
    )
    assert vault.get(master, "db", ANN).value == "p\"a's\\s\nword"
    monkeypatch.setattr(boxes, "open_version", lambda *_: pytest.fail("a list decrypts"))
    monkeypatch.setattr(boxes, "open_master", lambda *_: pytest.fail("a list unlocks"))
    assert [(each.name, each.type, each.version) for each in vault.list(ANN)] == [
        ("API_KEY", "api_key", 1),
        ("db", "database_password", 1),
    ]
    assert VALUE not in repr(vault.list(ANN))


@pytest.mark.parametrize("kind", ["api_key", "oauth_token", "database_password", "private_key", "custom"])
def test_every_type(vault: Vault, master: Master, kind: str) -> None:
    assert vault.set(master, "one", VALUE, ANN, kind).type == kind  # type: ignore[arg-type]
    with pytest.raises(InvalidParams, match="is of type"):
        vault.set(master, "one", VALUE, ANN, "custom" if kind != "custom" else "api_key")


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


@pytest.mark.ledger("D-65")
def test_versions(vault: Vault, master: Master) -> None:
    for value in ("first-value", "second-value", "third-value"):
        vault.set(master, "one", value, ANN)
    assert [vault.get(master, "one", ANN, number).value for number in (1, 2, 3)] == [
        "first-value",
        "second-value",
        "third-value",
    ]
    assert vault.get(master, "one", ANN).version == 3
    vault.revoke(master, "one", 2, ANN)
    with pytest.raises(InvalidTransition, match="revoked"):
        vault.get(master, "one", ANN, 2)
    assert rows(vault, "SELECT salt, key_box, value_box FROM version WHERE number = 2") == [(None,) * 3]
    with pytest.raises(InvalidParams, match="newest"):
        vault.revoke(master, "one", 3, ANN)
    for missing in (2, 4, 0):
        with pytest.raises(NotFound):
            vault.revoke(master, "one", missing, ANN)
    with pytest.raises(NotFound):
        vault.get(master, "one", ANN, 9)
    with pytest.raises(NotFound):
        vault.set(master, "unknown", VALUE, ANN, exists=True)
    assert [each.revoked_at is not None for each in vault.show(master, "one", ANN).versions] == [
        False,
        True,
        False,
    ]


NEEDS = {
    "view_metadata": lambda vault, master, who: vault.show(master, "one", who),
    "read": lambda vault, master, who: vault.get(master, "one", who),
    "update": lambda vault, master, who: vault.set(master, "one", "another-value", who),
    "delete": lambda vault, master, who: vault.remove(master, "one", who),
    "admin": lambda vault, master, who: vault.grant(master, "one", "agent:other", "read", who),
}


@pytest.mark.ledger("D-66")
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("action", NEEDS)
def test_what_each_level_may(vault: Vault, master: Master, level: AccessLevel, action: str) -> None:
    vault.set(master, "one", VALUE, ANN)
    agent = Who(Principal(kind="agent", id="run_1", name="deploy"))
    vault.grant(master, "one", "agent:deploy", level, ANN)
    allowed = LEVELS.index(level) >= LEVELS.index(action)  # type: ignore[arg-type]
    if allowed:
        NEEDS[action](vault, master, agent)
    else:
        with pytest.raises(PolicyDenied) as denied:
            NEEDS[action](vault, master, agent)
        assert denied.value.data == {"secret": "one", "needs": action, "has": level}
    listed = [each.name for each in vault.list(agent)]
    removed = action == "delete" and allowed
    assert listed == ([] if level == "none" or removed else ["one"])


@pytest.mark.ledger("D-66")
def test_grants_are_for_a_principal_and_end(vault: Vault, master: Master, clock: Steady) -> None:
    vault.set(master, "one", VALUE, ANN)
    people = {
        "user:bob": Who(Principal(kind="human", id="bob", name="Bobby")),
        "role:trusted": Who(Principal(kind="agent", id="run_1", name="any"), roles=["agent", "trusted"]),
        "service:ci": Who(Principal(kind="service", id="ci", name="ci")),
        "agent:deploy": Who(Principal(kind="agent", id="run_2", name="deploy")),
    }
    for principal, who in people.items():
        vault.grant(master, "one", principal, "read", ANN, expires_ms=clock.ms + 1000)
        readers = [name for name, other in people.items() if vault.may_read(master, "one", other)]
        assert readers == [principal]
        assert vault.get(master, "one", who).value == VALUE
        clock.ms += 1000
        with pytest.raises(PolicyDenied):
            vault.get(master, "one", who)
        assert vault.show(master, "one", ANN).grants == []
    with pytest.raises(InvalidParams, match="KIND:NAME"):
        vault.grant(master, "one", "deploy", "read", ANN)
    outsider = people["agent:deploy"]
    for name in ("one", "unknown"):
        with pytest.raises(PolicyDenied):
            vault.get(master, name, outsider)
    with pytest.raises(PolicyDenied):
        vault.set(master, "made-by-an-agent", VALUE, outsider)


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


@pytest.mark.parametrize("name", ["", "1x", "a b", "a=b", "é", "a\n", "x" * 129, "../x"])
def test_names_that_will_not_do(vault: Vault, master: Master, name: str) -> None:
    with pytest.raises(InvalidParams, match="expected a name"):
        vault.set(master, name, VALUE, ANN)


@pytest.mark.parametrize("value", ["", "abc", "x" * 65_537, "nul\0byte", "half \ud800"])
def test_values_that_will_not_do_are_not_quoted(vault: Vault, master: Master, value: str) -> None:
    with pytest.raises(DescartesError, match="expected a value") as problem:
        vault.set(master, "one", value, ANN)
    assert len(str(problem.value)) < 120


def test_a_home_that_cannot_be_written(isolated_environment: Path) -> None:
    file = isolated_environment / "a-file"
    file.touch()
    nowhere = Vault(file / "home" / "vault.db", kdf=QUICK)
    with pytest.raises(StoreUnavailable, match="cannot be opened: Not a directory"):
        nowhere.create(Opener(PASSWORD), owner="ann")
    assert nowhere.describe() is None
