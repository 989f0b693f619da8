"""Leases over a log of a test's own, under a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from descartes_core.leases import Leases
from descartes_core.model import Event
from descartes_core.store import EventQuery, Store
from support.log import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(workspace: Path, clock: FakeClock) -> AsyncIterator[Store]:
    opened = await Store.open(workspace / ".descartes" / "descartes.db", clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def leases(store: Store, workspace: Path) -> AsyncIterator[Leases]:
    opened = Leases(store, workspace)
    yield opened
    await opened.close()


async def log_of(store: Store) -> list[Event]:
    """Return the events of STORE, oldest first."""
    return (await store.reader.events(EventQuery(order="asc", limit=1000))).events


async def names(store: Store) -> list[str]:
    """Return what happened to leases in STORE, in order."""
    return [each.name.removeprefix("lease.") for each in await log_of(store)]
