"""A row of the table `lease`, and the SQL that finds rows; read alike by the hub, a door and a git hook.

Imports nothing of the store, so that a program that only looks once is quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from descartes_core.leases.paths import LeasePath
from descartes_core.model import Lease, Shape


class Terms(Shape, frozen=True, omit_defaults=True):
    """What the log knows of a lease beside the published lease; the event's metadata."""

    ttl_ms: int
    form: str | None = None
    glob: bool = False
    folder: bool = False
    renewals: int = 0
    max_renewals: int | None = None
    clients: list[str] = []
    """The editors or other clients that hold it for their person; empty for runs."""
    unsaved: bool = False
    """Whether it stands for text that is typed and not saved, and ends with that."""
    renews: bool = True
    """Whether it is renewed while its clients are here; else it lasts from its holder's last write."""


class Ended(Shape, frozen=True):
    """A lease that a steal ended, as it is named in the event of the steal."""

    path: str
    kind: str
    id: str


class Held(msgspec.Struct, frozen=True):
    """A row: the lease, its terms, and how it ended."""

    lease: Lease
    terms: Terms
    expires_ms: int
    ended: str | None
    warned: bool

    @property
    def path(self) -> LeasePath:
        form, text = self.terms.form, self.lease.path
        file = text if form is None else text[: -len(form) - 1]
        return LeasePath(text, file, form, self.terms.glob, self.terms.folder)


_COLUMNS = "lease, terms, expires_ms, ended, warned"


def select(path: LeasePath | None, condition: str, parameters: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
    """Return SQL for the rows, by path, that fulfil CONDITION and may overlap PATH (all without one)."""
    order = "ORDER BY path, holder_id"
    if path is None or path.pattern:
        return f"SELECT {_COLUMNS} FROM lease WHERE {condition} {order}", tuple(parameters)
    # A file meets only rows of the same file and those that cover several; each has its index, which SQLite
    # does not take for one condition with OR.
    sql = (
        f"SELECT path, holder_id, {_COLUMNS} FROM lease INDEXED BY lease_file"
        f" WHERE file = ? AND {condition} UNION ALL"
        f" SELECT path, holder_id, {_COLUMNS} FROM lease INDEXED BY lease_pattern"
        f" WHERE pattern AND file <> ? AND {condition}"
    )
    values = (path.file, *parameters, path.file, *parameters)
    return f"SELECT {_COLUMNS} FROM ({sql}) {order}", values


def held(row: Sequence[Any]) -> Held:
    """Return the row ROW of a statement by `select`."""
    lease, terms, expires_ms, ended, warned = row
    return Held(_lease(lease), _terms(terms), expires_ms, ended, bool(warned))


_lease = msgspec.json.Decoder(Lease).decode
_terms = msgspec.json.Decoder(Terms).decode
