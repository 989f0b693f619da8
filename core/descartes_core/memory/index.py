"""The index of notes: a database beside their folder, made anew whenever it is missing or broken.

Brought up to date by the stamps of all files whenever it is asked, so that a file written by hand, moved or
removed counts at once. The files are the truth; nothing is only here.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

import msgspec

from descartes_core.errors import NotFound
from descartes_core.memory import note_files
from descartes_core.memory.note_files import Stamp
from descartes_core.memory.shapes import Thought, ThoughtKind

T = TypeVar("T")

VERSION = 2
SETTLED_NS = 50_000_000
"""A file written less than this before it was read may be written again with the same time: systems count
time in steps of some milliseconds. It is read again the next time."""
BUSY_SECONDS = 10
EXCERPT_LENGTH = 160
EXCERPTS = 1000
"""How many of the notes that a search finds show where it found its words."""
_UNKNOWN: tuple[int, list[int] | None] = (0, None)
WEIGHTS = "10.0, 5.0, 1.0"
"""How much a word counts in title, tags and text (bm25). A title that has all words comes first anyway, then
title and tags together: a word that a long text repeats weighs more than any factor can make up for."""

_SCHEMA = """
CREATE TABLE state (only INTEGER PRIMARY KEY, digest BLOB);
CREATE TABLE note (
  number INTEGER PRIMARY KEY,
  path TEXT NOT NULL UNIQUE,
  mtime_ns INTEGER NOT NULL,
  ctime_ns INTEGER NOT NULL,
  size INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  settled INTEGER NOT NULL,
  id TEXT NOT NULL,
  title TEXT NOT NULL COLLATE NOCASE,
  kind TEXT NOT NULL,
  archived INTEGER NOT NULL,
  updated_at TEXT NOT NULL,
  thought TEXT NOT NULL
);
CREATE INDEX note_id ON note (id);
CREATE INDEX note_title ON note (title);
CREATE INDEX note_updated ON note (archived, updated_at DESC, path);
CREATE INDEX note_changed ON note (updated_at DESC, path);
CREATE VIRTUAL TABLE words USING fts5
  (title, tags, body, tokenize = 'porter unicode61 remove_diacritics 2', prefix = '2 3');
"""

_SEARCH = f"""
WITH titled AS MATERIALIZED (SELECT rowid AS number FROM words WHERE words MATCH :in_title),
headed AS MATERIALIZED (SELECT rowid AS number FROM words WHERE words MATCH :in_head),
found AS MATERIALIZED (
  SELECT rowid AS number, bm25(words, {WEIGHTS}) AS score FROM words WHERE words MATCH :everywhere)
SELECT note.number, note.thought FROM found JOIN note USING (number)
WHERE (:kind IS NULL OR note.kind = :kind) AND (:archived OR NOT note.archived)
ORDER BY found.number IN titled DESC, found.number IN headed DESC, found.score, note.updated_at DESC
LIMIT :count
"""


class NoteIndex:
    """The index in DATABASE of the notes below ROOT.

    Concurrency: each call opens the database anew; safe from any thread and any process. Where nothing can
    be written, or the file is no index, the call works on one in memory or makes it anew.
    """

    def __init__(self, root: Path, database: Path) -> None:
        self.root = root
        self.database = database

    def list(
        self, *, kind: ThoughtKind | None = None, tags: Sequence[str] = (), archived: bool, limit: int
    ) -> Sequence[Thought]:
        """Return the notes, those changed last first; with ARCHIVED also those in the archive."""

        def work(connection: sqlite3.Connection) -> Sequence[Thought]:
            left_out = "" if archived else "AND archived = 0"
            rows = connection.execute(
                f"SELECT thought FROM note WHERE (:kind IS NULL OR kind = :kind) {left_out}"
                " ORDER BY updated_at DESC, path",
                {"kind": kind},
            )
            return _with_tags((_thought(row[0]) for row in rows), tags, limit)

        return self._with(work)

    def search(
        self,
        text: str,
        *,
        kind: ThoughtKind | None = None,
        tags: Sequence[str] = (),
        archived: bool,
        limit: int,
    ) -> Sequence[Thought]:
        """Return the notes that have every word of TEXT, those first that have them in the title."""
        asked = words_query(text)
        if asked is None:
            return []
        given = {
            "everywhere": asked,
            "in_title": f"title : ({asked})",
            "in_head": f"{{title tags}} : ({asked})",
            "kind": kind,
            "archived": archived,
            "count": -1 if tags else limit,
        }

        def work(connection: sqlite3.Connection) -> Sequence[Thought]:
            rows = connection.execute(_SEARCH, given).fetchall()
            thoughts = {number: _thought(thought) for number, thought in rows}
            numbers = {each.path: number for number, each in thoughts.items()}
            found = _with_tags(iter(thoughts.values()), tags, limit)
            shown = [numbers[each.path] for each in found[:EXCERPTS]]
            excerpts = _excerpts(connection, shown, asked)
            return [
                msgspec.structs.replace(each, excerpt=excerpts.get(numbers[each.path], each.excerpt))
                for each in found
            ]

        return self._with(work)

    def find(self, wanted: str) -> Sequence[Thought]:
        """Return the notes that WANTED can mean: an id or its beginning, a file's name, or a title."""

        def work(connection: sqlite3.Connection) -> Sequence[Thought]:
            for condition, value in _ways_to_mean(wanted, self.root):
                rows = connection.execute(f"SELECT thought FROM note WHERE {condition}", (value,)).fetchall()
                if rows:
                    return [_thought(row[0]) for row in rows]
            return []

        return self._with(work)

    def _with(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what WORK answers on an index that is up to date."""
        for made_anew in (False, True):
            try:
                if made_anew:
                    self._remove()
                with closing(_connect(self.database)) as connection:
                    self._refresh(connection)
                    return work(connection)
            except (sqlite3.DatabaseError, OSError) as error:
                # One that somebody else is busy with is not broken.
                if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                    break
        with closing(_prepared(sqlite3.connect(":memory:", isolation_level=None))) as connection:
            self._refresh(connection)
            return work(connection)

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm", "-journal"):
            self.database.with_name(self.database.name + suffix).unlink(missing_ok=True)

    def _refresh(self, connection: sqlite3.Connection) -> None:
        """Read every note anew whose file is not as it was, and forget those that are gone."""
        present = dict(note_files.scan(self.root))
        digest = blake2b(msgspec.msgpack.encode(sorted(present.items()))).digest()
        row = connection.execute("SELECT digest FROM state").fetchone()
        if row is not None and row[0] == digest:
            return
        with _transaction(connection):
            self._follow(connection, present)
            # While some may still be written with the same time, all are looked at one by one.
            settled = connection.execute("SELECT min(settled) FROM note").fetchone()[0] in (1, None)
            connection.execute("INSERT OR REPLACE INTO state VALUES (1, ?)", (digest if settled else None,))

    def _follow(self, connection: sqlite3.Connection, present: Mapping[str, Stamp]) -> None:
        known = {
            path: (number, stamp if settled else None)
            for number, path, settled, *stamp in connection.execute(
                "SELECT number, path, settled, mtime_ns, ctime_ns, size, inode FROM note"
            )
        }
        for path, (number, _) in known.items():
            if path not in present:
                _forget(connection, number)
        for path, stamp in present.items():
            if known.get(path, _UNKNOWN)[1] != [*stamp]:
                self._take_in(connection, path)

    def _take_in(self, connection: sqlite3.Connection, path: str) -> None:
        row = connection.execute("SELECT number FROM note WHERE path = ?", (path,)).fetchone()
        if row is not None:
            _forget(connection, row[0])
        now_ns = time.time_ns()
        try:
            note, stamp = note_files.read(self.root, path)
        except NotFound:
            return
        except OSError as error:
            thought, stamp = note_files.unreadable(self.root, path, error), Stamp(0, 0, 0, 0)
        else:
            thought = note.thought
        body = thought.content or ""
        kept = msgspec.structs.replace(thought, content=None, excerpt=_beginning(body))
        cursor = connection.execute(
            "INSERT INTO note (path, mtime_ns, ctime_ns, size, inode, settled, id, title, kind, archived,"
            " updated_at, thought) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                path,
                *stamp,
                now_ns - stamp.newest_ns > SETTLED_NS,
                thought.id,
                thought.title,
                thought.kind,
                thought.archived,
                thought.updated_at,
                msgspec.json.encode(kept).decode(),
            ),
        )
        connection.execute(
            "INSERT INTO words (rowid, title, tags, body) VALUES (?, ?, ?, ?)",
            (cursor.lastrowid, thought.title, " ".join(thought.tags), body),
        )


def words_query(text: str) -> str | None:
    """Return what FTS5 is asked for TEXT: every word or its beginning, `"…"` as a phrase; None for no word.

    Example: words_query('api "rate limit"') -> '"api"* AND "rate limit"'
    """
    asked = []
    for phrase, word in re.findall(r'"([^"]*)"|(\S+)', text):
        parts = re.findall(r"[^\W_]+", phrase or word)
        if phrase and parts:
            asked.append(f'"{" ".join(parts)}"')
        else:
            asked += [f'"{part}"*' for part in parts]
    return " AND ".join(asked) or None


def _connect(database: Path) -> sqlite3.Connection:
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not database.exists():
        database.touch(mode=0o600)
    connection = sqlite3.connect(database, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        return _prepared(connection)
    except BaseException:
        connection.close()
        raise


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    # What is lost with the power is made anew from the files.
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = WAL")
    if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
        with _transaction(connection):
            if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                for table in ("state", "note", "words"):
                    connection.execute(f"DROP TABLE IF EXISTS {table}")
                for statement in _SCHEMA.strip().split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")
    return connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _forget(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("DELETE FROM words WHERE rowid = ?", (number,))
    connection.execute("DELETE FROM note WHERE number = ?", (number,))


def _thought(encoded: str) -> Thought:
    return msgspec.json.decode(encoded, type=Thought)


def _with_tags(thoughts: Iterator[Thought], tags: Sequence[str], limit: int) -> list[Thought]:
    wanted = {tag.casefold() for tag in tags}
    found: list[Thought] = []
    for each in thoughts:
        if len(found) >= limit:
            break
        if not wanted or wanted <= {tag.casefold() for tag in each.tags}:
            found.append(each)
    return found


def _excerpts(connection: sqlite3.Connection, numbers: Sequence[int], asked: str) -> dict[int, str]:
    """Return, for those of the notes NUMBERS whose text has what was ASKED, the place where."""
    # The plus sign keeps SQLite from asking the index once for each note.
    rows = connection.execute(
        "SELECT rowid, snippet(words, 2, '', '', ' … ', 18) FROM words"
        f" WHERE words MATCH ? AND +rowid IN ({', '.join('?' * len(numbers))})",
        (asked, *numbers),
    )
    return {number: text for number, found in rows if (text := _beginning(found or ""))}


def _beginning(body: str) -> str | None:
    line = " ".join(body[: 4 * EXCERPT_LENGTH].split())
    return (line if len(line) <= EXCERPT_LENGTH else f"{line[: EXCERPT_LENGTH - 1]}…") or None


def _ways_to_mean(wanted: str, root: Path) -> Iterator[tuple[str, str]]:
    text = wanted.strip()
    path = text.removeprefix(f"{root}/").removeprefix("thoughts/")
    yield "path = ?", path
    yield "id = ?", text
    name = path.removesuffix(note_files.SUFFIX)
    yield f"path = ? || '{note_files.SUFFIX}'", path
    if "/" not in name:
        yield "substr(path, -length(?1)) = ?1", f"/{name}{note_files.SUFFIX}"
    yield "title = ?", text
    if len(text) >= 4 and re.fullmatch(r"[0-9a-fA-F-]+", text):
        yield "substr(id, 1, length(?1)) = ?1", text.lower()
    if "/" not in name and len(name) >= 3:
        yield "substr(path, -length(?1)) = ?1", f"-{name}{note_files.SUFFIX}"
