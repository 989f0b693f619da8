"""Runs that go on from a moment of their own, and forks of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from descartes_core.agents.models import Message
from descartes_core.errors import DescartesError, InvalidParams, NotFound
from descartes_core.timetravel.brain import BrainRestore, fork, state_at
from descartes_core.timetravel.forks import branches
from support.brains import heard, worked
from support.running import ANN, Bench, bench

__all__ = ["bench", "heard"]


pytestmark = pytest.mark.invented_events


@pytest.mark.ledger("D-18")
async def test_a_run_that_goes_on_from_any_turn_shows_its_model_the_same(
    bench: Bench, heard: list[list[Message]]
) -> None:
    run = await worked(bench)
    original = [*heard]
    context = await BrainRestore(bench.store.reader, run).rebuild_context()
    assert ([*context.messages], context.turn) == (original[-1], 4)
    assert context.context["task"] == "try it"
    turns = [event for event in await bench.events(run, "message") if "heard" in event.data]
    for number, turn in enumerate(turns):
        before = await BrainRestore(bench.store.reader, run).rebuild_context(turn.seq - 1)
        assert ([*before.messages], before.turn) == (original[number], number)
        heard.clear()
        session = await fork(bench.store, run, turn.seq - 1, by=ANN)
        child = await bench.spawn(task="", fork=session, tool_level="trusted")
        await bench.ended(child.id)
        # The file may be written by now, so that only what was said until here must be the same.
        assert heard[0] == original[number]
        assert [len(each) for each in heard] == [len(each) for each in original[number:]]


@pytest.mark.ledger("D-27")
async def test_a_fork_goes_on_and_leaves_the_original_as_it_was(bench: Bench) -> None:
    run = await worked(bench)
    original = await bench.events(run)
    (asked,) = await bench.events(run, "intervention.opened")
    session = await fork(bench.store, run, asked.id, by=ANN, reason="another try")
    child = await bench.spawn(task="Write less.", fork=session)
    assert (child.session, child.task) == (session, "Write less.")
    await bench.answer(child.id, "reject", reason="no")  # the call that was pending is asked about again
    ended = await bench.ended(child.id)
    assert ended.status == "completed"
    state = await state_at(bench.store.reader, child.id, None)
    assert [(each.role, each.failed) for each in state.messages][:5] == [
        ("user", False),
        ("assistant", False),
        ("tool", False),
        ("assistant", False),
        ("tool", True),
    ]
    assert [each.content for each in state.messages if each.role == "user"] == ["try it", "Write less."]
    assert state.turn == 4
    assert await bench.events(run) == original
    parent = (await bench.runs.show(run)).session
    tree = await branches(bench.store.reader, session)
    assert [(each.session, each.parent, each.seq, each.runs, each.depth) for each in tree] == [
        (parent, None, None, [run], 0),
        (session, parent, asked.seq, [child.id], 1),
    ]
    assert (tree[1].reason, tree[1].by) == ("another try", ANN)
    again = await fork(bench.store, child.id, None, by=ANN)
    tree = await branches(bench.store.reader, parent)
    assert [(each.session, each.depth) for each in tree] == [(parent, 0), (session, 1), (again, 2)]
    grandchild = await bench.spawn(task="And now?", fork=again)
    await bench.ended(grandchild.id)
    last = await state_at(bench.store.reader, grandchild.id, None)
    assert [each.content for each in last.messages if each.role == "user"][-1] == "And now?"
    assert last.messages[: len(state.messages)] == state.messages
    assert (await bench.store.reader.rows("SELECT count(*) AS n FROM event"))[0]["n"] == (
        await bench.store.reader.last_seq()
    )
    kept = await bench.store.reader.rows("SELECT * FROM session ORDER BY seq")
    await bench.store.rebuild()
    assert await bench.store.reader.rows("SELECT * FROM session ORDER BY seq") == kept


async def test_a_forked_run_is_taken_up_again_with_its_whole_past(
    bench: Bench, workspace: Path, heard: list[list[Message]]
) -> None:
    run = await worked(bench)
    (asked,) = await bench.events(run, "intervention.opened")
    session = await fork(bench.store, run, asked.id, by=ANN)
    child = await bench.spawn(task="", fork=session)
    question = await bench.question(child.id)
    await bench.close(kill=False)
    heard.clear()
    later = await Bench.open(workspace)
    try:
        await later.runs.recover()
        assert (await later.question(child.id)).id == question.id
        await later.answer(child.id, "reject")
        await later.ended(child.id)
        assert heard[0][0].content == "try it"
        assert [each.role for each in heard[0]] == ["user", "assistant", "tool", "assistant", "tool"]
    finally:
        await later.close()


@pytest.mark.parametrize(
    ("request_", "error", "says"),
    [
        ({"fork": "ses_ffff"}, NotFound, "No session"),
        ({"fork": "of the run"}, NotFound, "was not"),
        ({"fork": "good", "command": ["true"]}, InvalidParams, "no command"),
        ({"fork": "good", "backend": "process"}, InvalidParams, "goes on with a conversation"),
    ],
)
async def test_what_cannot_be_gone_on_with_is_refused(
    bench: Bench, request_: dict[str, Any], error: type[DescartesError], says: str
) -> None:
    run = await bench.spawn({"text": "Hi."})
    await bench.ended(run.id)
    named = {"of the run": run.session, "good": await fork(bench.store, run.id, None, by=ANN)}
    request_["fork"] = named.get(request_["fork"], request_["fork"])
    before = await bench.store.reader.last_seq()
    with pytest.raises(error, match=says):
        await bench.spawn(task="", **request_)
    assert await bench.store.reader.last_seq() == before


async def test_only_a_conversation_that_has_begun_is_forked(bench: Bench) -> None:
    first = await bench.spawn({"text": "Hi."})
    await bench.ended(first.id)
    process = await bench.command("true")
    await bench.ended(process.id)
    second = await bench.spawn({"text": "Hi."})
    await bench.ended(second.id)
    with pytest.raises(InvalidParams, match="with a conversation"):
        await fork(bench.store, process.id, None, by=ANN)
    with pytest.raises(InvalidParams, match="which began with event"):
        await fork(bench.store, second.id, 2, by=ANN)
    with pytest.raises(NotFound):
        await fork(bench.store, "run_" + "0" * 32, None, by=ANN)
