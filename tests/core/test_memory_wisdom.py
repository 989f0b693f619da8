"""Wisdom: confidence that outcomes move, and runs that are told what fits their task."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.errors import InvalidParams, NotFound, TooLarge
from descartes_core.memory.memory import Consulting, Memory
from descartes_core.memory.notebook import Author
from descartes_core.memory.thoughts import Thoughts
from descartes_core.memory.wisdom import confidence
from descartes_core.store import Store
from descartes_core.timetravel.brain import state_at
from support.log import FIXER, PERSON
from support.running import Bench, call

FORCE = "The lexer tests pass only after the system was loaded with :force t"


class Told:
    """A bench whose runs are told as `how` says."""

    def __init__(self, workspace: Path, home: Path, store: Store) -> None:
        self.how = Consulting()
        self.memory = Memory(store, Thoughts(home), lambda: self.how)
        self.bench = Bench(workspace, store, None, memory=self.memory)

    async def messages(self, task: str, **request: Any) -> list[str]:
        """Return what a run with TASK is told before its first turn."""
        run = await self.bench.spawn({"text": "Done."}, task=task, **request)
        await self.bench.ended(run.id)
        said = await self.bench.events(run.id, "message")
        return [event.data["content"] for event in said if event.data["role"] == "user"]


@pytest.fixture
async def told(workspace: Path, isolated_environment: Path) -> AsyncIterator[Told]:
    store = await Store.open(workspace / ".descartes" / "descartes.db")
    made = Told(workspace, isolated_environment / "home", store)
    yield made
    await made.bench.close()


@pytest.mark.ledger("C-07")
async def test_outcomes_move_the_confidence(told: Told) -> None:
    book, agent = told.memory.wisdom, Author(FIXER, "run_f1", "ses_1")
    added = await book.add(FORCE, agent, tags=["tests"])
    assert (added.confidence, added.outcomes, added.by) == (0.5, 0, FIXER)
    steps = [(1.0, 0.667), (1.0, 0.75), (0.0, 0.6), (0.5, 0.583)]
    for effect, expected in steps:
        assert (await book.outcome(added.id[4:14], effect, agent)).confidence == expected
    person = await book.add("Never sleep in tests", Author(PERSON))
    assert person.confidence == 0.75
    assert [each.id for each in await book.list()] == [person.id, added.id]
    assert [each.id for each in await book.list(min_confidence=0.6)] == [person.id]
    assert [each.id for each in await book.list(tags=["Tests"])] == [added.id]
    before = await book.list()
    await told.bench.store.rebuild()
    assert await book.list() == before


@given(st.floats(0, 1), st.lists(st.floats(0, 1), max_size=20))
def test_confidence_stays_between_0_and_1_and_moves_towards_each_outcome(
    initial: float, effects: list[float]
) -> None:
    total, now = 0.0, confidence(initial, 0, 0)
    for count, effect in enumerate(effects, 1):
        total += effect
        before, now = now, confidence(initial, total, count)
        assert 0 <= now <= 1
        assert abs(now - effect) <= abs(before - effect) + 0.001


@pytest.mark.ledger("C-07")
async def test_a_run_is_told_what_fits_its_task_and_the_history_shows_it(told: Told) -> None:
    book = told.memory.wisdom
    agent = Author(FIXER, "run_f1", "ses_1")
    added = await book.add(FORCE, agent)
    await book.add("Ratios are read before floats", Author(PERSON))
    assert await told.messages("Make the tests of the lexer pass") == ["Make the tests of the lexer pass"]
    await book.outcome(added.id, 1, agent)
    task, advice = await told.messages("Make the tests of the lexer pass")
    assert task == "Make the tests of the lexer pass"
    assert FORCE in advice and "0.67" in advice and "Ratios" not in advice
    (event,) = await told.bench.events(type="wisdom.consulted")
    assert [each["id"] for each in event.data["wisdom"]] == [added.id]
    run = event.run
    (message,) = [e for e in await told.bench.events(run, "message") if e.parent == event.id]
    assert message.data["content"] == advice
    assert await told.messages("Write a page on ports") == ["Write a page on ports"]
    told.how = Consulting(tells=False)
    assert len(await told.messages("Make the tests of the lexer pass")) == 1
    told.how = Consulting(min_confidence=0.9)
    assert len(await told.messages("Make the tests of the lexer pass")) == 1


@pytest.mark.ledger("C-07")
async def test_an_agent_adds_looks_up_and_judges_without_being_asked(told: Told) -> None:
    bench = told.bench
    run = await bench.spawn(
        call("wisdom_add", insight=FORCE, tags=["lexer"]),
        call("wisdom_search", text="lexer tests fail"),
        call("note_create", title="Lexer", body="Mail ann@example.org about it", tags=["lexer"]),
        call("note_search", text="lexer"),
        call("note_show", thought="lexer"),
        agent="fixer",
    )
    ended = await bench.ended(run.id)
    assert ended.status == "completed"
    results = [event.data["result"] for event in await bench.events(run.id, "tool.completed")]
    assert len(results) == 5 and FORCE in results[1]
    (note,) = told.memory.notebook.thoughts.list()
    assert (note.agent_id, note.session_id) == ("fixer", run.session)
    assert "ann@example.org" not in Path(note.path).read_text()
    assert note.id in results[3] and "# Lexer" in results[4]
    (wisdom,) = await told.memory.wisdom.list()
    mind = await state_at(bench.store.reader, run.id, None)
    assert mind.context["memory"] == {f"wisdom/{wisdom.id}": FORCE, f"note/{note.id}": "Lexer"}
    judged = await bench.spawn(call("wisdom_outcome", wisdom=wisdom.id[4:12], helped=True))
    await bench.ended(judged.id)
    assert (await told.memory.wisdom.show(wisdom.id)).confidence == 0.667
    refused = await bench.spawn(call("note_create", title="A", body="b"), tool_level="read-only")
    await bench.ended(refused.id)
    (failed,) = await bench.events(refused.id, "tool.failed")
    assert failed.data["error"]["code"] == "policy_denied"


async def test_what_is_wrong_is_said(told: Told) -> None:
    book, by = told.memory.wisdom, Author(PERSON)
    for insight in ("", "  "):
        with pytest.raises(InvalidParams):
            await book.add(insight, by)
    with pytest.raises(TooLarge):
        await book.add("x" * 3000, by)
    added = await book.add("x", by, initial=1.0)
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(InvalidParams):
            await book.outcome(added.id, wrong, by)
        with pytest.raises(InvalidParams):
            await book.add("y", by, initial=wrong)
    with pytest.raises(NotFound):
        await book.outcome("evt_none", 1, by)
    (spawned, *_) = [await told.bench.spawn({"text": "hi"})]
    (event,) = await told.bench.events(spawned.id, "run.spawned")
    with pytest.raises(NotFound, match="no wisdom"):
        await book.show(event.id)


async def test_a_run_without_a_memory_says_so(workspace: Path) -> None:
    bench = await Bench.open(workspace)
    run = await bench.spawn(call("note_search", text="x"), call("board_read"))
    assert (await bench.ended(run.id)).status == "completed"
    failed = await bench.events(run.id, "tool.failed")
    assert {each.data["error"]["code"] for each in failed} == {"unsupported"}
    await bench.close()
