"""Rows of the table `event`: made from a `NewEvent`, chained by hash, and read back as published events.

The chain: `hash = SHA-256(canonical JSON of all columns except hash)`, where `data` and `meta` stand by
their own SHA-256 and `prev_hash` is the hash of the row before (64 zeros for the first). Canonical JSON has
sorted keys, no white space and unescaped UTF-8, as `json.dumps(row, sort_keys=True, ensure_ascii=False,
separators=(",", ":"))` writes it, so that any program can check a log.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from descartes_core.model import Event, NewEvent, Principal
from descartes_core.ports import new_id
from descartes_core.store.times import iso

FIRST_HASH = "0" * 64

COLUMNS = (
    "seq", "id", "stream", "version", "ts_ms", "runner_id", "category", "name", "run_id", "session_id",
    "agent_id", "actor", "parent_id", "correlation_id", "git_commit", "tags", "data", "meta",
    "data_sha256", "meta_sha256", "prev_hash", "hash",
)  # fmt: skip

PUBLISHED = (
    "seq, id, ts_ms, category, name, run_id, session_id, agent_id, actor, parent_id, correlation_id,"
    " git_commit, tags, data, meta"
)
"""The columns `published` reads, in its order."""


class Chained(msgspec.Struct, frozen=True):
    """What the hash of a row covers. Invariant: fields stand in alphabetical order, which is canonical."""

    actor: str
    agent_id: str | None
    category: str
    correlation_id: str | None
    data: str
    git_commit: str | None
    id: str
    meta: str
    name: str
    parent_id: str | None
    prev_hash: str
    run_id: str | None
    runner_id: str
    seq: int
    session_id: str | None
    stream: str
    tags: str
    ts_ms: int
    version: int

    def hash(self) -> str:
        """Return the SHA-256 of the canonical JSON, in hexadecimal."""
        return hashlib.sha256(_encode(self)).hexdigest()


def make(
    event: NewEvent, *, seq: int, version: int, ts_ms: int, runner: str, prev_hash: str
) -> tuple[Event, tuple[Any, ...]]:
    """Return EVENT as it is published and its row in the order of `COLUMNS`."""
    data, meta = json_text(event.data), json_text(event.metadata)
    id_ = event.id or new_id("evt")
    chained = Chained(
        actor=json_text(event.actor).decode(),
        agent_id=event.agent,
        category=event.category,
        correlation_id=event.correlation or event.run or event.session or id_,
        data=digest(data),
        git_commit=event.git_commit,
        id=id_,
        meta=digest(meta),
        name=event.name,
        parent_id=event.parent,
        prev_hash=prev_hash,
        run_id=event.run,
        runner_id=runner,
        seq=seq,
        session_id=event.session,
        stream=event.stream,
        tags=json_text(event.tags).decode(),
        ts_ms=ts_ms,
        version=version,
    )
    row = _row(chained, data.decode(), meta.decode())
    # Decoded again, not passed on: what listeners see is what readers will see, and shares nothing with
    # objects that the caller may go on changing.
    return published(_published_part(row)), row


def published(row: Sequence[Any]) -> Event:
    """Return the event of ROW, which has the columns of `PUBLISHED`."""
    (
        seq, id_, ts_ms, category, name, run, session, agent, actor, parent, correlation, commit, tags, data,
        meta,
    ) = row  # fmt: skip
    return Event(
        id=id_,
        seq=seq,
        at=iso(ts_ms),
        category=category,
        name=name,
        actor=_principal(actor),
        run=run,
        session=session,
        agent=agent,
        parent=parent,
        correlation=correlation,
        tags=_decode(tags) if tags != "[]" else [],
        data=_decode(data) if data is not None else {},
        # Its bytes were collected as garbage: there is nothing to show, and this says why.
        metadata={"collected": True} if data is None else _decode(meta) if meta not in (None, "{}") else {},
        git_commit=commit,
    )


def json_text(value: Any) -> bytes:
    """Return VALUE as JSON in UTF-8; half surrogate pairs, which UTF-8 cannot hold, become `U+FFFD`."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(_without_surrogates(value))


def digest(text: bytes) -> str:
    """Return the SHA-256 of TEXT in hexadecimal."""
    return hashlib.sha256(text).hexdigest()


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def _row(chained: Chained, data: str, meta: str) -> tuple[Any, ...]:
    c = chained
    return (
        c.seq, c.id, c.stream, c.version, c.ts_ms, c.runner_id, c.category, c.name, c.run_id, c.session_id,
        c.agent_id, c.actor, c.parent_id, c.correlation_id, c.git_commit, c.tags, data, meta,
        c.data, c.meta, c.prev_hash, c.hash(),
    )  # fmt: skip


_PLACES = [COLUMNS.index(column) for column in PUBLISHED.replace(" ", "").split(",")]


def _published_part(row: Sequence[Any]) -> list[Any]:
    return [row[place] for place in _PLACES]


@functools.lru_cache(maxsize=1024)
def _principal(text: str) -> Principal:
    return msgspec.json.decode(text, type=Principal)


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return _without_surrogates(msgspec.to_builtins(value))
    return value
