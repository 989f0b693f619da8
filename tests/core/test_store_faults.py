"""The log when things go wrong: killed writers, damaged files, locks, folders that cannot be written."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import StoreUnavailable, TimedOut
from descartes_core.store import EventQuery, Reader, Store, Verification, problems, verify
from support.log import FakeClock, event

pytestmark = pytest.mark.invented_events

STORM = """
import asyncio, sys
from pathlib import Path
from descartes_core.model import NewEvent, Principal
from descartes_core.store import Store
async def main(path, every):
    store = await Store.open(Path(path))
    me = Principal(kind="service", id="s", name="s")
    async def some(n):
        while True:
            event = NewEvent(category="system", name="w", stream=f"s/{n}", actor=me,
                             data={"path": f"f{n}", "text": "x" * 300}, tags=["t"])
            (done,) = await store.post(event, flushed=every > 0 and n % every == 0)
            print(done.seq, flush=True)
    await asyncio.gather(*map(some, range(50)))
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@pytest.fixture
def path(workspace: Path) -> Path:
    return workspace / ".descartes" / "descartes.db"


@pytest.mark.ledger("D-11")
@pytest.mark.parametrize("every", [1, 7, 0], ids=["each flushed", "some flushed", "none flushed"])
async def test_a_writer_killed_in_a_storm_loses_nothing_it_acknowledged(path: Path, every: int) -> None:
    for acknowledged_before_kill in (100, 1500):
        storm = await asyncio.create_subprocess_exec(
            sys.executable, "-c", STORM, str(path), str(every), stdout=asyncio.subprocess.PIPE
        )
        assert storm.stdout is not None
        acknowledged = 0
        for _ in range(acknowledged_before_kill):
            acknowledged = max(acknowledged, int(await storm.stdout.readline()))
        storm.kill()
        for line in (await storm.stdout.read()).split(b"\n")[:-1]:
            acknowledged = max(acknowledged, int(line))
        await storm.wait()
        verification = await verify(path)
        assert verification.ok
        assert verification.events >= acknowledged
    store = await Store.open(path)
    (appended,) = await store.append(event())
    assert appended.seq == verification.events + 1
    await store.close()


async def write_some(path: Path) -> None:
    store = await Store.open(path)
    for n in range(60):
        await store.append(event(data={"n": n, "text": f"payload {n:04} " + "x" * 200}, metadata={"m": n}))
    await store.close()


@pytest.mark.ledger("D-11")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"payload 0041", b"payload 0141"),  # a digit of the data
        (b"payload 0041", b"payload 00\xff1"),  # not even UTF-8 any more
    ],
)
async def test_one_changed_byte_in_the_file_is_found(path: Path, old: bytes, new: bytes) -> None:
    await write_some(path)
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    verification = await verify(path)
    assert (verification.ok, verification.wrong, verification.events) == (False, 42, 41)


def rows_of(path: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT * FROM event NOT INDEXED ORDER BY seq").fetchall()


@pytest.mark.ledger("D-11")
async def test_any_byte_flipped_in_a_row_is_found(path: Path) -> None:
    """Flip bytes all over the page that holds a row, one at a time: found, or of no row."""
    await write_some(path)
    content = path.read_bytes()
    rows = rows_of(path)
    found = 0
    start = content.index(b"payload 0030") - 300
    for offset in range(start, start + 600, 7):
        changed = bytearray(content)
        changed[offset] ^= 0x01
        path.write_bytes(changed)
        verification = await verify(path)
        if verification.ok:
            # A byte between the rows: nothing that anybody reads was changed.
            assert rows_of(path) == rows
            continue
        # Damage to what a page says of itself hides every row of the page.
        assert verification.wrong is not None
        assert 24 <= verification.wrong <= 32, verification
        found += 1
    assert found > 70


@pytest.mark.ledger("D-11")
@pytest.mark.parametrize(
    ("sql", "wrong"),
    [
        ("UPDATE event SET name = 'other' WHERE seq = 7", 7),
        ("UPDATE event SET ts_ms = ts_ms + 1 WHERE seq = 1", 1),
        ("UPDATE event SET data = '{}' WHERE seq = 9", 9),
        ("UPDATE event SET meta_sha256 = data_sha256 WHERE seq = 9", 9),
        ("UPDATE event SET hash = prev_hash WHERE seq = 60", 60),
        ("DELETE FROM event WHERE seq = 20", 20),
        ("DELETE FROM event WHERE seq > 50", 51),
        ("UPDATE event SET seq = 100 WHERE seq = 60", 60),
        ("DELETE FROM head", 61),
    ],
)
async def test_a_change_by_sql_is_found(path: Path, sql: str, wrong: int) -> None:
    await write_some(path)
    with sqlite3.connect(path) as connection:
        connection.execute(sql)
    verification = await verify(path)
    assert (verification.ok, verification.wrong) == (False, wrong)
    assert verification.reason


@pytest.mark.ledger("D-11")
@pytest.mark.parametrize(
    ("sql", "wrong"),
    [
        ("UPDATE event SET data = NULL, meta = NULL WHERE seq = 7", 7),
        ("UPDATE event SET data = NULL WHERE seq = 60", 60),
        ("UPDATE event SET meta = NULL WHERE seq = 9", 9),
        ("UPDATE event SET data = NULL WHERE seq = 30; DELETE FROM event WHERE seq = 20", 20),
    ],
)
async def test_data_that_nobody_collected_is_missed(path: Path, sql: str, wrong: int) -> None:
    await write_some(path)
    with sqlite3.connect(path) as connection:
        connection.executescript(sql)
    verification = await verify(path)
    assert (verification.ok, verification.wrong) == (False, wrong)
    assert "gone" in (verification.reason or "") or wrong == 20


async def test_an_append_waits_for_a_program_that_holds_the_log(path: Path) -> None:
    store = await Store.open(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.ensure_future(store.append(event()))
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert not done
    other.execute("COMMIT")
    assert (await waiting)[0].seq == 1
    other.close()
    await store.close()


async def test_a_log_that_stays_locked_is_a_clear_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("descartes_core.store.log.BUSY_SECONDS", 0.2)
    monkeypatch.setattr(problems, "BUSY_SECONDS", 0.2)
    store = await Store.open(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    results = await asyncio.gather(*(store.append(event()) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(result, TimedOut) and "locked" in result.message for result in results)
    other.execute("COMMIT")
    other.close()
    assert (await store.append(event()))[0].seq == 1
    await store.close()


AS_NOBODY = """
import asyncio, concurrent.futures.thread, os, sys
from pathlib import Path
from descartes_core.errors import DescartesError
from descartes_core.projections import standard
from descartes_core.store import EventQuery, Reader, Store
async def main(what, path):
    standard()
    if os.geteuid() == 0:
        os.setuid(65534)
    try:
        if what == "write":
            await Store.open(Path(path))
        reader = await Reader.open(Path(path))
        print(len((await reader.events(EventQuery())).events))
        await reader.close()
    except DescartesError as error:
        print(error.code, error.message)
asyncio.run(main(*sys.argv[1:]))
"""


async def as_somebody_who_may_not_write(what: str, path: Path) -> str:
    """Run AS_NOBODY on a folder without permission to write; root becomes another user for that."""
    path.parent.chmod(0o555)
    if path.exists():
        path.chmod(0o444)
    for folder in (path.parent.parent, path.parent.parent.parent):
        folder.chmod(0o755)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", AS_NOBODY, what, str(path),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    path.parent.chmod(0o755)
    return output.decode().strip()


async def test_a_folder_that_cannot_be_written_is_a_clear_error(path: Path) -> None:
    path.parent.mkdir()
    said = await as_somebody_who_may_not_write("write", path)
    assert said.startswith("store_unavailable The log ")
    assert "check the permissions of its folder" in said


async def test_a_log_on_read_only_storage_can_be_read(path: Path) -> None:
    await write_some(path)
    assert await as_somebody_who_may_not_write("read", path) == "60"
    assert (await as_somebody_who_may_not_write("write", path)).startswith("store_unavailable The log ")


class Stuck(sqlite3.Connection):
    """A connection that can neither finish a transaction nor take it back once it is STUCK."""

    stuck = False

    def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
        if self.stuck and sql in ("COMMIT", "ROLLBACK"):
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *rest)


async def test_a_log_that_cannot_be_taken_back_is_closed_and_nobody_hangs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("descartes_core.store.log.sqlite3.connect", partial(sqlite3.connect, factory=Stuck))
    store = await Store.open(path)
    await store.append(event())
    monkeypatch.setattr(Stuck, "stuck", True)
    async with asyncio.timeout(30):
        failed = await asyncio.gather(*(store.append(event()) for _ in range(5)), return_exceptions=True)
        assert all(isinstance(each, StoreUnavailable | sqlite3.OperationalError) for each in failed), failed
        with pytest.raises(StoreUnavailable, match="could not be taken back"):
            await store.append(event())
        await store.close()
    monkeypatch.undo()
    assert await verify(path) == Verification(ok=True, events=1)


async def test_a_file_that_is_no_database_is_a_clear_error(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("This is not a database, but a long enough text to be looked at as one." * 20)
    with pytest.raises(StoreUnavailable, match="is not a database"):
        await Store.open(path)
    with pytest.raises(StoreUnavailable, match="is not a database"):
        await Reader.open(path)
    assert not (await verify(path)).ok


async def test_a_folder_that_is_a_file_is_a_clear_error(workspace: Path) -> None:
    (workspace / ".descartes").write_text("")
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        await Store.open(workspace / ".descartes" / "descartes.db")


FILLING = """
import asyncio, resource, sys
from pathlib import Path
from descartes_core.errors import StoreUnavailable
from descartes_core.model import NewEvent, Principal
from descartes_core.store import Store
async def main(path):
    store = await Store.open(Path(path))
    me = Principal(kind="service", id="s", name="s")
    def some(n):
        return NewEvent(category="system", name="w", stream="s", actor=me, data={"n": n, "text": "x" * 3000})
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    told = []
    try:
        for n in range(1000):
            told = await store.append(some(n))
    except StoreUnavailable as error:
        print(told[0].seq, error.message)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    print((await store.append(some(1000)))[0].seq)
    await store.close()
asyncio.run(main(sys.argv[1]))
"""


async def test_a_disk_that_is_full_loses_nothing_and_is_said(path: Path) -> None:
    filling = await asyncio.create_subprocess_exec(
        sys.executable, "-X", "faulthandler", "-c", FILLING, str(path), stdout=asyncio.subprocess.PIPE
    )
    out = (await filling.communicate())[0].decode().splitlines()
    assert filling.returncode == 0 and len(out) == 2
    last, _, said = out[0].partition(" ")
    assert "could not grow" in said or "disk reports an error" in said
    # The number that the failed append would have had goes to the next one.
    assert int(out[1]) == int(last) + 1
    found = await verify(path)
    assert (found.ok, found.events) == (True, int(out[1]))


async def test_a_clock_that_goes_backwards_changes_no_order(path: Path) -> None:
    clock = FakeClock()
    store = await Store.open(path, clock=clock, projections=[])
    times = []
    for n, step in enumerate((0, 60, -3600, 1, -86_400, 7200, 100_000)):
        clock.advance(step)
        (made,) = await store.append(event(data={"n": n}))
        times.append(made.at)
    assert times != sorted(times)
    read = (await store.reader.events(EventQuery(order="asc"))).events
    assert [(each.seq, each.data["n"]) for each in read] == [(n + 1, n) for n in range(7)]
    for at in times:
        since = (await store.reader.events(EventQuery(since=at, order="asc"))).events
        assert [each.at for each in since] == [each for each in times if each >= at]
    await store.close()
    assert (await verify(path)).ok
