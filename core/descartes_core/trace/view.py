"""Sessions as they are shown: lists, one session behind any of its entries, and written to `.trace` files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from descartes_core.errors import InvalidParams
from descartes_core.model import Shape
from descartes_core.store.direct import read
from descartes_core.trace import exact, trace_file
from descartes_core.trace.blobs import Blobs
from descartes_core.trace.entries import Record
from descartes_core.trace.reading import SessionReader, SessionRow
from descartes_core.trace.state import fold
from descartes_core.trace.trace_file import Draft

MOST = 10_000


class SessionSummary(Shape, frozen=True, kw_only=True):
    """A session in a list. KIND `run`: one that a run works in; RUN, AGENT and TITLE are then that run's.

    PARENT and FORK_SEQ, a number of the log, say what it goes on from.
    """

    id: str
    kind: Literal["session", "run"]
    entries: int
    state_version: int
    started_at: str
    changed_at: str
    run: str | None = None
    agent: str | None = None
    title: str | None = None
    parent: str | None = None
    fork_seq: int | None = None


class Entry(Shape, frozen=True, kw_only=True):
    """An entry of a trajectory; TYPE is one of the 15 of the Trace document."""

    seq_num: int
    at: str
    agent: str
    type: str
    content: dict[str, Any]


class ArtifactVersion(Shape, frozen=True, kw_only=True):
    """An artifact, as entry SEQ_NUM wrote it. SIZE is in bytes; SHA256 is None where they were not kept."""

    name: str
    version: int
    size: int
    seq_num: int
    sha256: str | None


class SessionDetail(Shape, frozen=True, kw_only=True):
    """A session behind entry SEQ_NUM, with the last entries of its trajectory until there."""

    session: SessionSummary
    seq_num: int
    state: dict[str, Any]
    state_version: int
    state_hash: str
    artifacts: list[ArtifactVersion]
    trajectory: list[Entry]


@dataclass(frozen=True)
class SessionView:
    """The sessions in the log at DATABASE, which need not exist. Every method blocks."""

    database: Path

    def list(self, limit: int = 100) -> Sequence[SessionSummary]:
        """Return the newest LIMIT sessions, newest first. Errors: `InvalidParams`."""
        _check("limit", limit, 1)

        def use(rows: Any) -> Sequence[SessionSummary]:
            reader = SessionReader(rows)
            return [_summary(reader, row) for row in reader.list(limit)]

        return read(self.database, use)

    def show(self, prefix: str, limit: int = 20, at: int | None = None) -> SessionDetail:
        """Return the session whose id begins with PREFIX, as it was behind its entry AT (the last one).

        LIMIT is how many entries are shown. Errors: `SessionNotFound`; `InvalidParams`.
        """
        _check("limit", limit, 0)
        return read(self.database, lambda rows: _detail(SessionReader(rows), prefix, limit, at))

    def export(self, prefix: str, path: Path) -> tuple[SessionSummary, Draft]:
        """Return the session whose id begins with PREFIX, written whole beside PATH, where `put` moves it.

        It is written as it was given, where the log shows it masked; only secrets are kept nowhere.
        Errors: `SessionNotFound`, `SaveFailed`; `InvalidParams` when the id is ambiguous.
        """
        blobs = Blobs(self.database.parent)

        def use(rows: Any) -> tuple[SessionSummary, Draft]:
            reader = SessionReader(rows)
            row = reader.find(prefix)
            records = [exact.restored(each, blobs) for each in reader.records(row)]
            return _summary(reader, row), trace_file.draft(path, row, records, blobs)

        return read(self.database, use)


def _detail(reader: SessionReader, prefix: str, limit: int, at: int | None) -> SessionDetail:
    row = reader.find(prefix)
    records = reader.records(row)
    last = records[-1].entry.seq_num if records else 0
    if at is not None and not 1 <= at <= last:
        raise InvalidParams(f"Expected an entry from 1 to {last}, got {at}; look at the trajectory")
    records = [each for each in records if at is None or each.entry.seq_num <= at]
    held = fold(records)
    artifacts = [
        ArtifactVersion(
            name=name, version=each.version, size=each.size, seq_num=each.seq_num, sha256=each.blob
        )
        for name, each in sorted(held.artifacts.items())
    ]
    return SessionDetail(
        session=_summary(reader, row),
        seq_num=held.seq_num,
        state=held.values,
        state_version=held.version,
        state_hash=held.digest(),
        artifacts=artifacts,
        trajectory=[_entry(each) for each in records[max(0, len(records) - limit) :]],
    )


def _summary(reader: SessionReader, row: SessionRow) -> SessionSummary:
    return SessionSummary(
        id=row.id,
        kind="run" if row.kind == "run" else "session",
        entries=reader.count(row) if row.kind == "run" else row.entries,
        state_version=row.state_version,
        started_at=row.started_at,
        changed_at=row.changed_at,
        run=row.run,
        agent=row.agent,
        title=row.title,
        parent=row.parent,
        fork_seq=row.fork_seq,
    )


def _entry(record: Record) -> Entry:
    entry = record.entry
    at = entry.timestamp.strftime("%Y-%m-%dT%H:%M:%S.") + f"{entry.timestamp.microsecond // 1000:03}Z"
    return Entry(
        seq_num=entry.seq_num,
        at=at,
        agent=entry.agent_id,
        type=entry.entry_type.value,
        content=entry.content,
    )


def _check(name: str, value: int, least: int) -> None:
    if not least <= value <= MOST:
        raise InvalidParams(f"Expected a {name} from {least} to {MOST:,}, got {value}")
