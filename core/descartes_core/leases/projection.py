"""The table `lease`: a fold of `lease.*` events, and the arbiter of who holds what.

One row for each path and holder, never deleted: an ended one keeps its token, and so tokens only rise.
`ended` says how it ended; a row that is not ended and whose time is over is not held any more either, its
`lease.expired` event is only not written yet.
"""

from __future__ import annotations

import msgspec

from descartes_core.leases.held import Held, Terms
from descartes_core.model import Event, Lease
from descartes_core.store.projections import Executes, Projection
from descartes_core.store.times import milliseconds

_encode = msgspec.json.Encoder().encode


def _apply(tx: Executes, event: Event) -> None:
    match event.name:
        case "lease.acquired" | "lease.renewed" | "lease.stolen":
            _put(tx, event)
        case "lease.moved":
            lease = msgspec.convert(event.data, Lease)
            tx.execute(
                "UPDATE lease SET ended = 'moved' WHERE path = ? AND holder_kind = ? AND holder_id = ?",
                (event.data["from"], lease.holder.kind, lease.holder.id),
            )
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
    version=2,
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
