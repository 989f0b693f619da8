"""Those who wait for a lease."""

from __future__ import annotations

import asyncio

from descartes_core.leases import Leases
from descartes_core.model import Lease, Principal
from descartes_core.store import Store


def agent(n: int) -> Principal:
    return Principal(kind="agent", id=f"run_{n}", name=f"agent {n}")


async def queued(store: Store, count: int) -> None:
    """Return when COUNT places are taken."""
    async with asyncio.timeout(60):
        while len(await store.reader.rows("SELECT place FROM lease_queue")) != count:
            pass


async def waiting(
    leases: Leases, store: Store, *holders: Principal, path: str = "a"
) -> list[asyncio.Task[Lease]]:
    """Return tasks that wait for PATH, queued in the order of HOLDERS."""
    before = len(await store.reader.rows("SELECT place FROM lease_queue"))
    tasks: list[asyncio.Task[Lease]] = []
    for n, holder in enumerate(holders, before + 1):
        tasks.append(asyncio.create_task(leases.acquire(path, holder, wait_ms=30_000)))
        await queued(store, n)
    return tasks
