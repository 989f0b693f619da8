"""Leases: who may write, fencing, expiry, and how a refusal reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from descartes_core.errors import InvalidParams, LeaseHeld, LeaseLost, NotFound, PolicyDenied
from descartes_core.leases import Leases, LeaseView
from descartes_core.model import Event, Lease, Principal
from descartes_core.store import EventQuery, Reader, Store
from descartes_core.timetravel.fold import Brain
from support.log import FIXER, PERSON, TESTER, FakeClock


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
    return (await store.reader.events(EventQuery(order="asc", limit=1000))).events


async def names(store: Store) -> list[str]:
    return [each.name.removeprefix("lease.") for each in await log_of(store)]


@pytest.mark.ledger("D-50")
async def test_the_example_of_the_specification(leases: Leases) -> None:
    await leases.acquire("src/main.rs", FIXER, ttl_seconds=5 * 60)
    with pytest.raises(LeaseHeld):
        await leases.acquire("src/main.rs", TESTER, ttl_seconds=5 * 60)
    await leases.release("src/main.rs", FIXER)
    assert (await leases.acquire("src/main.rs", TESTER, ttl_seconds=5 * 60)).holder == TESTER


@pytest.mark.ledger("D-50")
async def test_a_refusal_names_holder_reason_and_end(leases: Leases, clock: FakeClock) -> None:
    held = await leases.acquire("src/a b.lisp", FIXER, ttl_seconds=90, reason="renaming λ", run="run_f1")
    clock.advance(30)
    with pytest.raises(LeaseHeld) as refused:
        await leases.acquire("src/a b.lisp", PERSON)
    for part in ("'src/a b.lisp'", "fixer (agent)", "renaming λ", "in 60 s"):
        assert part in refused.value.message
    assert not refused.value.message.endswith(".")
    assert msgspec.convert(refused.value.data["lease"], Lease) == held
    assert refused.value.data["lease"]["expiresAt"] == "2023-11-14T22:14:50.000Z"


async def test_a_lease_says_everything_about_itself(leases: Leases, workspace: Path) -> None:
    lease = await leases.acquire("src/é.lisp", PERSON, reason="typing", mode="intent")
    assert msgspec.to_builtins(lease) == {
        "path": "src/é.lisp",
        "uri": f"{workspace.resolve().as_uri()}/src/%C3%A9.lisp",
        "holder": {"kind": "human", "id": "ada", "name": "Ada", "via": "Emacs"},
        "mode": "intent",
        "reason": "typing",
        "token": 1,
        "acquiredAt": "2023-11-14T22:13:20.000Z",
        "expiresAt": "2023-11-14T22:18:20.000Z",
        "run": None,
    }


@pytest.mark.ledger("D-57")
async def test_the_token_stays_for_the_holder_and_rises_with_every_other_grant(
    leases: Leases, clock: FakeClock
) -> None:
    tokens = [(await leases.acquire("a", FIXER)).token]
    tokens.append((await leases.acquire("a", FIXER)).token)  # entered again
    tokens.append((await leases.renew("a", FIXER)).token)
    assert tokens == [1, 1, 1]
    await leases.release("a", FIXER)
    assert (await leases.acquire("a", FIXER)).token == 2  # released: a new grant
    clock.advance(301)
    assert (await leases.acquire("a", FIXER)).token == 3  # expired: a new grant
    clock.advance(301)
    assert (await leases.acquire("a", TESTER)).token == 4
    assert (await leases.steal("a", PERSON)).token == 5
    assert (await leases.steal("a", PERSON)).token == 6  # every steal


@pytest.mark.ledger("D-57")
async def test_tokens_rise_across_everything_that_overlaps(leases: Leases) -> None:
    for n, path in enumerate(["src/a.lisp", "src/*.lisp", "src/a.lisp", "src/a.lisp#FOO", "**/a.*"], 1):
        assert (await leases.acquire(path, FIXER)).token == n
        await leases.release(path, FIXER)
    assert (await leases.acquire("src/b.lisp", FIXER)).token == 3
    assert (await leases.acquire("other", FIXER)).token == 1


@pytest.mark.ledger("D-57")
async def test_a_write_is_checked_against_lease_and_token(leases: Leases, clock: FakeClock) -> None:
    assert await leases.check("a", FIXER) is None
    first = await leases.acquire("a", FIXER)
    assert await leases.check("a", FIXER, first.token) == first
    assert await leases.check("./x/../a", FIXER) == first
    with pytest.raises(LeaseHeld, match="fixer"):
        await leases.check("a", TESTER)
    await leases.steal("a", PERSON, reason="mine now")
    with pytest.raises(LeaseLost, match="Ada") as lost:
        await leases.check("a", FIXER, first.token)
    assert lost.value.data["lease"]["holder"]["name"] == "Ada"
    with pytest.raises(LeaseHeld):
        await leases.check("a", FIXER)
    await leases.release("a", PERSON)
    second = await leases.acquire("a", FIXER)
    with pytest.raises(LeaseLost):
        await leases.check("a", FIXER, first.token)
    assert await leases.check("a", FIXER, second.token) == second
    clock.advance(301)
    with pytest.raises(LeaseLost, match="not held any more"):
        await leases.check("a", FIXER, second.token)


@pytest.mark.ledger("D-57")
async def test_a_steal_ends_a_wider_lease_for_good(leases: Leases) -> None:
    wide = await leases.acquire("src/**", FIXER)
    await leases.steal("src/deep/a.lisp", PERSON)
    for path in ("src/deep/a.lisp", "src/b.lisp"):
        with pytest.raises(LeaseLost):
            await leases.check(path, FIXER, wide.token)


MODES = [
    ("exclusive", "exclusive", False),
    ("exclusive", "shared", False),
    ("exclusive", "intent", False),
    ("shared", "exclusive", False),
    ("intent", "exclusive", False),
    ("shared", "shared", True),
    ("shared", "intent", True),
    ("intent", "intent", True),
    ("intent", "shared", True),
]


@pytest.mark.ledger("D-50")
@pytest.mark.parametrize(("first", "second", "together"), MODES)
async def test_which_modes_stand_side_by_side(
    leases: Leases, first: Any, second: Any, together: bool
) -> None:
    await leases.acquire("a", FIXER, mode=first)
    if together:
        await leases.acquire("a", TESTER, mode=second)
        assert len(await leases.list("a")) == 2
    else:
        with pytest.raises(LeaseHeld):
            await leases.acquire("a", TESTER, mode=second)


async def test_the_same_principal_never_conflicts_and_keeps_the_stronger_mode(leases: Leases) -> None:
    elsewhere = msgspec.structs.replace(PERSON, via="VS Code", name="Ada L.")
    await leases.acquire("a", PERSON, ttl_seconds=1000)
    again = await leases.acquire("a", elsewhere, mode="intent", ttl_seconds=10)
    assert (again.mode, again.token, again.holder.via) == ("exclusive", 1, "VS Code")
    assert again.expires_at == "2023-11-14T22:30:00.000Z"
    assert len(await leases.list()) == 1


async def test_who_shares_may_become_exclusive_only_when_alone(leases: Leases) -> None:
    await leases.acquire("a", FIXER, mode="shared")
    await leases.acquire("a", TESTER, mode="shared")
    with pytest.raises(LeaseHeld, match="tester"):
        await leases.acquire("a", FIXER)
    with pytest.raises(LeaseHeld):
        await leases.check("b/../a", PERSON)
    await leases.release("a", TESTER)
    with pytest.raises(LeaseLost, match="reading only"):
        await leases.check("a", FIXER)
    assert (await leases.acquire("a", FIXER)).mode == "exclusive"


@pytest.mark.ledger("D-52")
async def test_release_is_the_holder_s_and_may_be_repeated(leases: Leases, store: Store) -> None:
    taken = await leases.acquire("a", FIXER)
    with pytest.raises(LeaseHeld):
        await leases.release("a", TESTER)
    with pytest.raises(LeaseLost):
        await leases.release("a", FIXER, token=taken.token + 1)
    assert await leases.show("a") == taken
    ended = await leases.release("a", FIXER, token=taken.token)
    assert await leases.release("a", FIXER) == ended
    with pytest.raises(NotFound):
        await leases.release("a", TESTER)
    await leases.acquire("a", FIXER)
    await leases.release("a", PERSON, force=True)
    assert await leases.show("a") is None
    assert await names(store) == ["acquired", "released", "acquired", "released"]


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


async def test_a_request_is_logged_and_names_who_is_asked(leases: Leases, store: Store) -> None:
    with pytest.raises(NotFound):
        await leases.request("a", PERSON, "please")
    held = await leases.acquire("a", FIXER)
    assert await leases.request("a", PERSON, "please") == held
    asked = (await log_of(store))[-1]
    assert (asked.name, asked.actor, asked.data["message"]) == ("lease.requested", PERSON, "please")
    assert await leases.show("a") == held


async def test_events_hold_the_whole_lease_and_their_context(leases: Leases, store: Store) -> None:
    lease = await leases.acquire("a", FIXER, run="run_f1", session="ses_1", parent="evt_1")
    taken = await leases.steal("a", PERSON, reason="mine")
    acquired, stolen = await log_of(store)
    assert msgspec.convert(acquired.data, Lease) == lease
    assert (acquired.category, acquired.run, acquired.session, acquired.parent) == (
        "action", "run_f1", "ses_1", "evt_1",
    )  # fmt: skip
    assert msgspec.convert(stolen.data, Lease) == taken
    assert stolen.metadata["previous"] == [{"path": "a", "kind": "agent", "id": "run_f1"}]


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


async def test_a_time_to_live_that_is_none_is_refused(leases: Leases) -> None:
    for seconds in (0, -1, float("nan"), float("inf"), 1e12):
        with pytest.raises(InvalidParams):
            await leases.acquire("a", FIXER, ttl_seconds=seconds)


async def test_the_table_is_a_fold_of_the_log(leases: Leases, store: Store, clock: FakeClock) -> None:
    await leases.acquire("a", FIXER, ttl_seconds=20)
    await leases.acquire("src/*.lisp", TESTER, mode="shared", client="c")
    await leases.acquire("b#F", PERSON)
    await leases.steal("a", PERSON)
    await leases.release("b#F", PERSON)
    await leases.expire_due()
    clock.advance(280)
    await leases.expire_due()
    await leases.rename("a", "z", by=PERSON)
    everything = "SELECT * FROM lease ORDER BY path, holder_kind, holder_id"
    kept = await store.reader.rows(everything)
    assert len(kept) > 4
    await store.rebuild()
    assert await store.reader.rows(everything) == kept


async def test_another_process_reads_leases_without_a_hub(
    leases: Leases, store: Store, workspace: Path, clock: FakeClock
) -> None:
    nothing = LeaseView(await Reader.open(workspace / "none.db"), workspace, clock)
    assert (await nothing.list(), await nothing.show("a"), await nothing.check("a", FIXER)) == (
        [],
        None,
        None,
    )
    reader = await Reader.open(store.path)
    view = LeaseView(reader, workspace, clock)
    held = await leases.acquire("src/a.lisp", FIXER)
    assert await view.show((workspace / "src/a.lisp").as_uri()) == held
    assert await view.show("src") is None
    assert await view.list("src/*") == [held]
    await reader.close()
