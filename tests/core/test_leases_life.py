"""How leases go on and end: renewed, expired, warned of, released with their holder, renamed with a file."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from descartes_core.errors import LeaseHeld, LeaseLost, NotFound, PolicyDenied
from descartes_core.leases import Leases
from descartes_core.model import Principal
from descartes_core.store import EventQuery, Store
from descartes_core.timetravel.fold import Brain
from support.leasing import clock, leases, log_of, names, store
from support.log import FIXER, PERSON, TESTER, FakeClock

__all__ = ["clock", "leases", "store"]


@pytest.mark.ledger("D-53")
async def test_renewal_counts_from_now_and_is_refused_after_a_takeover(
    leases: Leases, clock: FakeClock
) -> None:
    taken = await leases.acquire("a", FIXER, ttl_seconds=100)
    clock.advance(60)
    assert (await leases.renew("a", FIXER, token=taken.token)).expires_at == "2023-11-14T22:16:00.000Z"
    assert (await leases.renew("a", FIXER, ttl_seconds=10)).expires_at == "2023-11-14T22:14:30.000Z"
    with pytest.raises(LeaseHeld):
        await leases.renew("a", TESTER)
    await leases.steal("a", TESTER)
    with pytest.raises(LeaseLost, match="tester"):
        await leases.renew("a", FIXER, token=taken.token)
    clock.advance(301)
    with pytest.raises(LeaseLost):
        await leases.renew("a", TESTER)
    with pytest.raises(NotFound):
        await leases.renew("a", PERSON)


@pytest.mark.ledger("D-53")
async def test_renewals_may_be_limited(leases: Leases) -> None:
    await leases.acquire("a", FIXER, max_renewals=2, run="run_f1")
    await leases.renew("a", FIXER)
    await leases.acquire("a", FIXER)
    with pytest.raises(PolicyDenied, match="2 times"):
        await leases.renew("a", FIXER)
    with pytest.raises(PolicyDenied):
        await leases.acquire("a", FIXER)


@pytest.mark.ledger("D-54")
async def test_expiry_counts_when_asked_without_any_sweeper(leases: Leases, clock: FakeClock) -> None:
    await leases.acquire("a", FIXER, ttl_seconds=10, run="run_f1")
    await leases.acquire("b", TESTER, ttl_seconds=100)
    assert [each.path for each in await leases.list(holder=FIXER)] == ["a"]
    assert [each.path for each in await leases.list(run="run_f1")] == ["a"]
    assert [each.path for each in await leases.list()] == ["a", "b"]
    clock.advance(10)
    assert await leases.show("a") is None
    assert [each.path for each in await leases.list()] == ["b"]


@pytest.mark.ledger("D-55")
async def test_no_lease_ends_silently(leases: Leases, store: Store, clock: FakeClock) -> None:
    await leases.acquire("a", FIXER, ttl_seconds=100)
    await leases.acquire("b", FIXER, ttl_seconds=200)
    clock.advance(69)
    await leases.expire_due()
    assert await names(store) == ["acquired", "acquired"]
    clock.advance(1)
    await leases.expire_due()
    await leases.expire_due()
    assert (await names(store))[2:] == ["expiring"]
    clock.advance(30)
    assert [each.path for each in await leases.expire_due()] == ["a"]
    assert await leases.expire_due() == []
    assert (await names(store))[3:] == ["expired"]
    clock.advance(200)
    # Found expired by the next who wants it: told just the same, before the grant.
    await leases.acquire("b", TESTER)
    assert (await names(store))[4:] == ["expired", "acquired"]


@pytest.mark.ledger("D-55")
async def test_a_renewed_lease_is_warned_of_anew(leases: Leases, store: Store, clock: FakeClock) -> None:
    await leases.acquire("a", FIXER, ttl_seconds=100)
    for _ in range(2):
        clock.advance(80)
        await leases.expire_due()
        await leases.renew("a", FIXER)
    assert await names(store) == ["acquired", "expiring", "renewed", "expiring", "renewed"]


@pytest.mark.ledger("D-55")
async def test_leases_of_a_living_run_are_renewed_in_time_and_not_all_the_time(
    leases: Leases, store: Store, clock: FakeClock
) -> None:
    await leases.acquire("a", FIXER, ttl_seconds=100, run="run_f1")
    await leases.acquire("b", FIXER, ttl_seconds=100, run="run_f1", max_renewals=0)
    await leases.acquire("c", TESTER, ttl_seconds=100)
    assert await leases.renew_for_run("run_f1") == []
    clock.advance(51)
    assert [each.path for each in await leases.renew_for_run("run_f1")] == ["a"]
    clock.advance(60)
    assert [each.path for each in await leases.list()] == ["a"]
    assert (await names(store)).count("renewed") == 1


@pytest.mark.ledger("D-52")
async def test_leases_of_a_run_that_ended_are_released(leases: Leases, store: Store) -> None:
    for path in ("a", "b"):
        await leases.acquire(path, FIXER, run="run_f1")
    await leases.acquire("c", TESTER, run="run_t1")
    assert [each.path for each in await leases.release_all(run="run_f1")] == ["a", "b"]
    assert [each.path for each in await leases.list()] == ["c"]
    assert (await names(store))[-2:] == ["released", "released"]


async def test_a_lease_of_a_person_lives_while_one_of_the_editors_stays(
    leases: Leases, store: Store, clock: FakeClock
) -> None:
    await leases.acquire("a", PERSON, client="emacs-1")
    await leases.acquire("a", PERSON, client="code-2")
    await leases.release_all(client="emacs-1")
    clock.advance(200)
    assert [each.path for each in await leases.renew_all(client="code-2")] == ["a"]
    assert await leases.renew_all(client="emacs-1") == []
    await leases.release_all(client="code-2")
    assert await leases.list() == [] and (await names(store))[-1] == "released"


@pytest.mark.ledger("D-56")
async def test_leases_follow_a_renamed_file_and_folder(leases: Leases, store: Store, workspace: Path) -> None:
    file = await leases.acquire("src/a.lisp", FIXER, reason="r", run="run_f1")
    form = await leases.acquire("src/b.lisp#FOO", PERSON)
    (workspace / "lib").mkdir()
    moved = await leases.rename("src", "lib", by=PERSON)
    assert {each.path: each.token for each in moved} == {
        "lib/a.lisp": file.token,
        "lib/b.lisp#FOO": form.token,
    }
    assert {each.path for each in await leases.list()} == {"lib/a.lisp", "lib/b.lisp#FOO"}
    assert await leases.check("lib/a.lisp", FIXER, file.token)
    assert moved[0].uri.endswith("/lib/a.lisp")
    assert (moved[0].expires_at, moved[0].reason, moved[0].run) == (file.expires_at, "r", "run_f1")
    assert [each.actor for each in (await log_of(store))[-2:]] == [PERSON, PERSON]


@pytest.mark.ledger("D-56")
async def test_leases_of_others_follow_a_file_that_was_renamed_and_nothing_else(
    leases: Leases, workspace: Path
) -> None:
    (workspace / "person.lisp").touch()
    await leases.acquire("person.lisp", PERSON)
    await leases.acquire("a/own", FIXER)
    await leases.acquire("a/theirs", PERSON)
    for old, new in [("person.lisp", "zzz"), ("person.lisp", "a"), ("a", "b"), ("./a", "b")]:
        with pytest.raises(PolicyDenied, match="Ada"):
            await leases.rename(old, new, by=FIXER)
    (workspace / "person.lisp").rename(workspace / "moved.lisp")
    with pytest.raises(PolicyDenied, match="its own only"):
        await leases.rename("person.lisp", "moved.lisp", by=FIXER, only_own=True)
    assert [each.path for each in await leases.list(holder=PERSON)] == ["a/theirs", "person.lisp"]
    await leases.rename("person.lisp", "moved.lisp", by=FIXER)
    await leases.rename("a/own", "c", by=FIXER, only_own=True)
    assert {each.path for each in await leases.list()} == {"a/theirs", "c", "moved.lisp"}


@pytest.mark.ledger("D-56")
async def test_a_rename_onto_somebody_else_s_file_changes_nothing(leases: Leases) -> None:
    await leases.acquire("a", FIXER)
    await leases.acquire("b", TESTER)
    with pytest.raises(LeaseHeld, match="tester"):
        await leases.rename("a", "b", by=FIXER)
    assert {(each.path, each.holder.name) for each in await leases.list()} == {
        ("a", "fixer"),
        ("b", "tester"),
    }


async def test_each_run_that_loses_a_lease_has_that_in_its_own_history(
    leases: Leases, store: Store, workspace: Path
) -> None:
    (workspace / "src").mkdir()
    await leases.acquire("src/a.lisp", FIXER, run="run_f1")
    await leases.acquire("src/b.lisp", TESTER, run="run_t1")
    await leases.acquire("src/c.lisp", TESTER, run="run_t1")
    taken = await leases.steal("src", PERSON)
    first, second = (await log_of(store))[3:]
    assert (first.name, first.run, second.name, second.run) == (
        "lease.stolen", "run_f1", "lease.stolen", "run_t1",
    )  # fmt: skip
    assert first.data == second.data == msgspec.to_builtins(taken)
    assert [each["path"] for each in second.metadata["previous"]] == ["src/b.lisp", "src/c.lisp"]
    assert await leases.list() == [taken]
    third = Principal(kind="agent", id="run_x1", name="third")
    await leases.acquire("d", FIXER, run="run_f1")
    await leases.steal("d", third, run="run_x1")
    assert [each.run for each in (await log_of(store))[-2:]] == ["run_x1", "run_f1"]
    history = await store.reader.events(EventQuery(run="run_f1", order="asc"))
    brain = Brain()
    for event in history.events:
        brain.apply(event)
    assert brain.leases == []
