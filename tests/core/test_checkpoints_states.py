"""States of agents as values: texts, unchangeable, merged."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_core.checkpoints import (
    AgentInterrupt,
    AgentStateSnapshot,
    TodoItem,
)
from descartes_core.errors import InvalidParams
from support.checkpoint_places import STATE


@pytest.mark.ledger("A-03")
def test_a_state_is_the_same_text_in_every_run() -> None:
    same = AgentStateSnapshot(
        todos=STATE.todos,
        files={"a.lisp": "", "b.lisp": "(car)\0\ud800"},
        scratchpad={"a": True, "z": {"deep": [1, 2.0, None, 1e22, 2**70]}},
        pending_interrupts=STATE.pending_interrupts,
    )
    assert (same, same.digest, hash(same)) == (STATE, STATE.digest, hash(STATE))
    assert (list(STATE.files), list(STATE.scratchpad)) == (["a.lisp", "b.lisp"], ["a", "z"])
    program = (
        "import sys; from descartes_core.checkpoints import AgentStateSnapshot as S;"
        "print(S.from_json(sys.stdin.read()).digest)"
    )
    for seed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-c", program],
            input=STATE.to_json(), text=True, capture_output=True, check=True, env={"PYTHONHASHSEED": seed},
        )  # fmt: skip
        assert told.stdout.strip() == STATE.digest
    assert AgentStateSnapshot(scratchpad={"a": 1}) != AgentStateSnapshot(scratchpad={"a": True})


def test_nobody_changes_a_state() -> None:
    files, deep = {"a": "1"}, {"list": [1]}
    state = AgentStateSnapshot(files=files, scratchpad={"deep": deep})
    files["a"] = "2"
    deep["list"].append(2)
    assert (state.files["a"], state.scratchpad["deep"]["list"]) == ("1", (1,))
    for change in (
        lambda: setattr(state, "files", {}),
        lambda: state.files.update({"a": "3"}),  # type: ignore[attr-defined]
        lambda: state.scratchpad["deep"].update({"x": 1}),
        lambda: state.scratchpad["deep"]["list"].append(3),
        lambda: state.todos.append(TodoItem("x")),  # type: ignore[attr-defined]
        lambda: STATE.pending_interrupts[0].tool_args.update({"x": 1}),  # type: ignore[attr-defined]
    ):
        with pytest.raises((FrozenInstanceError, AttributeError)):
            change()
    for wrong in (
        lambda: AgentStateSnapshot(scratchpad={"x": object()}),
        lambda: AgentStateSnapshot(files={"a": 1}),  # type: ignore[dict-item]
        lambda: AgentStateSnapshot(files=[1]),  # type: ignore[arg-type]
        lambda: TodoItem("x", "begun"),  # type: ignore[arg-type]
        lambda: AgentStateSnapshot.from_json("{}"),
        lambda: AgentStateSnapshot.from_json("[" * 100_000),
    ):
        with pytest.raises(InvalidParams):
            wrong()


def states(keys: str) -> st.SearchStrategy[AgentStateSnapshot]:
    """Return states whose keys and call ids are of the letters KEYS."""
    key = st.text(keys, min_size=1, max_size=2)
    return st.builds(
        AgentStateSnapshot,
        todos=st.lists(st.builds(TodoItem, st.text(max_size=3)), max_size=2),
        files=st.dictionaries(key, st.text(max_size=3), max_size=3),
        scratchpad=st.dictionaries(key, st.integers() | st.lists(st.none(), max_size=2), max_size=3),
        pending_interrupts=st.lists(
            st.builds(AgentInterrupt, st.just("t"), st.just({}), key),
            max_size=3,
            unique_by=lambda i: i.call_id,
        ),
    )


@pytest.mark.ledger("A-04")
@settings(max_examples=60, deadline=None)
@given(states("ab"), states("cd"), states("ef"), states("ace"))
def test_merging_is_associative_and_keeps_what_is_disjoint(
    a: AgentStateSnapshot, b: AgentStateSnapshot, c: AgentStateSnapshot, over: AgentStateSnapshot
) -> None:
    assert a.merge(b).merge(c) == a.merge(b.merge(c))
    assert a.merge(over).merge(b) == a.merge(over.merge(b))
    assert a.merge(AgentStateSnapshot()) == a == AgentStateSnapshot().merge(a)
    merged = a.merge(b)
    assert dict(merged.files) == {**a.files, **b.files}
    assert dict(merged.scratchpad) == {**a.scratchpad, **b.scratchpad}
    assert merged.todos == (b.todos or a.todos)
    assert [each.call_id for each in merged.pending_interrupts] == [
        each.call_id for each in (*a.pending_interrupts, *b.pending_interrupts)
    ]
    # What is in both is the later one's.
    assert all(a.merge(over).files[name] == text for name, text in over.files.items())
