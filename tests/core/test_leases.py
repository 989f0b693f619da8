"""Leases: who may write, fencing, and how a refusal reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from descartes_core.errors import InvalidParams, LeaseHeld, LeaseLost, NotFound
from descartes_core.leases import Leases, LeaseView
from descartes_core.model import Lease
from descartes_core.store import Reader, Store
from support.leasing import clock, leases, log_of, names, store
from support.log import FIXER, PERSON, TESTER, FakeClock

__all__ = ["clock", "leases", "store"]


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
