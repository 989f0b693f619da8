"""Waiting for a lease that another process holds, gives back, or dies with."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from descartes_core.errors import LeaseHeld
from descartes_core.leases import Leases
from descartes_core.store import Store
from support.leasing import leases
from support.log import FIXER, PERSON, TESTER
from support.queueing import queued, waiting

__all__ = ["leases"]


@pytest.fixture
async def store(workspace: Path) -> AsyncIterator[Store]:
    opened = await Store.open(workspace / ".descartes" / "descartes.db")
    yield opened
    await opened.close()


OTHER = """
import asyncio, sys
from pathlib import Path
from descartes_core.leases import Leases, queue
from descartes_core.model import Principal
from descartes_core.store import Store
queue.PATIENCE_MS = 600_000
async def main(workspace, what):
    store = await Store.open(Path(workspace) / ".descartes" / "descartes.db")
    leases = Leases(store, Path(workspace))
    me = Principal(kind="agent", id="run_other", name="other")
    if what == "hold":
        await leases.acquire("a", me)
        print("holding", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await leases.release("a", me)
        print("released", flush=True)
    else:
        waiting = asyncio.ensure_future(leases.acquire("a", me, wait_ms=30000))
        mine = "SELECT 1 FROM lease_queue WHERE request LIKE '%run_other%'"
        while not await store.reader.rows(mine):
            pass
        print("waiting", flush=True)
        print("got", (await waiting).token, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await leases.release("a", me)
    await leases.close()
    await store.close()
asyncio.run(main(*sys.argv[1:]))
"""


class Other:
    """Another process that holds or waits for the lease on `a`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, workspace: Path, what: str) -> Other:
        pipe = asyncio.subprocess.PIPE
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", OTHER, str(workspace), what, stdin=pipe, stdout=pipe
            )
        )

    async def says(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            return (await self.process.stdout.readline()).decode().strip()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


async def test_a_release_in_another_process_is_noticed(leases: Leases, store: Store, workspace: Path) -> None:
    other = await Other.start(workspace, "hold")
    try:
        assert await other.says() == "holding"
        (task,) = await waiting(leases, store, FIXER)
        other.go_on()
        assert await other.says() == "released"
        async with asyncio.timeout(60):
            assert (await task).token == 2
    finally:
        await other.kill()


async def test_a_release_elsewhere_is_noticed_whichever_connection_reads(
    leases: Leases, store: Store, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("descartes_core.leases.waiters.REFRESH_SECONDS", 3600)
    store.reader.connections = 0  # none is kept, so each look is through another
    other = await Store.open(store.path)
    elsewhere = Leases(other, workspace)
    await elsewhere.acquire("a", PERSON)
    task = asyncio.create_task(leases.acquire("a", FIXER, wait_ms=600_000))
    await queued(store, 1)
    await elsewhere.release("a", PERSON)
    async with asyncio.timeout(60):
        assert (await task).token == 2
    await elsewhere.close()
    await other.close()


async def test_the_order_holds_between_processes(
    leases: Leases, store: Store, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine may keep a process from its heartbeat for longer than one is waited for.
    monkeypatch.setattr("descartes_core.leases.queue.PATIENCE_MS", 600_000)
    await leases.acquire("a", PERSON)
    (first,) = await waiting(leases, store, FIXER)
    other = await Other.start(workspace, "wait")
    try:
        assert await other.says() == "waiting"
        third = asyncio.create_task(leases.acquire("a", TESTER, wait_ms=30_000))
        await queued(store, 3)
        await leases.release("a", PERSON)
        await first
        await leases.release("a", FIXER)
        # Its turn is the other process's; whoever comes now, even without waiting, does not pass it.
        with pytest.raises(LeaseHeld, match="other"):
            await leases.acquire("a", PERSON)
        assert await other.says() == "got 3"
        assert not third.done()
        other.go_on()
        async with asyncio.timeout(60):
            assert (await third).token == 4
    finally:
        await other.kill()


async def test_the_place_of_a_process_that_died_is_passed(
    leases: Leases, store: Store, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("descartes_core.leases.queue.PATIENCE_MS", 500)
    await leases.acquire("a", PERSON)
    other = await Other.start(workspace, "wait")
    assert await other.says() == "waiting"
    second = asyncio.create_task(leases.acquire("a", TESTER, wait_ms=30_000))
    await queued(store, 2)
    await other.kill()
    await leases.release("a", PERSON)
    async with asyncio.timeout(60):
        assert (await second).token == 2
