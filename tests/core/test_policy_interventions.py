"""The queue of questions: asked, answered once, waited for across restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from descartes_core.errors import InterventionClosed, InvalidParams, NotFound, PolicyDenied
from descartes_core.model import Choice, Intervention, Principal
from descartes_core.policy.interventions import Interventions
from descartes_core.policy.projection import INTERVENTIONS, Answer
from descartes_core.store import EventQuery, Store

ANN = Principal(kind="human", id="ann", name="Ann")
BOB = Principal(kind="human", id="bob", name="Bob")
AGENT = Principal(kind="agent", id="run_1", name="writer")
CHOICES = [Choice(id="accept", title="Do it"), Choice(id="reject", title="Do not", arguments=["reason"])]


@pytest.fixture
async def store(workspace: Path) -> AsyncIterator[Store]:
    store = await Store.open(workspace / "descartes.db", projections=(INTERVENTIONS,))
    yield store
    await store.close()


@pytest.fixture
def questions(store: Store) -> Interventions:
    return Interventions(store)


async def ask(questions: Interventions, title: str = "May I?", run: str | None = "run_1") -> Intervention:
    return await questions.open(
        "approval", title=title, detail="…", choices=CHOICES, by=AGENT, run=run, data={"callKey": "k"}
    )


@pytest.mark.ledger("A-24")
async def test_who_waits_gets_the_answer_the_moment_it_is_given(questions: Interventions) -> None:
    question = await ask(questions)
    waiting = asyncio.create_task(questions.wait(question.id))
    answered = await questions.answer(question.id, "reject", reason="not now", by=ANN)
    assert answered.status == "answered"
    assert await waiting == Answer(choice="reject", by=ANN, reason="not now")
    assert await questions.wait(question.id) == Answer(choice="reject", by=ANN, reason="not now")


@pytest.mark.ledger("A-21")
async def test_an_answer_given_after_a_restart_reaches_who_waits_on_the_same_question(
    workspace: Path,
) -> None:
    path = workspace / "descartes.db"
    before = await Store.open(path, projections=(INTERVENTIONS,))
    question = await ask(Interventions(before))
    await before.close()
    after = await Store.open(path, projections=(INTERVENTIONS,))
    questions = Interventions(after)
    waiting = asyncio.create_task(questions.wait(question.id))
    await questions.answer(question.id, "accept", by=ANN)
    assert (await waiting).choice == "accept"
    await after.close()


async def test_of_many_answers_at_once_exactly_one_is_taken(questions: Interventions) -> None:
    question = await ask(questions)
    answers = [questions.answer(question.id, "accept", by=who) for who in (ANN, BOB) * 10]
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert [type(result) for result in results].count(Intervention) == 1
    assert [type(result) for result in results].count(InterventionClosed) == len(results) - 1


async def test_an_unknown_choice_or_id_is_refused_and_the_question_stays_open(
    questions: Interventions,
) -> None:
    question = await ask(questions)
    with pytest.raises(InvalidParams, match="accept, reject"):
        await questions.answer(question.id, "perhaps", by=ANN)
    with pytest.raises(NotFound):
        await questions.answer("int_ffffffff", "accept", by=ANN)
    assert await questions.list() == [question]


async def test_an_agent_answers_no_question(questions: Interventions) -> None:
    question = await ask(questions)
    for other in (AGENT, Principal(kind="service", id="x", name="x")):
        with pytest.raises(PolicyDenied):
            await questions.answer(question.id, "accept", by=other)
    assert await questions.list() == [question]


async def test_a_check_may_refuse_an_answer(questions: Interventions) -> None:
    def refuse(question: Intervention, answer: Answer) -> None:
        if answer.choice == "accept":
            raise InvalidParams(f"{question.title} not yet")

    questions.check_answers("approval", refuse)
    question = await ask(questions)
    with pytest.raises(InvalidParams, match="not yet"):
        await questions.answer(question.id, "accept", by=ANN)
    assert (await questions.answer(question.id, "reject", by=ANN)).status == "answered"


async def test_a_closed_question_takes_no_answer_and_tells_who_waits(questions: Interventions) -> None:
    question = await ask(questions)
    waiting = asyncio.create_task(questions.wait(question.id))
    await questions.close(question.id, "the run has ended", by=ANN)
    with pytest.raises(InterventionClosed):
        await waiting
    with pytest.raises(InterventionClosed, match="closed already"):
        await questions.answer(question.id, "accept", by=ANN)
    with pytest.raises(InterventionClosed):
        await questions.close(question.id, "again", by=ANN)


@pytest.mark.ledger("A-28")
async def test_several_questions_wait_at_once_and_are_listed_newest_first(
    questions: Interventions, store: Store
) -> None:
    first, second, other = (
        await ask(questions, "1"),
        await ask(questions, "2"),
        await ask(questions, "3", "run_2"),
    )
    assert [each.id for each in await questions.list()] == [other.id, second.id, first.id]
    assert await questions.list(run="run_2") == [other]
    await questions.answer(first.id[4:20], "accept", by=ANN)
    await store.transact(lambda tx: questions.close_of_run(tx, "run_1", "it has ended", ANN))
    assert {each.id: each.status for each in await questions.list("all")} == {
        first.id: "answered", second.id: "closed", other.id: "open",
    }  # fmt: skip
    await store.rebuild()
    assert [each.status for each in await questions.list("all")] == ["open", "closed", "answered"]


@pytest.mark.ledger("D-07")
async def test_a_question_and_its_answer_are_decisions_with_the_question_as_parent(
    questions: Interventions, store: Store
) -> None:
    question = await ask(questions)
    await questions.answer(question.id, "reject", reason="no", by=ANN)
    answered, opened = (await store.reader.events(EventQuery(type="decision"))).events
    assert (opened.name, opened.actor, opened.run) == ("intervention.opened", AGENT, "run_1")
    assert (answered.name, answered.actor, answered.parent) == ("intervention.answered", ANN, opened.id)
    assert (answered.data["choice"], answered.data["reason"]) == ("reject", "no")
