"""Waiting for a lease: first come, first served, within a process and between processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from descartes_core.errors import Cancelled, LeaseHeld
from descartes_core.leases import Leases, queue
from descartes_core.model import Event, Lease, LeaseMode
from descartes_core.store import EventQuery, Store
from support.leasing import leases
from support.log import FIXER, PERSON, TESTER, FakeClock
from support.queueing import agent, queued, waiting

__all__ = ["leases"]


@pytest.fixture
async def store(workspace: Path) -> AsyncIterator[Store]:
    opened = await Store.open(workspace / ".descartes" / "descartes.db")
    yield opened
    await opened.close()


async def test_first_come_first_served(leases: Leases, store: Store) -> None:
    await leases.acquire("a", PERSON)
    tasks = await waiting(leases, store, *(agent(n) for n in range(8)))
    await leases.release("a", PERSON)
    for n, task in enumerate(tasks):
        assert (await task).holder == agent(n)
        assert [each.done() for each in tasks] == [i <= n for i in range(8)]
        await leases.release("a", agent(n))
    tokens = [(await task).token for task in tasks]
    assert tokens == list(range(2, 10))


async def test_a_grant_comes_with_the_release_and_not_at_the_next_tick(
    leases: Leases, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("descartes_core.leases.waiters.TICK_SECONDS", 3600)
    monkeypatch.setattr("descartes_core.leases.waiters.REFRESH_SECONDS", 3600)
    for give_way in (leases.release("a", PERSON), leases.steal("a", TESTER), leases.release_all(run="r")):
        await leases.acquire("a", PERSON, run="r")
        (task,) = await waiting(leases, store, FIXER)
        await give_way
        if (await leases.show("a")) and (await leases.show("a")).holder == TESTER:  # type: ignore[union-attr]
            await leases.release("a", TESTER)
        async with asyncio.timeout(60):
            assert (await task).holder == FIXER
        await leases.release("a", FIXER)


async def test_a_waiter_gets_an_expired_lease_at_its_time(
    leases: Leases, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Neither the next tick nor the next refresh could be what ends the wait.
    monkeypatch.setattr("descartes_core.leases.waiters.TICK_SECONDS", 3600)
    monkeypatch.setattr("descartes_core.leases.waiters.REFRESH_SECONDS", 3600)
    first = await leases.acquire("a", PERSON, ttl_seconds=0.25)
    async with asyncio.timeout(60):
        lease = await leases.acquire("a", FIXER, wait_ms=600_000)
    assert lease.token == 2 and lease.acquired_at >= first.expires_at
    events = (await store.reader.events(EventQuery(order="asc"))).events
    assert [each.name for each in events] == ["lease.acquired", "lease.expired", "lease.acquired"]


@pytest.mark.ledger("D-55")
async def test_the_sweeper_logs_an_end_when_it_comes(leases: Leases, store: Store) -> None:
    expired: asyncio.Future[Lease] = asyncio.get_running_loop().create_future()

    def listen(events: Sequence[Event]) -> None:
        for each in events:
            if each.name == "lease.expired":
                expired.set_result(msgspec.convert(each.data, Lease))

    store.on_events(listen)
    held = await leases.acquire("a", FIXER, ttl_seconds=0.2)
    sweeper = asyncio.create_task(leases.sweep())
    async with asyncio.timeout(60):
        assert await expired == held
    sweeper.cancel()
    await asyncio.wait([sweeper])


@pytest.mark.ledger("D-55")
async def test_a_lease_that_is_given_while_the_sweeper_sleeps_is_looked_after(
    leases: Leases, store: Store
) -> None:
    """It sleeps for a minute where there is nothing to wait for, and no end may be told of that much late."""
    told: asyncio.Queue[str] = asyncio.Queue()
    store.on_events(lambda events: [told.put_nowait(each.name) for each in events])
    sweeper = asyncio.create_task(leases.sweep())
    async with asyncio.timeout(20):
        await leases.acquire("later", FIXER)
        assert await told.get() == "lease.acquired"
        await leases.acquire("a", FIXER, ttl_seconds=30.3)
        assert [await told.get(), await told.get()] == ["lease.acquired", "lease.expiring"]
    sweeper.cancel()
    await asyncio.wait([sweeper])


async def test_who_waits_in_vain_is_told_by_whom(leases: Leases, store: Store) -> None:
    await leases.acquire("a", PERSON, reason="mine")
    started = time.monotonic()
    async with asyncio.timeout(60):
        with pytest.raises(LeaseHeld, match="Ada"):
            await leases.acquire("a", FIXER, wait_ms=150)
    assert time.monotonic() - started > 0.14
    assert await store.reader.rows("SELECT * FROM lease_queue") == []


async def test_a_cancelled_waiter_leaves_its_place(leases: Leases, store: Store) -> None:
    await leases.acquire("a", PERSON)
    first, second = await waiting(leases, store, FIXER, TESTER)
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    await queued(store, 1)
    await leases.release("a", PERSON)
    assert (await second).holder == TESTER


async def test_cancelled_at_any_moment_nothing_is_left_behind(leases: Leases, store: Store) -> None:
    """Cancel an acquire after each number of turns of the loop: no lease and no place may stay."""
    for turns in range(40):
        task = asyncio.create_task(leases.acquire("a", FIXER, wait_ms=5000))
        for _ in range(turns % 20):
            await asyncio.sleep(0)
        if turns >= 20:
            await asyncio.sleep(0.0005)
        task.cancel()
        await asyncio.wait([task])
        if task.cancelled():
            async with asyncio.timeout(60):
                while await leases.show("a") is not None:
                    pass
        else:
            await leases.release("a", FIXER)
        await queued(store, 0)


async def test_a_free_file_is_not_taken_past_those_who_wait_for_it(leases: Leases, store: Store) -> None:
    await leases.acquire("src/a.lisp", PERSON)
    (wide,) = await waiting(leases, store, FIXER, path="src/**")
    with pytest.raises(LeaseHeld, match="Ada"):
        await leases.acquire("src/b.lisp", TESTER)
    # Those who do not clash are not held up, and the holder it waits for may go on.
    await leases.acquire("doc", TESTER)
    await leases.acquire("src/a.lisp", PERSON)
    await leases.acquire("src/c.lisp", PERSON)
    await leases.release("src/a.lisp", PERSON)
    assert not wide.done()
    await leases.release("src/c.lisp", PERSON)
    assert (await wide).holder == FIXER


async def test_who_can_share_is_let_in_together(leases: Leases, store: Store) -> None:
    await leases.acquire("a", PERSON)
    tasks = [
        asyncio.create_task(leases.acquire("a", agent(n), mode="shared", wait_ms=9000)) for n in range(3)
    ]
    await queued(store, 3)
    await leases.release("a", PERSON)
    assert {(await task).holder.id for task in tasks} == {"run_0", "run_1", "run_2"}


async def test_the_order_holds_for_globs_forms_and_shared_too(leases: Leases, store: Store) -> None:
    async def wait(n: int, path: str, mode: LeaseMode = "exclusive") -> asyncio.Task[Lease]:
        task = asyncio.create_task(leases.acquire(path, agent(n), mode=mode, wait_ms=30_000))
        await queued(store, n + 1)
        return task

    async def given(*tasks: asyncio.Task[Lease]) -> None:
        """Check that exactly TASKS have their lease now, and give it back."""
        async with asyncio.timeout(20):
            held = [await task for task in tasks]
        assert [task for task in order if task.done()] == [*before, *tasks]
        before.extend(tasks)
        for lease in held:
            await leases.release(lease.path, lease.holder)

    await leases.acquire("f.lisp", PERSON)
    order = [
        await wait(0, "*.lisp"),
        await wait(1, "f.lisp#area"),
        await wait(2, "f.lisp", "shared"),
        await wait(3, "*.lisp", "shared"),
        await wait(4, "f.lisp#perimeter"),
        await wait(5, "f.lisp#volume"),
    ]
    before: list[asyncio.Task[Lease]] = []
    with pytest.raises(LeaseHeld):
        await leases.acquire("f.lisp#other", TESTER)
    await leases.release("f.lisp", PERSON)
    glob, form, one, other, *forms = order
    await given(glob)
    await given(form)
    await given(one, other)
    await given(*forms)


async def test_closing_tells_those_who_wait(store: Store, workspace: Path) -> None:
    leases = Leases(store, workspace)
    await leases.acquire("a", PERSON)
    (task,) = await waiting(leases, store, FIXER)
    await leases.close()
    with pytest.raises(Cancelled):
        await task
    assert await store.reader.rows("SELECT * FROM lease_queue") == []


async def test_a_set_clock_wakes_waiters_too(workspace: Path) -> None:
    clock = FakeClock()
    store = await Store.open(workspace / "descartes.db", clock=clock)
    leases = Leases(store, workspace)
    await leases.acquire("a", PERSON, ttl_seconds=300)
    (task,) = await waiting(leases, store, FIXER)
    clock.advance(300)
    async with asyncio.timeout(60):
        # The place of a waiter whose loop slept through its own heartbeat is still its own.
        assert (await task).token == 2
    await leases.close()
    await store.close()


async def test_who_was_taken_for_dead_is_answered_all_the_same(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process deletes the places of one that slept too long, as a laptop does."""
    clock = FakeClock()
    store = await Store.open(workspace / "descartes.db", clock=clock)
    leases = Leases(store, workspace)
    await leases.acquire("a", PERSON, ttl_seconds=3600)
    first = asyncio.create_task(leases.acquire("a", FIXER, wait_ms=3_000_000))
    await queued(store, 1)
    second = asyncio.create_task(leases.acquire("a", TESTER, wait_ms=1_000_000))
    await queued(store, 2)
    third = asyncio.create_task(leases.acquire("a", agent(3), wait_ms=1000))
    await queued(store, 3)
    with monkeypatch.context() as patched:
        patched.setattr("descartes_core.leases.queue.FORGET_MS", -1)
        await store.transact(lambda tx: queue.refresh(tx, "another process"))
    clock.advance(2)
    async with asyncio.timeout(60):
        with pytest.raises(LeaseHeld, match="Ada"):
            await third
        await queued(store, 2)
        await leases.release("a", PERSON)
        assert (await first).holder == FIXER and not second.done()
        await leases.release("a", FIXER)
        assert (await second).holder == TESTER
    await leases.close()
    await store.close()
