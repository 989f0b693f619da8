"""What was in a run's mind at any moment: the fold, and what a restore refuses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descartes_core.agents.past import events_of, stretches
from descartes_core.errors import InvalidParams, NotFound, RestoreConflict, TooLarge
from descartes_core.model import Event
from descartes_core.store import Store
from descartes_core.timetravel import checkpoints
from descartes_core.timetravel.brain import BrainRestore, Filters, RestoreOptions, state_at
from descartes_core.timetravel.fold import Brain
from descartes_core.timetravel.thoughts import Decision
from support.brains import RUN, decision, log, note, said, thought, worked
from support.log import FakeClock
from support.running import ANN, Bench, bench, call

__all__ = ["bench", "log"]


pytestmark = pytest.mark.invented_events


@pytest.mark.ledger("D-14")
async def test_the_state_at_any_moment_is_what_following_the_run_had_shown(bench: Bench) -> None:
    run = await worked(bench)
    last = await bench.store.reader.last_seq()
    brain, followed = Brain(), {}
    (stretch,) = await stretches(bench.store.reader, run, last)
    events = {event.seq: event async for event in events_of(bench.store.reader, stretch)}
    for seq in range(last + 1):
        if seq in events:
            brain.apply(events[seq])
        followed[seq] = brain.copy()
    for seq in [*range(last, -1, -1), *range(last + 1)]:  # also out of order: nothing is remembered wrongly
        state = await state_at(bench.store.reader, run, seq)
        then = followed[seq]
        assert state.messages == then.conversation.request()[0]
        assert [(each.call, each.started) for each in state.pending] == [
            (step.call, step.started) for step in then.conversation.steps
        ]
        assert (state.turn, state.status, state.phase) == (then.conversation.turns, then.status, then.phase)
        assert [each.id for each in state.thoughts] == [*then.thoughts]
        assert [(each.id, each.outcome) for each in state.decisions] == [
            (each.id, each.outcome) for each in then.decisions.values()
        ]
        assert {each.path: each.events for each in state.files} == then.files
        assert (state.leases, [each.id for each in state.questions]) == (then.leases, [*then.questions])
        assert state.event == (then.last.id if then.last else None)
    assert await bench.store.reader.last_seq() == last


MOVES = st.lists(
    st.sampled_from(["user", "turn", "thought", "decision", "lease", "file", "result"]), max_size=25
)


@pytest.mark.ledger("D-14")
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(moves=MOVES)
async def test_any_history_has_one_state_at_each_moment(moves: list[str], tmp_path_factory: Any) -> None:
    store = await Store.open(tmp_path_factory.mktemp("log") / "log.db", clock=FakeClock(), projections=())
    try:
        turns, asked = 0, 0
        for number, move in enumerate(moves):
            match move:
                case "user":
                    event = note("message", "communication", data={"role": "user", "content": f"u{number}"})
                case "turn":
                    turns += 1
                    event = said(turns, 0, "list")
                    asked = turns
                case "result" if asked:
                    data = {"callId": f"call_{asked}_1", "result": "r"}
                    event, asked = note("tool.completed", "tool_use", data=data), 0
                case "thought":
                    event = thought(f"t{number}")
                case "decision":
                    event = decision(f"d{number}")
                case "lease":
                    event = note("lease.acquired", data={"path": f"p{number % 3}", "run": RUN})
                case _:
                    event = note("file.written", "action", data={"path": f"p{number % 3}"})
            await store.append(event)
        brain = Brain()
        last = await store.reader.last_seq()
        for seq in range(last + 1):
            if seq:
                rows = await store.reader.rows("SELECT id FROM event WHERE seq = ?", (seq,))
                brain.apply(await store.reader.event(rows[0]["id"]))
            state = await state_at(store.reader, RUN, seq)
            assert state.messages == brain.conversation.request()[0]
            assert [each.id for each in state.thoughts] == [*brain.thoughts]
            assert {each.path: each.events for each in state.files} == brain.files
            assert state.leases == sorted(brain.leases)
    finally:
        await store.close()


@pytest.mark.ledger("D-14")
async def test_a_moment_is_a_time_an_event_or_a_number(bench: Bench) -> None:
    run = await worked(bench)
    (thinking,) = await bench.events(run, "thought")
    reader = bench.store.reader
    by_id = await state_at(reader, run, thinking.id)
    assert (by_id.seq, by_id.event) == (thinking.seq, thinking.id)
    assert await state_at(reader, run, thinking.seq) == by_id
    restore = BrainRestore(reader, run)
    assert (await restore.restore_to(thinking.id[:12])).seq == thinking.seq
    by_time = await restore.restore_to("2126-01-01T00:00:00Z")
    assert (by_time.status, by_time.turn) == ("completed", 4)
    with pytest.raises(InvalidParams, match="after the run began"):
        await restore.restore_to("2001-01-01T00:00:00Z")
    with pytest.raises(InvalidParams, match="sequence number from 0"):
        await restore.restore_to(10**9)
    with pytest.raises(InvalidParams, match="ISO 8601"):
        await restore.restore_to("2026-13-45T00:00:00Z")
    with pytest.raises(NotFound):
        await restore.restore_to("evt_ffff")


@pytest.mark.ledger("D-15")
async def test_a_restore_refuses_thoughts_and_decisions_without_a_parent(log: Store) -> None:
    await log.append(thought("t1"), thought("t2", parentThoughtId="gone"))
    with pytest.raises(RestoreConflict, match="the thought t2 follows from one that is not there") as refused:
        await BrainRestore(log.reader, RUN).restore_to()
    assert len(refused.value.data["problems"]) == 1
    loose = await BrainRestore(log.reader, RUN, RestoreOptions(validate=False)).restore_to()
    assert [(each.id, each.parent) for each in loose.thoughts] == [("t1", None), ("t2", "gone")]
    await log.append(decision("d1"))
    late = note("decision", "decision", data={"decisionId": "d2", "parentDecisionId": "gone"})
    await log.append(late)
    with pytest.raises(RestoreConflict) as refused:
        await BrainRestore(log.reader, RUN).restore_to()
    assert any("the decision d2" in each for each in refused.value.data["problems"])


@pytest.mark.ledger("D-15")
async def test_a_restore_refuses_a_past_without_one_of_its_turns(log: Store) -> None:
    await log.append(said(1), said(3, 0, "list"))
    with pytest.raises(RestoreConflict, match="turn 3 is number 2"):
        await BrainRestore(log.reader, RUN).restore_to()
    assert (await BrainRestore(log.reader, RUN).restore_to(1)).turn == 1


@pytest.mark.ledger("D-15")
async def test_what_is_missing_is_refused_or_skipped(log: Store) -> None:
    lost = note("tool.completed", "tool_use", data={"callId": "call_9_1", "result": "?"})
    await log.append(said(1), lost, note("message", "communication", data={}))
    with pytest.raises(RestoreConflict, match="does not have") as refused:
        await BrainRestore(log.reader, RUN).restore_to()
    assert [each.partition(": ")[2] for each in refused.value.data["problems"]] == [
        "it answers the call 'call_9_1', which nobody made",
        "it has no 'role' any more",
    ]
    state = await BrainRestore(log.reader, RUN, RestoreOptions(skip_missing=True)).restore_to()
    assert (len(state.skipped), [each.content for each in state.messages]) == (2, ["1"])


@pytest.mark.ledger("D-15")
async def test_strict_causality_wants_every_cause_before_its_effect(log: Store) -> None:
    (first,) = await log.append(thought("t1"))
    await log.append(note("thought", "thought", data={"content": "x"}, parent=first.id))
    strict = RestoreOptions(strict_causality=True)
    assert len((await BrainRestore(log.reader, RUN, strict).restore_to()).thoughts) == 2
    await log.append(note("thought", "thought", data={"content": "y"}, parent="evt_" + "0" * 32))
    assert len((await BrainRestore(log.reader, RUN).restore_to()).thoughts) == 3
    with pytest.raises(RestoreConflict, match="does not stand before it"):
        await BrainRestore(log.reader, RUN, strict).restore_to()


@pytest.mark.ledger("D-15")
async def test_more_events_than_allowed_are_refused(log: Store) -> None:
    await log.append(*(thought(f"t{number}") for number in range(4)))
    allowed = RestoreOptions(max_events=4)
    assert len((await BrainRestore(log.reader, RUN, allowed).restore_to()).thoughts) == 4
    await log.append(thought("t4"))
    with pytest.raises(TooLarge, match="more than 4 events"):
        await BrainRestore(log.reader, RUN, allowed).restore_to()
    assert len((await BrainRestore(log.reader, RUN, allowed).restore_to(4)).thoughts) == 4


@pytest.mark.ledger("D-15")
async def test_metadata_is_left_out_when_it_is_not_wanted(log: Store) -> None:
    await log.append(
        note("thought", "thought", data={"content": "x"}, tags=["plan"], metadata={"model": "m"}),
        decision("d1", tags=["plan"]),
    )
    full = await BrainRestore(log.reader, RUN).restore_to()
    assert (full.thoughts[0].tags, full.thoughts[0].metadata) == (["plan"], {"model": "m"})
    bare = await BrainRestore(log.reader, RUN, RestoreOptions(include_metadata=False)).restore_to()
    assert (bare.thoughts[0].tags, bare.thoughts[0].metadata, bare.decisions[0].tags) == ([], {}, [])


@pytest.mark.ledger("D-15")
async def test_filters_say_which_events_count(log: Store) -> None:
    await log.append(thought("t1"), decision("d1", tags=["plan"]), said(1, 0, "list"))
    result = note("tool.completed", "tool_use", data={"callId": "call_1_1", "result": "r"}, tags=["plan"])
    await log.append(result)

    def only(**which: Any) -> RestoreOptions:
        return RestoreOptions(filters=Filters(**which))

    thoughts = await BrainRestore(log.reader, RUN, only(types=["thought"])).restore_to()
    assert (len(thoughts.thoughts), thoughts.decisions, thoughts.messages) == (1, [], [])
    # What is left of a conversation without its questions is no conversation.
    with pytest.raises(RestoreConflict, match="does not have"):
        await BrainRestore(log.reader, RUN, only(tags=["plan"])).restore_to()
    assert len((await BrainRestore(log.reader, RUN).restore_to()).messages) == 2


@pytest.mark.ledger("D-16")
async def test_thoughts_stand_in_the_order_of_the_log_whatever_the_clock_says(log: Store) -> None:
    clock = log.clock
    assert isinstance(clock, FakeClock)
    (first,) = await log.append(thought("b"))
    await log.append(thought("a"), note("thought", "thought", data={"content": "c"}, parent=first.id))
    clock.advance(-60)
    await log.append(thought("d", parentThoughtId="a", thoughtType="reflection"))
    found = await BrainRestore(log.reader, RUN).rebuild_thoughts()
    assert [(each.content, each.parent, each.type) for each in found] == [
        ("b", None, "general"),
        ("a", None, "general"),
        ("c", "b", "general"),
        ("d", "a", "reflection"),
    ]
    assert found[0].at == found[1].at


@pytest.mark.ledger("D-17")
async def test_decisions_are_a_tree_with_all_children(log: Store) -> None:
    (root,) = await log.append(decision("root"))
    (step,) = await log.append(said(1))
    (left,) = await log.append(decision("left", parent=root.id))
    (between,) = await log.append(note("tool.note", parent=left.id, data={}))
    await log.append(
        decision("leaf", parent=between.id),
        note("decision", "decision", data={"decisionId": "right", "parentDecisionId": "root"}),
        decision("other", parent=step.id),
    )
    found = await BrainRestore(log.reader, RUN).rebuild_decisions()

    def shape(decisions: Sequence[Decision]) -> dict[str, Any]:
        return {each.id: shape(each.children) for each in decisions}

    assert shape(found) == {"root": {"left": {"leaf": {}}, "right": {}}, "other": {}}


async def test_a_question_and_its_answer_are_one_decision(bench: Bench) -> None:
    run = await bench.spawn(call("write", path="a", content="x"), {"text": "Well."})
    question = await bench.question(run.id)
    (opened,) = await bench.events(run.id, "intervention.opened")
    before = await state_at(bench.store.reader, run.id, opened.seq)
    assert [(each.id, each.outcome, each.options) for each in before.decisions] == [
        (question.id, None, ["accept", "edit", "reject", "respond"])
    ]
    assert ([each.title for each in before.questions], before.leases) == ([question.title], ["a"])
    await bench.answer(run.id, "reject", reason="not that")
    await bench.ended(run.id)
    after = (await state_at(bench.store.reader, run.id, None)).decisions[0]
    assert (after.outcome, after.reason, after.by) == ("reject", "not that", ANN)


async def test_what_is_kept_of_a_fold_is_never_another_logs(workspace: Path) -> None:
    async def said_in(content: str, path: Path) -> Event:
        store = await Store.open(path, clock=FakeClock(), projections=())
        spawned = note("run.spawned", data={"id": RUN, "task": content})
        message = note("message", "communication", data={"role": "user", "content": content})
        events = await store.append(spawned, message)
        state = await state_at(store.reader, RUN, None)
        assert [each.content for each in state.messages] == [content]
        await store.close()
        return events[-1]

    path = workspace / "log.db"
    await said_in("one", path)
    for each in workspace.glob("log.db*"):
        each.unlink()
    await said_in("two", path)
    assert len(checkpoints._kept) <= checkpoints.MOST
