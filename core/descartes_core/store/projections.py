"""Projections: tables that are a fold over the log, kept in the transaction that appends.

To add one, define a `Projection` beside the code that reads its tables and put it into
`descartes_core.projections.standard()`, the one list with which every process opens the log:

    RUNS = Projection(
        name="run",
        version=1,               # raise it when tables or fold change: the log is folded again
        tables={"run": "CREATE TABLE run (id TEXT PRIMARY KEY, …)"},  # name → statements
        prefixes=("run.",),      # of event names; ("",) for all
        apply=apply_run_event,   # (tx, event) -> None; uses tx.execute(sql, params) only
    )

`apply` may read and write its own tables and nothing else: no clock, no files, no appends. Then
`Store.rebuild()` gives the same content, which a test should show. Arbiters (code that decides by such a
table, as leases do) read it inside `Store.transact` and change it only by appending an event.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from descartes_core.model import Event
from descartes_core.store import rows
from descartes_core.store.migrations import statements


class Executes(Protocol):
    """What a fold may use: SQL on its own tables."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> sqlite3.Cursor:
        """Run one statement."""
        ...


@dataclass(frozen=True)
class Projection:
    """A set of TABLES (name → the statements that make it) kept by APPLY for events named PREFIXES…."""

    name: str
    version: int
    tables: Mapping[str, str]
    prefixes: tuple[str, ...]
    apply: Callable[[Executes, Event], None]


class Projections:
    """The projections of one open log, with a quick way from an event's name to those that fold it."""

    def __init__(self, known: Iterable[Projection]) -> None:
        self._known = (ABOUT, *known)
        self._by_name: dict[str, tuple[Projection, ...]] = {}

    def apply(self, tx: Executes, event: Event) -> None:
        """Fold EVENT into every projection that wants it."""
        wanted = self._by_name.get(event.name)
        if wanted is None:
            wanted = tuple(each for each in self._known if event.name.startswith(each.prefixes))
            self._by_name[event.name] = wanted
        for projection in wanted:
            projection.apply(tx, event)

    def install(self, connection: sqlite3.Connection) -> None:
        """Make the tables that are missing or of another version, folding the log into them."""
        present: dict[str, int] = dict(connection.execute("SELECT name, version FROM projection"))
        stale = [each for each in self._known if present.get(each.name) != each.version]
        if stale:
            refold(connection, stale)

    def rebuild(self, connection: sqlite3.Connection) -> None:
        """Drop all tables and fold the whole log again."""
        refold(connection, self._known)


def refold(connection: sqlite3.Connection, projections: Sequence[Projection]) -> None:
    """Make the tables of PROJECTIONS anew from the log, in the write transaction that is open."""
    for projection in projections:
        for table, sql in projection.tables.items():
            connection.execute(f"DROP TABLE IF EXISTS {table}")
            for statement in statements(sql.rstrip().rstrip(";") + ";\n"):
                connection.execute(statement)
        connection.execute(
            "INSERT OR REPLACE INTO projection VALUES (?, ?)", (projection.name, projection.version)
        )
    for row in connection.execute(f"SELECT {rows.PUBLISHED} FROM event ORDER BY seq"):
        event = rows.published(row)
        for projection in projections:
            if event.name.startswith(projection.prefixes):
                projection.apply(connection, event)


def paths_of(data: Mapping[str, Any]) -> set[str]:
    """Return the files that an event with DATA is about: `path`, each of `paths`, and `arguments.path`."""
    arguments = data.get("arguments")
    listed = data.get("paths")
    named = [data.get("path"), arguments.get("path") if isinstance(arguments, dict) else None]
    named += listed if isinstance(listed, list) else []
    return {path for path in named if isinstance(path, str)}


def _apply_about(tx: Executes, event: Event) -> None:
    tx.execute("INSERT OR IGNORE INTO event_kind VALUES (?, ?)", (event.category, event.name))
    for tag in set(event.tags):
        tx.execute("INSERT INTO event_tag VALUES (?, ?)", (tag, event.seq))
    for path in paths_of(event.data):
        tx.execute("INSERT INTO event_path VALUES (?, ?)", (path, event.seq))


ABOUT = Projection(
    name="about",
    version=1,
    tables={
        "event_kind": "CREATE TABLE event_kind"
        " (category TEXT, name TEXT, PRIMARY KEY (category, name)) WITHOUT ROWID",
        "event_tag": "CREATE TABLE event_tag (tag TEXT, seq INTEGER, PRIMARY KEY (tag, seq)) WITHOUT ROWID",
        "event_path": "CREATE TABLE event_path"
        " (path TEXT, seq INTEGER, PRIMARY KEY (path, seq)) WITHOUT ROWID",
    },
    prefixes=("",),
    apply=_apply_about,
)
"""What queries find events by, beside the log's own columns: kinds, tags and files."""
