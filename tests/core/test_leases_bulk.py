"""Many files leased as one thing: all or none, for as long as it takes, and given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from descartes_core.errors import LeaseHeld
from descartes_core.leases import Leases
from descartes_core.leases.bulk import held_meanwhile
from descartes_core.model import Principal
from descartes_core.store import EventQuery, Store
from support.log import FIXER, PERSON, TESTER, FakeClock

FILES = ["a", "src/b.lisp", "form.lisp#x", "any*.lisp"]
Bench = tuple[Leases, Store, FakeClock]


@pytest.fixture
async def bench(workspace: Path) -> AsyncIterator[Bench]:
    clock = FakeClock()
    store = await Store.open(workspace / "log.db", clock=clock)
    leases = Leases(store, workspace)
    yield leases, store, clock
    await leases.close()
    await store.close()


async def held(leases: Leases, holder: Principal = PERSON) -> dict[str, str]:
    return {each.path: each.mode for each in await leases.list(holder=holder)}


async def named(store: Store, name: str) -> list[str]:
    found = await store.reader.events(EventQuery(type=name, order="asc"))
    return [each.data["path"] for each in found.events]


async def test_all_are_held_inside_and_what_was_held_before_stays(bench: Bench) -> None:
    leases, _, _ = bench
    Path(leases.paths.root, "src").mkdir()
    await leases.hold_unsaved("emacs", PERSON, ["a"])
    await leases.acquire("anything.lisp", FIXER)
    async with held_meanwhile(leases, FILES, PERSON, ttl_seconds=60, reason="files are being restored"):
        assert await held(leases) == {**dict.fromkeys(FILES, "exclusive"), "a": "intent"}
        with pytest.raises(LeaseHeld, match="being restored"):
            await leases.acquire("src", TESTER)
    assert await held(leases) == {"a": "intent"}
    assert await held(leases, FIXER) == {"anything.lisp": "exclusive"}


async def test_one_that_another_has_means_none(bench: Bench) -> None:
    leases, _, _ = bench
    await leases.acquire("src/b.lisp", FIXER, mode="shared")
    with pytest.raises(LeaseHeld, match="fixer"):
        async with held_meanwhile(leases, FILES, PERSON, ttl_seconds=60, reason="r"):
            raise AssertionError("nothing is held")
    assert await held(leases) == {}
    assert list(await leases.of_others(FILES, PERSON)) == ["src/b.lisp"]
    assert list(await leases.in_the_way([".", *FILES], PERSON)) == [".", "src/b.lisp"]
    # A folder above the workspace has everything in it.
    assert list(await leases.in_the_way(["..", "/"], PERSON)) == ["..", "/"]


@pytest.mark.ledger("D-55")
async def test_they_are_renewed_however_long_it_takes(bench: Bench) -> None:
    leases, store, clock = bench
    renewed = asyncio.Event()
    store.on_events(lambda events: renewed.set() if events[-1].name == "lease.renewed" else None)
    async with held_meanwhile(leases, ["a", "b"], PERSON, ttl_seconds=0.4, reason="r"):
        await leases.steal("b", TESTER)
        for _ in range(3):
            renewed.clear()
            clock.advance(0.3)
            async with asyncio.timeout(60):
                await renewed.wait()
        assert await held(leases) == {"a": "exclusive"}
    assert await held(leases) == {}
    assert await named(store, "lease.released") == ["a"]
    assert await named(store, "lease.renewed") == ["a", "a", "a"]


async def test_who_is_cancelled_while_taking_them_leaves_none(bench: Bench) -> None:
    leases, store, _ = bench

    async def hold() -> None:
        async with held_meanwhile(leases, FILES, PERSON, ttl_seconds=60, reason="r"):
            await asyncio.Event().wait()

    for steps in range(6):
        task = asyncio.create_task(hold())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await held(leases) == {}
    assert len(await named(store, "lease.acquired")) == len(await named(store, "lease.released"))
