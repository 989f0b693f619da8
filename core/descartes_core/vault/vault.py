"""`Vault`: secrets in one encrypted file. Every call is one transaction; nothing is kept between them.

Whoever calls holds the master key and passes it in. Nothing here knows who may unlock, where a password comes
from, or the log.
"""

from __future__ import annotations

import getpass
import os
import sqlite3
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from descartes_core.errors import InvalidParams, InvalidTransition, NotFound, PolicyDenied
from descartes_core.ports import Clock, SystemClock
from descartes_core.vault import boxes, file, records
from descartes_core.vault.boxes import Master, Opener
from descartes_core.vault.crypto import KDF, KdfParameters, Key
from descartes_core.vault.records import Header, Row
from descartes_core.vault.shapes import (
    LEVELS,
    AccessLevel,
    Grant,
    KeySource,
    Secret,
    SecretType,
    SecretValue,
    Who,
    check_grantee,
    check_name,
    check_value,
)


@dataclass(frozen=True)
class Described:
    """What can be said of a vault without its key."""

    id: str
    key_source: KeySource
    generation: int
    owner: str


class Vault:
    """The vault at PATH. Safe from any thread and process."""

    def __init__(self, path: Path, clock: Clock | None = None, kdf: KdfParameters = KDF) -> None:
        self.path = path
        self._clock = clock or SystemClock()
        self._kdf = kdf

    def describe(self) -> Described | None:
        """Return what is known of the vault, None when there is none. Errors: `StoreUnavailable`."""
        if not os.path.lexists(self.path):
            return None
        with file.transaction(self.path, write=False) as connection:
            header = records.read_header(connection, self.path)
        if header is None:
            return None
        return Described(header.id, header.source, header.generation, header.owner)

    def create(self, opener: Opener, *, id: str | None = None, owner: str | None = None) -> Master:
        """Make the vault, which opens with OPENER, and return its master key; OWNER may do everything.

        Errors: `InvalidParams` for a password that will not do; `InvalidTransition` when there is one.
        """
        opener.checked()
        master = Master(Key.random(), id or uuid.uuid4().hex, 1)
        header = Header(
            master.vault, records.FORMAT, 1, owner or getpass.getuser(), self._clock.now_ms(), opener.source,
            self._kdf, b"", b"",
        )  # fmt: skip
        with file.transaction(self.path, write=True, make=True) as connection:
            if records.read_header(connection, self.path) is not None:
                raise InvalidTransition(f"There is a vault already, {str(self.path)!r}; unlock it")
            places = ", ".join("?" * 13)
            connection.execute(
                f"INSERT INTO vault VALUES ({places})",
                (1, header.id, header.format, 1, header.owner, header.created_ms, "", 0, 0, 0, b"", b"", b""),
            )
            boxes.put_master(connection, header, master.key, opener, self._kdf)
            records.write_seal(connection, master.key, master.vault)
        return master

    def unlock(self, opener: Opener) -> Master:
        """Return the master key, which OPENER opens; an older cost of the password is brought up to date.

        Errors: `NotFound` without a vault; `PolicyDenied` for a wrong password; `Damaged`.
        """
        with self._open() as (connection, header):
            master = Master(boxes.open_master(header, opener, self.path), header.id, header.generation)
            records.check_seal(connection, master.key, header.id, self.path)
        cheaper = any(had < wanted for had, wanted in zip(header.kdf, self._kdf, strict=True))
        if opener.source == "password" and cheaper:
            self._upgrade(master, opener)
        return master

    def change_opener(self, master: Master, old: Opener, new: Opener) -> Master:
        """Give the vault a fresh master key that NEW opens and nothing else; returns it.

        OLD must open it now. All is done in one transaction: a crash leaves either key working, whole.
        Errors: `PolicyDenied`, `InvalidParams`, `Damaged`.
        """
        new.checked()
        with self._writing(master) as (connection, header):
            boxes.open_master(header, old, self.path).wipe()
            fresh = Master(Key.random(), header.id, header.generation + 1)
            boxes.rewrap_all(connection, master, fresh)
            after = replace(header, generation=fresh.generation)
            boxes.put_master(connection, after, fresh.key, new, self._kdf)
            records.write_seal(connection, fresh.key, header.id)
        return fresh

    def list(self, who: Who) -> Sequence[Secret]:
        """Return the secrets whose names WHO may know, by name; decrypts nothing and needs no key."""
        if not os.path.lexists(self.path):
            return []
        now = self._clock.now_ms()
        with file.transaction(self.path, write=False) as connection:
            if records.read_header(connection, self.path) is None:
                return []
            rows = connection.execute("SELECT id, name, type FROM secret ORDER BY name").fetchall()
            return [
                records.describe(connection, row, now)
                for row in (Row(*each) for each in rows)
                if records.level_of(connection, row.id, who, now) != "none"
            ]

    def show(self, master: Master, name: str, who: Who, level: AccessLevel = "view_metadata") -> Secret:
        """Return the secret NAME without its value, if WHO has LEVEL. Errors: `NotFound`, `PolicyDenied`."""
        with self._reading(master) as connection:
            now = self._clock.now_ms()
            return records.describe(connection, records.require(connection, name, who, level, now), now)

    def may_read(self, master: Master, name: str, who: Who) -> bool:
        """Return whether WHO may read the value of the secret NAME."""
        with self._reading(master) as connection:
            row = records.find(connection, name)
            return row is not None and _may_read(connection, row, who, self._clock.now_ms())

    def get(self, master: Master, name: str, who: Who, version: int | None = None) -> SecretValue:
        """Return the value of the secret NAME, of its newest VERSION when None.

        Errors: `NotFound`, `PolicyDenied`; `InvalidTransition` for a revoked version.
        """
        with self._reading(master) as connection:
            row = records.require(connection, name, who, "read", self._clock.now_ms())
            number = records.newest(connection, row.id) if version is None else version
            return _opened(connection, master, row, number)

    def set(
        self,
        master: Master,
        name: str,
        value: str,
        who: Who,
        type: SecretType | None = None,
        *,
        exists: bool = False,
    ) -> Secret:
        """Give the secret NAME a VALUE, a new version where it exists; returns it.

        The versions before stay until they are revoked. EXISTS: it must be there.
        Errors: `InvalidParams`, `PolicyDenied`, `NotFound`.
        """
        check_name(name)
        data, now = check_value(value), self._clock.now_ms()
        with self._writing(master) as (connection, _):
            row = self._updatable(connection, name, type, who, now, exists=exists)
            boxes.put_version(connection, master, row, data, now)
            records.write_seal(connection, master.key, master.vault)
            return records.describe(connection, row, now)

    def take_in(self, master: Master, values: Sequence[SecretValue], who: Who) -> Sequence[Secret]:
        """Give each secret of VALUES its value, all of them or none; returns those that had another one.

        Errors: `InvalidParams`, `PolicyDenied`, those of the first that will not do.
        """
        now = self._clock.now_ms()
        with self._writing(master) as (connection, _):
            changed: list[Row] = []
            for each in values:
                check_name(each.name)
                data = check_value(each.value)
                if _value(connection, master, each.name, who, now) != data:
                    row = self._updatable(connection, each.name, each.type, who, now, exists=False)
                    boxes.put_version(connection, master, row, data, now)
                    changed.append(row)
            records.write_seal(connection, master.key, master.vault)
            return [records.describe(connection, row, now) for row in changed]

    def revoke(self, master: Master, name: str, version: int, who: Who) -> Secret:
        """Erase an older VERSION of the secret NAME for ever.

        Errors: `NotFound`, `PolicyDenied`; `InvalidParams` for the newest, which is in use.
        """
        now = self._clock.now_ms()
        with self._writing(master) as (connection, _):
            row = records.require(connection, name, who, "delete", now)
            if version == records.newest(connection, row.id):
                raise InvalidParams(
                    f"Version {version} of {name!r} is the newest; rotate the secret first, or remove it"
                )
            changed = connection.execute(
                "UPDATE version SET revoked_ms = ?, salt = NULL, key_box = NULL, value_box = NULL"
                " WHERE secret = ? AND number = ? AND revoked_ms IS NULL",
                (now, row.id, version),
            )
            if changed.rowcount == 0:
                raise NotFound(f"The secret {name!r} has no version {version} that could be revoked")
            records.write_seal(connection, master.key, master.vault)
            return records.describe(connection, row, now)

    def remove(self, master: Master, name: str, who: Who) -> Secret:
        """Erase the secret NAME with all its versions and grants; returns what it was."""
        now = self._clock.now_ms()
        with self._writing(master) as (connection, _):
            row = records.require(connection, name, who, "delete", now)
            was = records.describe(connection, row, now)
            connection.execute("DELETE FROM secret WHERE id = ?", (row.id,))
            records.write_seal(connection, master.key, master.vault)
        return was

    def grant(
        self, master: Master, name: str, principal: str, level: AccessLevel, who: Who,
        expires_ms: int | None = None,
    ) -> Grant | None:  # fmt: skip
        """Let PRINCIPAL, KIND:NAME, have LEVEL on the secret NAME until EXPIRES_MS; returns the grant.

        In place of what it was granted before; `none` takes that away, and then None is returned.
        Errors: `NotFound`, `InvalidParams`, `PolicyDenied`.
        """
        now = self._clock.now_ms()
        check_grantee(principal)
        with self._writing(master) as (connection, _):
            row = records.require(connection, name, who, "admin", now)
            connection.execute("DELETE FROM access WHERE secret = ? AND principal = ?", (row.id, principal))
            if level != "none":
                connection.execute(
                    "INSERT INTO access VALUES (?, ?, ?, ?, ?, ?)",
                    (row.id, principal, level, now, who.principal.name, expires_ms),
                )
            records.write_seal(connection, master.key, master.vault)
            grants = records.describe(connection, row, now).grants
        return next((each for each in grants if each.principal == principal), None)

    def values(self, master: Master, who: Who) -> Sequence[SecretValue]:
        """Return the newest value of every secret that WHO may read."""
        return [self.get(master, each.name, who) for each in self.list(who)]

    def unknown(self, master: Master, known: Collection[bytes]) -> Mapping[bytes, SecretValue]:
        """Return every value that was not revoked, of old versions too, by its salt, unless that is KNOWN.

        For whoever masks them: nobody's access is asked for. A salt is never that of another value.
        """
        with self._reading(master) as connection:
            rows = connection.execute(
                "SELECT salt, id, name, type, number FROM version JOIN secret ON id = secret"
                " WHERE revoked_ms IS NULL ORDER BY name, number"
            ).fetchall()
            return {
                salt: _opened(connection, master, Row(*row), number)
                for salt, *row, number in rows
                if salt not in known
            }

    @contextmanager
    def _open(self, *, write: bool = False) -> Iterator[tuple[sqlite3.Connection, Header]]:
        if not os.path.lexists(self.path):
            raise no_vault()
        with file.transaction(self.path, write=write) as connection:
            header = records.read_header(connection, self.path)
            if header is None:
                raise no_vault()
            yield connection, header

    @contextmanager
    def _reading(self, master: Master) -> Iterator[sqlite3.Connection]:
        with self._open() as (connection, header):
            self._check(connection, header, master)
            yield connection

    @contextmanager
    def _writing(self, master: Master) -> Iterator[tuple[sqlite3.Connection, Header]]:
        with self._open(write=True) as (connection, header):
            self._check(connection, header, master)
            yield connection, header

    def _check(self, connection: sqlite3.Connection, header: Header, master: Master) -> None:
        if (header.id, header.generation) != (master.vault, master.generation):
            raise locked("was given another password meanwhile")
        records.check_seal(connection, master.key, header.id, self.path)

    def _upgrade(self, master: Master, opener: Opener) -> None:
        with self._writing(master) as (connection, header):
            kdf = KdfParameters(*map(max, header.kdf, self._kdf))
            boxes.put_master(connection, header, master.key, opener, kdf)
            records.write_seal(connection, master.key, master.vault)

    def _updatable(
        self, connection: sqlite3.Connection, name: str, type: SecretType | None, who: Who, now: int, *,
        exists: bool,
    ) -> Row:  # fmt: skip
        """Return the secret NAME, which WHO may give a value; a new one of TYPE unless it EXISTS."""
        row = records.find(connection, name)
        if row is None and not exists:
            return self._add(connection, name, who, type or "custom", now)
        row = records.require(connection, name, who, "update", now)
        if type is not None and type != row.type:
            raise InvalidParams(f"The secret {name!r} is of type {row.type}, not {type}; remove it first")
        return row

    def _add(self, connection: sqlite3.Connection, name: str, who: Who, type: SecretType, now: int) -> Row:
        if not who.owner:
            raise PolicyDenied(
                f"There is no secret {name!r} that {who.principal.name} may change; a person makes new ones"
            )
        row = Row(uuid.uuid4().hex, name, type)
        connection.execute("INSERT INTO secret VALUES (?, ?, ?, ?, ?)", (row.id, name, type, now, now))
        return row


def locked(why: str = "is locked") -> PolicyDenied:
    """Return the error of whoever needs the vault open."""
    return PolicyDenied(
        f"The vault {why}; unlock it with `descartes secret unlock`, or give DESCARTES_VAULT_PASSWORD",
        reason="locked",
    )


def no_vault() -> NotFound:
    return NotFound(
        "There is no vault yet; `descartes secret init` makes one, with a password of 16 to 256 characters",
        reason="no_vault",
    )


def _value(connection: sqlite3.Connection, master: Master, name: str, who: Who, now: int) -> bytes | None:
    """Return the newest value of the secret NAME; None where there is none, or none that WHO may read."""
    row = records.find(connection, name)
    if row is None or not _may_read(connection, row, who, now):
        return None
    return boxes.open_version(connection, master, row, records.newest(connection, row.id))


def _opened(connection: sqlite3.Connection, master: Master, row: Row, number: int) -> SecretValue:
    value = boxes.open_version(connection, master, row, number)
    return SecretValue(name=row.name, type=_type(row), version=number, value=value.decode())


def _may_read(connection: sqlite3.Connection, row: Row, who: Who, now: int) -> bool:
    return LEVELS.index(records.level_of(connection, row.id, who, now)) >= LEVELS.index("read")


def _type(row: Row) -> SecretType:
    return row.type  # type: ignore[return-value]
