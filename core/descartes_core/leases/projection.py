"""The table `lease`: a fold of `lease.*` events, and the arbiter of who holds what.

One row for each path and holder, never deleted: an ended one keeps its token, and so tokens only rise.
`ended` says how it ended; a row that is not ended and whose time is over is not held any more either, its
`lease.expired` event is only not written yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from descartes_core.leases.paths import LeasePath
from descartes_core.model import Event, Lease, Shape
from descartes_core.store.projections import Executes, Projection
from descartes_core.store.times import milliseconds


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
_encode = msgspec.json.Encoder().encode


def _apply(tx: Executes, event: Event) -> None:
    match event.name:
        case "lease.acquired" | "lease.renewed" | "lease.stolen":
            _put(tx, event)
        case "lease.released" | "lease.expired":
            lease = msgspec.convert(event.data, Lease)
            tx.execute(
                "UPDATE lease SET lease = ?, expires_ms = ?, ended = ? WHERE path = ? AND holder_kind = ?"
                " AND holder_id = ?",
                (
                    _encode(lease).decode(),
                    milliseconds(lease.expires_at),
                    event.name.removeprefix("lease."),
                    lease.path,
                    lease.holder.kind,
                    lease.holder.id,
                ),
            )
        case "lease.expiring":
            lease = msgspec.convert(event.data, Lease)
            tx.execute(
                "UPDATE lease SET warned = 1 WHERE path = ? AND holder_kind = ? AND holder_id = ?",
                (lease.path, lease.holder.kind, lease.holder.id),
            )


def _put(tx: Executes, event: Event) -> None:
    for each in event.metadata.get("previous", ()):
        tx.execute(
            "UPDATE lease SET ended = 'stolen' WHERE path = ? AND holder_kind = ? AND holder_id = ?",
            (each["path"], each["kind"], each["id"]),
        )
    lease = msgspec.convert(event.data, Lease)
    terms = msgspec.convert(event.metadata, Terms)
    row = Held(lease, terms, milliseconds(lease.expires_at), None, False)
    tx.execute(
        "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 0)",
        (
            lease.path,
            lease.holder.kind,
            lease.holder.id,
            row.path.file,
            row.path.pattern,
            lease.token,
            lease.run,
            _encode(lease).decode(),
            _encode(terms).decode(),
            row.expires_ms,
        ),
    )


LEASES = Projection(
    name="lease",
    version=1,
    tables={
        "lease": """
CREATE TABLE lease (
  path TEXT NOT NULL,
  holder_kind TEXT NOT NULL,
  holder_id TEXT NOT NULL,
  file TEXT NOT NULL,
  pattern INTEGER NOT NULL,
  token INTEGER NOT NULL,
  run TEXT,
  lease TEXT NOT NULL,
  terms TEXT NOT NULL,
  expires_ms INTEGER NOT NULL,
  ended TEXT,
  warned INTEGER NOT NULL,
  PRIMARY KEY (path, holder_kind, holder_id)
);
CREATE INDEX lease_file ON lease (file);
CREATE INDEX lease_pattern ON lease (pattern) WHERE pattern;
CREATE INDEX lease_open ON lease (expires_ms) WHERE ended IS NULL;
"""
    },
    prefixes=("lease.",),
    apply=_apply,
)
