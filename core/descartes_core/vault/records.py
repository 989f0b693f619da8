"""The rows of the vault as data, the seal over all of them, and what their boxes are bound to.

Every row is under the seal: whoever changes, swaps, adds or takes away one without the key is noticed. An
older copy of the whole file is not, because it was sealed as well.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from descartes_core.errors import NotFound, PolicyDenied, StoreUnavailable
from descartes_core.store.times import iso
from descartes_core.vault import crypto
from descartes_core.vault.crypto import Damaged, KdfParameters, Key
from descartes_core.vault.file import damaged
from descartes_core.vault.shapes import LEVELS, AccessLevel, Grant, KeySource, Secret, Version, Who

FORMAT = 1
HEADER_COLUMNS = (
    "id, format, generation, owner, created_ms, key_source, kdf_memory_kib, kdf_time, kdf_parallelism,"
    " kdf_salt, master_box"
)
SEALED = {
    "vault": f"SELECT {HEADER_COLUMNS} FROM vault",
    "secret": "SELECT id, name, type, created_ms, updated_ms FROM secret ORDER BY id",
    "version": "SELECT secret, number, created_ms, revoked_ms, salt, key_box, value_box FROM version"
    " ORDER BY secret, number",
    "access": "SELECT secret, principal, level, granted_ms, granted_by, expires_ms FROM access"
    " ORDER BY secret, principal",
}


@dataclass(frozen=True)
class Header:
    """What the file says of the vault itself. MASTER_BOX holds the master key; GENERATION counts those."""

    id: str
    format: int
    generation: int
    owner: str
    created_ms: int
    key_source: str
    kdf: KdfParameters
    kdf_salt: bytes
    master_box: bytes

    @property
    def source(self) -> KeySource:
        return "keyring" if self.key_source == "keyring" else "password"

    @property
    def about_master(self) -> bytes:
        """What the box of the master key is bound to."""
        parts = (self.id, self.format, self.generation, self.owner, self.key_source, *self.kdf)
        return b"master\0" + "\0".join(map(str, parts)).encode()


def about_version(secret: str, number: int, name: str) -> bytes:
    """Return what the boxes of a version are bound to: id, version and name."""
    return f"version\0{secret}\0{number}\0{name}".encode()


def read_header(connection: sqlite3.Connection, path: Path) -> Header | None:
    """Return the header of the vault at PATH, None when none was made yet.

    Errors: `Damaged`; `StoreUnavailable` for one that a newer program wrote.
    """
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'vault'").fetchone() is None:
        return None
    row = connection.execute(SEALED["vault"]).fetchone()
    if row is None:
        return None
    id_, format_, generation, owner, created, source, memory, time, parallelism, salt, box = row
    numbers = (format_, generation, created, memory, time, parallelism)
    if not all(isinstance(each, int) for each in numbers) or not _are_bytes(salt, box):
        raise Damaged(damaged(path))
    if format_ > FORMAT:
        raise StoreUnavailable(
            f"The vault {str(path)!r} has format {format_}, and this program knows up to {FORMAT};"
            " update Descartes"
        )
    kdf = KdfParameters(memory, time, parallelism)
    return Header(str(id_), format_, generation, str(owner), created, str(source), kdf, salt, box)


def check_seal(connection: sqlite3.Connection, master: Key, vault: str, path: Path) -> None:
    """Raise `Damaged` unless every row is as it was when the vault was last written with MASTER."""
    (found,) = connection.execute("SELECT seal FROM vault").fetchone()
    if not isinstance(found, bytes) or not crypto.same(found, _seal(connection, master, vault)):
        raise Damaged(damaged(path))


def write_seal(connection: sqlite3.Connection, master: Key, vault: str) -> None:
    """Seal all rows; the last thing in a transaction that changed any."""
    connection.execute("UPDATE vault SET seal = ?", (_seal(connection, master, vault),))


def _seal(connection: sqlite3.Connection, master: Key, vault: str) -> bytes:
    rows = {table: connection.execute(query).fetchall() for table, query in SEALED.items()}
    key = crypto.derive(master, vault.encode(), "seal")
    try:
        return crypto.mac(key, msgspec.msgpack.encode(rows))
    finally:
        key.wipe()


def _are_bytes(*values: object) -> bool:
    return all(isinstance(each, bytes) for each in values)


@dataclass(frozen=True)
class Row:
    """A row of the table `secret`."""

    id: str
    name: str
    type: str


def find(connection: sqlite3.Connection, name: str) -> Row | None:
    """Return the row of the secret NAME, None when there is none."""
    row = connection.execute("SELECT id, name, type FROM secret WHERE name = ?", (name,)).fetchone()
    return None if row is None else Row(*row)


def newest(connection: sqlite3.Connection, secret: str) -> int:
    """Return the number of the newest version of SECRET, an id; 0 when it has none."""
    (number,) = connection.execute("SELECT max(number) FROM version WHERE secret = ?", (secret,)).fetchone()
    return number or 0


def level_of(connection: sqlite3.Connection, secret: str, who: Who, now_ms: int) -> AccessLevel:
    """Return the most that WHO may do with SECRET, an id, at NOW_MS."""
    if who.owner:
        return "admin"
    rows = connection.execute(
        "SELECT principal, level FROM access WHERE secret = ? AND (expires_ms IS NULL OR expires_ms > ?)",
        (secret, now_ms),
    )
    levels = [level for principal, level in rows if principal in who.names]
    return max(levels, key=LEVELS.index, default="none")


def require(connection: sqlite3.Connection, name: str, who: Who, level: AccessLevel, now_ms: int) -> Row:
    """Return the secret NAME, with which WHO may do what LEVEL says.

    Errors: `PolicyDenied`, also for one that does not exist and whose name WHO may not know; `NotFound`.
    """
    row = find(connection, name)
    if row is None and who.owner:
        raise NotFound(f"There is no secret {name!r}; `descartes secret list` shows those there are")
    has: AccessLevel = "none" if row is None else level_of(connection, row.id, who, now_ms)
    if row is None or LEVELS.index(has) < LEVELS.index(level):
        raise PolicyDenied(
            f"{who.principal.name} has the access {has!r} to the secret {name!r} and needs {level!r};"
            f" a person gives it with `descartes secret grant {name} …`",
            secret=name,
            needs=level,
            has=has,
        )
    return row


def describe(connection: sqlite3.Connection, row: Row, now_ms: int) -> Secret:
    """Return the secret of ROW as everybody with access to it sees it; needs no key."""
    versions = connection.execute(
        "SELECT number, created_ms, revoked_ms FROM version WHERE secret = ? ORDER BY number", (row.id,)
    ).fetchall()
    created, updated = connection.execute(
        "SELECT created_ms, updated_ms FROM secret WHERE id = ?", (row.id,)
    ).fetchone()
    grants = connection.execute(
        "SELECT principal, level, granted_ms, granted_by, expires_ms FROM access"
        " WHERE secret = ? AND (expires_ms IS NULL OR expires_ms > ?) ORDER BY principal",
        (row.id, now_ms),
    ).fetchall()
    data = {
        "name": row.name,
        "type": row.type,
        "version": versions[-1][0] if versions else 0,
        "createdAt": iso(created),
        "updatedAt": iso(updated),
        "versions": [Version(version=number, created_at=iso(made), revoked_at=_iso(gone))
                     for number, made, gone in versions],
        "grants": [_grant(row.name, each) for each in grants],
    }  # fmt: skip
    return msgspec.convert(data, Secret)


def _grant(secret: str, row: Sequence[object]) -> Grant:
    principal, level, granted, by, expires = row
    return msgspec.convert(
        {
            "secret": secret, "principal": principal, "level": level, "grantedAt": iso(_ms(granted)),
            "grantedBy": by, "expiresAt": None if expires is None else iso(_ms(expires)),
        },
        Grant,
    )  # fmt: skip


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)


def _ms(value: object) -> int:
    return value if isinstance(value, int) else 0
