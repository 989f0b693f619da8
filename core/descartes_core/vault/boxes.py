"""The boxes of the vault: the master key under a password or the keyring's key, a data key under the master
key, a value under its data key. Each version of each secret has a salt, a data key and nonces of its own.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

from descartes_core.errors import InvalidTransition, NotFound, PolicyDenied
from descartes_core.vault import crypto, records
from descartes_core.vault.crypto import Damaged, KdfParameters, Key
from descartes_core.vault.file import damaged
from descartes_core.vault.records import Header, Row
from descartes_core.vault.shapes import KeySource, check_password


@dataclass(frozen=True)
class Opener:
    """What a vault is opened with: a PASSWORD, or the KEY that the system's keyring holds."""

    password: str | None = None
    key: bytes | None = None

    @property
    def source(self) -> KeySource:
        return "password" if self.key is None else "keyring"

    def checked(self) -> Opener:
        """Return this, if a vault can be made with it. Errors: `InvalidParams`."""
        if self.key is None:
            check_password(self.password or "")
        return self

    def wrapping_key(self, salt: bytes, cost: KdfParameters) -> Key:
        """Return the key that the master key is wrapped with."""
        if self.key is not None:
            return Key(self.key)
        password = (self.password or "").encode("utf-8", "surrogatepass")
        return crypto.from_password(password, salt, cost)

    def __repr__(self) -> str:
        return f"Opener({self.source})"


@dataclass(frozen=True)
class Master:
    """The open master key of one vault. GENERATION tells whether it is still the one in use."""

    key: Key
    vault: str
    generation: int


def open_master(header: Header, opener: Opener, path: Path) -> Key:
    """Return the master key of the vault at PATH. Errors: `PolicyDenied` when OPENER does not open it."""
    if header.key_source != opener.source:
        with_what = "the system's keyring" if header.key_source == "keyring" else "a password"
        raise PolicyDenied(f"The vault opens with {with_what}, and got another key", reason="key")
    try:
        wrapping = opener.wrapping_key(header.kdf_salt, header.kdf)
    except Damaged:
        raise Damaged(damaged(path)) from None
    try:
        return Key(crypto.unseal(wrapping, header.master_box, header.about_master))
    except Damaged:
        # Whether the password is wrong or the box was touched cannot be told apart.
        what = "password" if opener.source == "password" else "key in the system's keyring"
        raise PolicyDenied(
            f"The {what} does not open the vault {str(path)!r}: it is wrong, or the file was changed",
            reason="password",
        ) from None
    finally:
        wrapping.wipe()


def put_master(
    connection: sqlite3.Connection, header: Header, master: Key, opener: Opener, kdf: KdfParameters
) -> None:
    """Write the box of MASTER, which OPENER opens from now on, with what HEADER says beside it."""
    header = replace(header, key_source=opener.source, kdf=kdf, kdf_salt=os.urandom(crypto.SALT_BYTES))
    wrapping = opener.wrapping_key(header.kdf_salt, header.kdf)
    box = crypto.seal(wrapping, bytes(master.data), header.about_master)
    wrapping.wipe()
    connection.execute(
        "UPDATE vault SET generation = ?, key_source = ?, kdf_memory_kib = ?, kdf_time = ?,"
        " kdf_parallelism = ?, kdf_salt = ?, master_box = ?",
        (header.generation, header.key_source, *header.kdf, header.kdf_salt, box),
    )


def rewrap_all(connection: sqlite3.Connection, old: Master, new: Master) -> None:
    """Put every data key from under the master key OLD under NEW; no value is opened."""
    rows = connection.execute(
        "SELECT secret, number, name, salt, key_box FROM version JOIN secret ON id = secret"
        " WHERE key_box IS NOT NULL"
    ).fetchall()
    for secret, number, name, salt, box in rows:
        about = records.about_version(secret, number, name)
        before, after = _wrapping(old, salt), _wrapping(new, salt)
        data_key = Key(crypto.unseal(before, box, about))
        connection.execute(
            "UPDATE version SET key_box = ? WHERE secret = ? AND number = ?",
            (crypto.seal(after, bytes(data_key.data), about), secret, number),
        )
        for key in (before, after, data_key):
            key.wipe()


def put_version(connection: sqlite3.Connection, master: Master, row: Row, value: bytes, now_ms: int) -> None:
    """Add VALUE as the newest version of the secret ROW."""
    number = records.newest(connection, row.id) + 1
    about = records.about_version(row.id, number, row.name)
    data_key, salt = Key.random(), os.urandom(crypto.SALT_BYTES)
    wrapping = _wrapping(master, salt)
    boxes = (crypto.seal(wrapping, bytes(data_key.data), about), crypto.seal(data_key, value, about))
    connection.execute(
        "INSERT INTO version VALUES (?, ?, ?, NULL, ?, ?, ?)", (row.id, number, now_ms, salt, *boxes)
    )
    connection.execute("UPDATE secret SET updated_ms = ? WHERE id = ?", (now_ms, row.id))
    wrapping.wipe()
    data_key.wipe()


def open_version(connection: sqlite3.Connection, master: Master, row: Row, number: int) -> bytes:
    """Return the value of version NUMBER of the secret ROW.

    Errors: `NotFound`; `InvalidTransition` for a revoked one; `Damaged`.
    """
    found = connection.execute(
        "SELECT revoked_ms, salt, key_box, value_box FROM version WHERE secret = ? AND number = ?",
        (row.id, number),
    ).fetchone()
    if found is None:
        raise NotFound(f"The secret {row.name!r} has no version {number}")
    revoked, salt, key_box, value_box = found
    if revoked is not None:
        raise InvalidTransition(f"Version {number} of the secret {row.name!r} was revoked and is erased")
    about = records.about_version(row.id, number, row.name)
    wrapping = _wrapping(master, salt)
    data_key = Key(crypto.unseal(wrapping, key_box, about))
    try:
        return crypto.unseal(data_key, value_box, about)
    finally:
        wrapping.wipe()
        data_key.wipe()


def _wrapping(master: Master, salt: bytes) -> Key:
    return crypto.derive(master.key, salt, "data key")
