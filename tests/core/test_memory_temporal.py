"""Temporal memory: a view of the log, asked by kind, time, field and number."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from descartes_core.errors import InvalidParams
from descartes_core.memory.notebook import Author
from descartes_core.memory.temporal import TemporalMemory
from descartes_core.store import EventQuery, Store
from descartes_core.store.times import iso
from support.log import FIXER, FakeClock

BY = Author(FIXER, "run_f1", "ses_1")


class Photo(msgspec.Struct, frozen=True):
    path: str
    album: str
    place: dict[str, Any] = {}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(workspace: Path, clock: FakeClock) -> AsyncIterator[Store]:
    opened = await Store.open(workspace / "log.db", clock=clock)
    yield opened
    await opened.close()


@pytest.mark.ledger("S-01")
async def test_moments_are_found_by_kind_time_field_and_number(store: Store, clock: FakeClock) -> None:
    photos = TemporalMemory[Photo](store, "photos", BY, Photo)
    other = TemporalMemory[Photo](store, "others", BY, Photo)
    times: list[str] = []
    for number in range(20):
        times.append(iso(clock.now_ms()))
        album = "June" if number % 2 else "May"
        photo = Photo(f"{number}.jpg", album, {"city": "Ulm" if number % 5 == 0 else "Bern"})
        await photos.append("imported" if number % 4 else "deleted", photo)
        await other.append("imported", photo)
        clock.advance(1)

    async def paths(**query: Any) -> list[int]:
        return [int(each.value.path.removesuffix(".jpg")) for each in await photos.query(**query)]

    everything = list(range(19, -1, -1))
    assert await paths() == everything
    assert await paths(order="asc") == everything[::-1]
    assert await paths(kind="deleted") == [16, 12, 8, 4, 0]
    assert await paths(since=times[15]) == [19, 18, 17, 16, 15]
    assert await paths(until=times[2]) == [2, 1, 0]
    assert await paths(field={"album": "June"}, limit=3) == [19, 17, 15]
    assert await paths(field={"place.city": "Ulm", "album": "May"}) == [10, 0]
    assert await paths(field={"place.country": None}) == []
    assert await paths(kind="imported", since=times[10], field={"album": "May"}, limit=2) == [18, 14]
    (first,) = await photos.query(order="asc", limit=1)
    assert (first.kind, first.value, first.at) == (
        "deleted",
        Photo("0.jpg", "May", {"city": "Ulm"}),
        times[0],
    )
    assert (await store.reader.event(first.event)).run == "run_f1"


@pytest.mark.ledger("S-01")
async def test_a_memory_is_the_log_and_goes_on_over_pages(
    store: Store, monkeypatch: pytest.MonkeyPatch, workspace: Path
) -> None:
    monkeypatch.setattr("descartes_core.memory.temporal.PAGE", 3)
    memory = TemporalMemory[dict[str, Any]](store, "m", BY)
    for number in range(10):
        await memory.append("k", {"n": number, "odd": bool(number % 2)})
    assert [each.value["n"] for each in await memory.query(field={"odd": True})] == [9, 7, 5, 3, 1]
    assert len(await memory.query()) == 10
    again = TemporalMemory[dict[str, Any]](await Store.open(workspace / "log.db"), "m", BY)
    assert await again.query() == await memory.query()
    await again._store.close()
    events = (await store.reader.events(EventQuery(type="memory.", order="asc"))).events
    assert [each.data["value"]["n"] for each in events] == list(range(10))


async def test_names_and_numbers_that_are_none_are_said(store: Store) -> None:
    for name in ("", "a b", "a/b", "x" * 101):
        with pytest.raises(InvalidParams):
            TemporalMemory(store, name, BY)
    memory = TemporalMemory[dict[str, Any]](store, "m", BY)
    with pytest.raises(InvalidParams):
        await memory.append("a/b", {})
    with pytest.raises(InvalidParams):
        await memory.query(since="yesterday-ish")
    with pytest.raises(InvalidParams):
        await memory.query(limit=0, field={"a": 1})
    assert await memory.query() == []
