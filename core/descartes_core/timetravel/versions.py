"""The versions of one file that the log and the kept snapshots know, and what made each of the one before.

A person's save has the texts before and after it. Between the snapshot before a step and the one after it,
the step changed the file; between one step and the next somebody outside did. Where no snapshot tells, the
arguments of the call do, if the digest agrees.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from descartes_core.agents.tools import texts
from descartes_core.blobs import Blobs
from descartes_core.errors import DescartesError
from descartes_core.store import Reader
from descartes_core.timetravel.git import Git
from descartes_core.timetravel.repository import PRIVATE, git_dir_of

MOST_SNAPSHOTS = 1000
MOST_SAVES = 300
SAVES = "saves"
"""The folder, beside the log, of the texts that people saved."""
_EVENTS = """
SELECT e.seq, e.id, e.name, e.run_id AS run, e.data ->> '$.sha256After' AS after,
  s.id AS started, s.data ->> '$.tool' AS tool, s.data -> '$.arguments' AS arguments
FROM event_path p CROSS JOIN event e ON e.seq = p.seq LEFT JOIN event s ON s.id = e.parent_id
WHERE p.path = ? AND e.name = 'file.written' ORDER BY e.seq
"""
_SAVES = """
SELECT e.seq, e.id, e.name, e.data ->> '$.sha256Before' AS before, e.data ->> '$.sha256After' AS after
FROM event_path p CROSS JOIN event e ON e.seq = p.seq
WHERE p.path = ? AND e.name = 'file.saved' ORDER BY p.seq DESC LIMIT ?
"""
_SNAPSHOTS = """
SELECT * FROM (
  SELECT seq, id, name, run_id AS run, data ->> '$.commit' AS kept, data ->> '$.when' AS moment,
    data ->> '$.callId' AS call
  FROM event WHERE category = 'system' AND name = 'body.snapshot' ORDER BY seq DESC LIMIT ?)
ORDER BY seq
"""
_RESTORES = """
SELECT seq, id, name, run_id AS run, data ->> '$.id' AS call FROM event
WHERE name IN ('restore.applied', 'restore.undone', 'restore.redone', 'edit.applied')
"""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Cause:
    """What changed a file: an EVENT of the log, or with None somebody outside before the event BEFORE."""

    event: str | None
    before: str | None = None


@dataclass(frozen=True)
class Version:
    """TEXT of the file as CAUSE made it; the first one has the cause None: it was there."""

    text: str
    cause: Cause | None


@dataclass
class Known:
    """What is known while walking through the log. PENDING is a write whose outcome no one could tell yet."""

    text: str | None = None
    pending: str | None = None
    versions: list[Version] = field(default_factory=list)

    def see(self, text: str, cause: Cause) -> None:
        """The file had TEXT; what made it so is the write that is pending, else CAUSE."""
        if text != self.text:
            made = Cause(self.pending) if self.pending else cause
            self.versions.append(Version(text, None if self.text is None else made))
        self.text, self.pending = text, None


async def rows_of(reader: Reader, path: str) -> list[Row]:
    """Return all that the log has of versions of the file PATH, as events name it, oldest first."""
    written = await reader.rows(_EVENTS, (path,))
    written += await reader.rows(_SAVES, (path, MOST_SAVES))
    if not written and not await reader.rows("SELECT 1 AS n FROM event_kind WHERE name = 'body.snapshot'"):
        return []
    snapshots = await reader.rows(_SNAPSHOTS, (MOST_SNAPSHOTS,))
    restores = await reader.rows(_RESTORES)
    return sorted([*written, *snapshots, *restores], key=lambda row: row["seq"])


def versions(rows: Sequence[Row], root: Path, state: Path, path: str) -> list[Version]:
    """Return the versions of PATH in the workspace at ROOT that ROWS tell of. Calls git; not for a loop."""
    commits = [*dict.fromkeys(row["kept"] for row in rows if row["name"] == "body.snapshot")]
    contents = _contents(root, state, path, commits)
    known, saved = Known(), Blobs(state / SAVES)
    restores = {row["call"]: row["id"] for row in rows if row["name"].startswith(("restore.", "edit."))}
    for row in rows:
        if row["name"] == "file.written":
            _written(known, row, path)
        elif row["name"] == "file.saved":
            _saved(known, row, saved)
        elif row["name"] == "body.snapshot":
            text = _decoded(contents.get(row["kept"]), path)
            if text is not None:
                known.see(text, _cause(row, restores))
    return known.versions


def _cause(snapshot: Row, restores: Mapping[str, str]) -> Cause:
    """Return what changed the files up to SNAPSHOT; RESTORES are the events of their ends."""
    if snapshot["moment"] in ("restored", "edited") and snapshot["call"] in restores:
        return Cause(restores[snapshot["call"]])
    if snapshot["moment"] == "after" and snapshot["call"] is not None:
        return Cause(f"{snapshot['run']}/{snapshot['call']}")
    return Cause(None, snapshot["id"])


def _written(known: Known, row: Row, path: str) -> None:
    known.pending = row["id"]
    text = _by_arguments(known.text, row)
    if text is not None:
        known.see(text, Cause(row["id"]))


def _saved(known: Known, row: Row, saved: Blobs) -> None:
    before, after = (saved.get(row[side]) if row[side] else None for side in ("before", "after"))
    if before is not None:
        known.see(before, Cause(None, row["id"]))
    if after is not None:
        known.pending = None
        known.see(after, Cause(row["id"]))


def _by_arguments(before: str | None, row: Row) -> str | None:
    """Return the text that the call of ROW made of BEFORE; None when it cannot be told for certain."""
    given = msgspec.json.decode(row["arguments"]) if row["arguments"] else {}
    for text in _candidates(before, row["tool"], given):
        if hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() == row["after"]:
            return text
    return None


def _candidates(before: str | None, tool: str | None, given: Mapping[str, Any]) -> Iterator[str]:
    content, old, new = given.get("content"), given.get("old"), given.get("new")
    if tool == "write" and isinstance(content, str):
        yield content
        yield content.replace("\r\n", "\n").replace("\n", "\r\n")
    if tool == "edit" and before is not None and isinstance(old, str) and isinstance(new, str):
        like = texts.Text(before)
        yield before.replace(like.with_newlines(old), like.with_newlines(new), 1)


def _contents(root: Path, state: Path, path: str, commits: Sequence[str]) -> dict[str, bytes]:
    """Return the bytes of PATH in each of COMMITS that is still kept and has it."""
    git_dir = git_dir_of(root) or state / PRIVATE
    if not commits or not git_dir.exists() or "\n" in path:
        return {}
    asked = "".join(f"{commit}:{path}\n" for commit in commits).encode("utf-8", "surrogateescape")
    try:
        answer = Git(root, git_dir).run("cat-file", "--batch", given=asked)
    except DescartesError:
        return {}
    return dict(_answers(answer, commits))


def _answers(answer: bytes, commits: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    start = 0
    for commit in commits:
        end = answer.find(b"\n", start)
        header = answer[start:end].split(b" ")
        start = end + 1
        if len(header) == 3 and header[1] == b"blob":
            size = int(header[2])
            yield commit, answer[start : start + size]
            start += size + 1
        elif end < 0:
            return


def _decoded(data: bytes | None, path: str) -> str | None:
    try:
        return None if data is None else texts.decode(data, path).content
    except DescartesError:
        return None  # no text, so that it has no lines
