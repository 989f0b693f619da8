"""Checks the chain of a log: any row that was changed, left out or added is found."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from descartes_core.model import Shape
from descartes_core.store import rows
from descartes_core.store.collected import wrongly_gone

PAGE = 2000


class Verification(Shape, frozen=True):
    """What was found: OK, or the first WRONG seq and a sentence that says why."""

    ok: bool
    events: int
    """How many events were right, counted from the first."""
    wrong: int | None = None
    reason: str | None = None


async def verify(path: Path) -> Verification:
    """Return whether the log at PATH is as it was written; a missing file is an empty log."""
    return await asyncio.to_thread(verify_file, path)


class _Wrong(Exception):
    """The row that comes next is wrong; the argument says why."""


def verify_file(path: Path) -> Verification:
    """Return what `verify` does, in the caller's own thread."""
    good = 0
    if not path.exists():
        return Verification(ok=True, events=0)
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            # A damaged text may not be UTF-8 any more; it must be read all the same.
            connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
            gone = wrongly_gone(connection)
            previous = rows.FIRST_HASH
            for row in _all(connection):
                if gone is not None and gone.seq <= good + 1:
                    raise _Wrong(gone.reason)
                previous = _checked(row, good + 1, previous)
                good += 1
            _check_end(connection, good, previous)
    except _Wrong as wrong:
        return Verification(ok=False, events=good, wrong=good + 1, reason=str(wrong))
    except sqlite3.Error as error:
        return Verification(ok=False, events=good, wrong=good + 1, reason=f"the file is damaged: {error}")
    return Verification(ok=True, events=good)


def _all(connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """Yield all rows in pages, so that no transaction keeps the log from being tidied meanwhile."""
    last, count = -(2**63), PAGE
    sql = f"SELECT {', '.join(rows.COLUMNS)} FROM event NOT INDEXED WHERE seq > ? ORDER BY seq LIMIT {PAGE}"
    while count == PAGE:
        count = 0
        # Row by row, so that those in front of a damaged page are seen.
        for row in connection.execute(sql, (last,)):
            yield row
            last, count = row[0], count + 1


def _checked(row: tuple[Any, ...], seq: int, previous: str) -> str:
    """Return the hash of ROW; raises `_Wrong` when it is not event SEQ behind the hash PREVIOUS."""
    values: dict[str, Any] = dict(zip(rows.COLUMNS, row, strict=True))
    if any(isinstance(value, bytes) for value in row):
        raise _Wrong("a text in it was changed to bytes")
    if values["meta"] is None and values["data"] is not None:
        raise _Wrong("its meta is gone")
    for column in ("data", "meta"):
        text, stated = values[column], values.pop(f"{column}_sha256")
        # None: the bytes were collected as garbage (`collected`); their digest stays in the chain.
        if text is not None and rows.digest(str(text).encode("utf-8", "surrogateescape")) != stated:
            raise _Wrong(f"its {column} was changed")
        values[column] = stated
    if values["seq"] != seq:
        raise _Wrong(f"it is missing; event {values['seq']} stands in its place")
    if values["prev_hash"] != previous:
        raise _Wrong("it does not follow the event before it")
    stated = values.pop("hash")
    try:
        computed = rows.Chained(**values).hash()
    except UnicodeEncodeError:
        raise _Wrong("it has bytes that are not UTF-8") from None
    if computed != stated:
        raise _Wrong("a column was changed")
    return computed


def _check_end(connection: sqlite3.Connection, good: int, previous: str) -> None:
    head = connection.execute("SELECT seq, hash FROM head").fetchone()
    if head is None and good == 0:
        return
    if head is None or head[0] < good:
        raise _Wrong("the end of the log was changed")
    if head[0] > good and connection.execute("SELECT 1 FROM event WHERE seq > ?", (good,)).fetchone():
        # Appended while this was read: what was checked is right.
        return
    if head[0] > good or head[1] != previous:
        raise _Wrong("it is missing: the end of the log was cut off")
