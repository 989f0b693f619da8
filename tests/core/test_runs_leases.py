"""The leases of model runs: taken, held against others, lost, renewed while the run lives."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from descartes_core.agents.run_leases import RunLeases
from descartes_core.config.table import LeaseSettings, Settings
from descartes_core.errors import (
    LeaseHeld,
    LeaseLost,
)
from descartes_core.store import Store
from support.log import FakeClock
from support.running import ANN, BOB, Bench, bench, call

__all__ = ["bench"]


async def test_a_person_may_take_the_lease_over_while_the_run_waits(bench: Bench) -> None:
    (bench.workspace / "a").write_text("theirs")
    run = await bench.spawn(
        call("edit", path="a", old="theirs", new="mine"), call("write", path="b", content="x")
    )
    await bench.question(run.id)
    with pytest.raises(LeaseHeld) as refused:
        await bench.leases.acquire("a", ANN)
    assert refused.value.data["lease"]["holder"]["id"] == run.id
    await bench.leases.steal("a", ANN, reason="mine")
    await bench.answer(run.id, "accept")
    ended = await bench.ended(run.id)
    assert (ended.status, ended.leases) == ("failed", [])
    assert "Ann" in (ended.reason or "") and "'a'" in (ended.reason or "")
    assert (bench.workspace / "a").read_text() == "theirs"
    assert not (bench.workspace / "b").exists()
    (failed,) = await bench.events(run.id, "tool.failed")
    assert failed.data["error"]["code"] == "lease_lost"
    last = (await bench.events(run.id, "message"))[-1]
    assert "Ann" in last.data["content"] and "stays unwritten" in last.data["content"]
    assert "I stop here" in (await bench.runs.output(run.id)).text


@pytest.mark.ledger("D-57")
async def test_a_lease_that_was_taken_and_given_back_is_lost_all_the_same(bench: Bench) -> None:
    run = await bench.spawn(
        call("write", path="a", content="1"),
        call("shell", command="true"),
        call("write", path="a", content="2"),
    )
    await bench.answer(run.id, "accept")
    question = await bench.until(lambda: shell_question(bench, run.id))
    await bench.leases.steal("a", ANN)
    (bench.workspace / "a").write_text("Ann was here")
    await bench.leases.release("a", ANN)
    await bench.questions.answer(question.id, "accept", by=ANN)
    ended = await bench.ended(run.id)
    assert ended.status == "failed"
    assert (bench.workspace / "a").read_text() == "Ann was here"


async def shell_question(bench: Bench, run: str) -> Any:
    return next((q for q in await bench.questions.list(run=run) if q.data["toolName"] == "shell"), None)


async def test_a_file_leased_by_another_is_a_tool_error_that_names_the_holder(bench: Bench) -> None:
    await bench.leases.acquire("a", BOB, reason="thinking")
    run = await bench.spawn(call("write", path="a", content="x"), {"text": "Then not."})
    assert (await bench.ended(run.id)).status == "completed"
    (failed,) = await bench.events(run.id, "tool.failed")
    assert failed.data["error"]["code"] == "lease_held"
    assert "Bob" in failed.data["error"]["message"]
    assert not await bench.events(run.id, "intervention.opened")


@pytest.mark.ledger("A-19")
async def test_a_write_to_a_file_that_another_run_has_leased_is_refused(bench: Bench) -> None:
    first = await bench.spawn(call("write", path="new/deep/a", content="first"))
    await bench.question(first.id)
    second = await bench.spawn(call("write", path="new/deep/a", content="second"), tool_level="trusted")
    assert (await bench.ended(second.id)).status == "completed"
    (failed,) = await bench.events(second.id, "tool.failed")
    assert failed.data["error"]["code"] == "lease_held"
    assert failed.data["error"]["data"]["lease"]["holder"]["id"] == first.id
    assert not (bench.workspace / "new").exists()
    await bench.answer(first.id, "accept")
    assert (await bench.ended(first.id)).status == "completed"
    assert (bench.workspace / "new" / "deep" / "a").read_text() == "first"


async def test_a_write_refused_at_the_last_moment_leaves_no_folders(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise LeaseLost("The lease was taken over")

    (bench.workspace / "there").mkdir()
    monkeypatch.setattr(RunLeases, "check", refuse)
    run = await bench.spawn(call("write", path="there/new/deep/a", content="x"), tool_level="trusted")
    assert (await bench.ended(run.id)).status == "failed"
    assert [*(bench.workspace / "there").iterdir()] == []


@pytest.mark.ledger("D-59")
async def test_a_write_below_what_a_person_is_typing_is_asked_about_even_of_a_trusted_run(
    bench: Bench,
) -> None:
    (bench.workspace / "a").write_text("saved")
    bench.unsaved["a"] = "Emacs"
    run = await bench.spawn(call("edit", path="a", old="saved", new="x"), tool_level="trusted")
    question = await bench.question(run.id)
    assert "unsaved changes in Emacs" in question.detail
    await bench.answer(run.id, "reject")
    await bench.ended(run.id)
    assert (bench.workspace / "a").read_text() == "saved"


async def test_files_are_leased_at_the_start_and_released_at_the_end(bench: Bench) -> None:
    run = await bench.spawn(call("shell", command="true"), files=["a.lisp", "src/*.lisp"], agent="fixer")
    await bench.question(run.id)
    lease = await bench.leases.show("a.lisp")
    assert lease is not None
    assert (lease.holder.kind, lease.holder.id, lease.holder.name) == ("agent", run.id, "fixer")
    assert (lease.reason, lease.run) == ("try it", run.id)
    assert (await bench.runs.show(run.id)).leases == ["a.lisp", "src/*.lisp"]
    (spawned,) = await bench.events(run.id, "run.spawned")
    assert {e.parent for e in await bench.events(run.id, "lease.acquired")} == {spawned.id}
    await bench.answer(run.id, "accept")
    await bench.ended(run.id)
    assert await bench.leases.list() == []


async def test_a_spawn_whose_file_is_held_leaves_nothing_behind(bench: Bench) -> None:
    await bench.leases.acquire("b", BOB)
    before = await bench.store.reader.last_seq()
    with pytest.raises(LeaseHeld) as caught:
        await bench.spawn({"text": "x"}, files=["a", "b"])
    assert caught.value.data["lease"]["holder"]["name"] == "Bob"
    assert await bench.runs.list() == []
    assert await bench.leases.show("a") is None
    assert await bench.store.reader.last_seq() == before


@pytest.mark.ledger("D-55")
async def test_leases_are_renewed_while_the_run_lives(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("descartes_core.runs.renewing.LONGEST_SECONDS", 0.02)
    run = await bench.spawn(call("shell", command="true"), files=["a"])
    await bench.question(run.id)
    soon = bench.store.clock.now_ms() + 10_000
    await bench.store.transact(lambda tx: tx.execute("UPDATE lease SET expires_ms = ?", (soon,)))
    (renewed,) = await bench.until(lambda: bench.events(run.id, "lease.renewed"))
    assert (renewed.data["path"], renewed.data["token"]) == ("a", 1)


@pytest.mark.ledger("D-55")
async def test_the_shortest_leases_of_a_run_never_lapse_while_it_lives(workspace: Path) -> None:
    clock = FakeClock()
    store = await Store.open(workspace / ".descartes" / "descartes.db", clock=clock)
    bench = Bench(workspace, store, None, settings=lambda: Settings(leases=LeaseSettings(ttl_seconds=1)))
    run = await bench.spawn(call("write", path="b", content="x"), call("shell", command="true"), files=["a"])
    await bench.question(run.id)
    await bench.answer(run.id, "accept")
    await bench.until(lambda: shell_question(bench, run.id))
    for renewals in (2, 4, 6):
        clock.advance(0.6)
        await bench.until(partial(_renewed, bench, run.id, renewals))
    assert [each.path for each in await bench.leases.list(run=run.id)] == ["a", "b"]
    assert "lease.expired" not in await bench.names(run.id)
    await bench.close()


async def _renewed(bench: Bench, run: str, times: int) -> bool:
    return len(await bench.events(run, "lease.renewed")) >= times
