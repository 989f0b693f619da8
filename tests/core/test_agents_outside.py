"""Files written by who is no run: the same rules, leases that end, questions that nobody leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from descartes_core.agents.outside import Desk, OutsideCall, Outsider, close_left
from descartes_core.config.table import PolicyRule
from descartes_core.errors import InterventionClosed, LeaseHeld, LeaseLost, PolicyDenied, UnsavedChanges
from descartes_core.model import Principal
from descartes_core.policy.rules import Policy
from descartes_core.store import EventQuery
from descartes_core.timetravel.blame import Place, blame
from descartes_core.timetravel.body import Body
from descartes_server.ide.leased_forms import LispForms
from support.running import ANN, Bench

CODE = "(defun area (s) s)\n\n(defun perimeter (s) s)\n"
CLAUDE = Principal(kind="service", id="claude-code", name="claude-code")


@pytest.fixture
async def bench(workspace: Path) -> AsyncIterator[Bench]:
    (workspace / "s.lisp").write_text(CODE)
    bench = await Bench.open(workspace)
    yield bench
    await bench.close()


def call(bench: Bench, who: Principal, tool: str, *rules: PolicyRule, **given: Any) -> OutsideCall:
    about = {key: given.pop(key) for key in ("run", "level", "client", "files") if key in given}
    desk = Desk(
        workspace=bench.workspace,
        leases=bench.leases,
        interventions=bench.questions,
        body=Body(bench.store, bench.workspace, bench.workspace / ".descartes"),
        policy=Policy(lambda: rules),
        forms=LispForms(),
        unsaved_in=lambda path: bench.unsaved.get(path.name),
        ttl_seconds=lambda: 300,
    )
    digest = given.pop("digest", None)
    return OutsideCall(desk, Outsider(bench.store, who, **about), tool, given, digest=digest, wait_ms=None)


async def test_a_person_keeps_no_lease_that_was_not_there(bench: Bench) -> None:
    await call(bench, ANN, "edit", path="s.lisp", old="area (s) s", new="area (s) 4").perform()
    assert await bench.leases.list() == []
    await bench.leases.acquire("s.lisp", ANN)
    await call(bench, ANN, "edit", path="s.lisp", old="area (s) 4", new="area (s) 5").perform()
    assert len(await bench.leases.list()) == 1
    bench.unsaved["s.lisp"] = "Emacs"
    with pytest.raises(UnsavedChanges, match="Emacs"):
        await call(bench, ANN, "write", path="s.lisp", content="").perform()
    assert "area (s) 5" in (bench.workspace / "s.lisp").read_text()


async def test_another_form_of_a_file_may_be_written_beside_its_holder(bench: Bench) -> None:
    await bench.leases.acquire("s.lisp#area", ANN)
    await call(bench, CLAUDE, "edit", path="s.lisp", old="perimeter (s) s", new="perimeter (s) 4").perform()
    assert "s.lisp#perimeter" in {each.path for each in await bench.leases.list()}
    with pytest.raises(LeaseHeld, match="Ann"):
        await call(bench, CLAUDE, "edit", path="s.lisp", old="area (s) s", new="area (s) 4").perform()


async def test_the_lease_of_a_program_ends_with_it_and_is_not_renewed_meanwhile(bench: Bench) -> None:
    await call(bench, CLAUDE, "write", path="a", content="1", client="c1").perform()
    (lease,) = await bench.leases.list()
    assert lease.holder == CLAUDE
    assert await bench.leases.renew_these([lease]) == []
    await bench.leases.acquire("a", CLAUDE, ttl_seconds=0.4, client="c1")
    (kept,) = await bench.leases.list()
    assert kept.token == lease.token
    assert [each.path for each in await bench.leases.release_all(client="c1")] == ["a"]


async def test_who_took_a_file_over_is_told_and_the_old_text_stays(bench: Bench) -> None:
    await call(bench, CLAUDE, "write", path="a", content="1").perform()
    await bench.leases.steal("a", ANN)
    await bench.leases.release("a", ANN)
    with pytest.raises(LeaseLost):
        await call(bench, CLAUDE, "write", path="a", content="2").perform()
    assert (bench.workspace / "a").read_text() == "1"


async def test_the_rules_of_the_settings_count_and_a_refusal_is_in_the_log(bench: Bench) -> None:
    when = 'tool.args.path == "s.lisp" && run.task == "" && run.agent == "claude-code"'
    rule = PolicyRule(when=when, then="deny", reason="keep it")
    with pytest.raises(PolicyDenied, match="keep it"):
        await call(bench, CLAUDE, "write", rule, path="s.lisp", content="").perform()
    await call(bench, CLAUDE, "write", rule, path="t.lisp", content="").perform()
    events = (await bench.store.reader.events(EventQuery(type="tool", order="asc"))).events
    assert [(each.name, each.data.get("executed", True)) for each in events] == [
        ("tool.started", False),
        ("tool.failed", False),
        ("tool.started", True),
        ("tool.completed", True),
    ]
    assert events[1].data["error"]["code"] == "policy_denied" and events[1].actor == CLAUDE


async def test_the_child_of_a_run_may_what_the_run_may(bench: Bench) -> None:
    run = await bench.spawn({"text": "wait", "delayMs": 60_000}, tool_level="full")
    agent = Principal(kind="agent", id=run.id, name=run.agent)
    with pytest.raises(PolicyDenied, match="tool level"):
        await call(bench, agent, "write", path="a", content="", run=run.id, level="lisp-developer").perform()
    writing = asyncio.ensure_future(
        call(bench, agent, "write", path="a", content="1", run=run.id, level="full").perform()
    )
    await bench.answer(run.id, "accept")
    assert await writing == b"1"
    (lease,) = await bench.leases.list()
    assert (lease.run, lease.holder.id) == (run.id, run.id)
    on_form: dict[str, Any] = {"run": run.id, "level": "trusted", "files": ["s.lisp#area"]}
    with pytest.raises(PolicyDenied, match="may change nothing"):
        await call(bench, agent, "write", path="s.lisp", content="", **on_form).perform()


async def test_a_question_is_left_behind_by_nobody(bench: Bench) -> None:
    bench.unsaved["s.lisp"] = "Emacs"
    writing = asyncio.ensure_future(call(bench, CLAUDE, "write", path="s.lisp", content="").perform())
    await bench.until(bench.questions.list)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await bench.questions.list() == []
    # That of a hub that was killed stands in the log, and the next one closes it.
    writing = asyncio.ensure_future(call(bench, CLAUDE, "write", path="s.lisp", content="").perform())
    await bench.until(bench.questions.list)
    await close_left(bench.questions, CLAUDE)
    assert await bench.questions.list() == []
    with pytest.raises(InterventionClosed):
        await writing
    assert (bench.workspace / "s.lisp").read_text() == CODE


async def test_a_question_is_taken_back_that_is_seen_before_who_asks_knows(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.unsaved["s.lisp"] = "Emacs"
    opened, known = asyncio.Event(), asyncio.Event()
    really_open = bench.questions.open

    async def open_slowly(*given: Any, **named: Any) -> Any:
        question = await really_open(*given, **named)
        opened.set()
        await known.wait()
        return question

    monkeypatch.setattr(bench.questions, "open", open_slowly)
    writing = asyncio.ensure_future(call(bench, CLAUDE, "write", path="s.lisp", content="").perform())
    await opened.wait()
    writing.cancel()
    known.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await bench.questions.list() == []


async def test_a_line_is_known_to_be_the_program_s(bench: Bench) -> None:
    new = {"old": "area (s) s", "new": "area (s) 4"}
    await call(bench, CLAUDE, "edit", path="s.lisp", **new).perform()
    place = Place(bench.workspace, bench.workspace / ".descartes", "s.lisp", trusted=False)
    found = await blame(bench.store.reader, place, (bench.workspace / "s.lisp").read_text())
    changed = found.last(0)
    assert changed is not None and changed.by == CLAUDE and changed.event
    assert found.last(2) is None or found.last(2).by is None
