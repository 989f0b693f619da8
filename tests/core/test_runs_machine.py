"""The state machine of runs: every pair of statuses and every event from every status."""

from __future__ import annotations

from itertools import product

import pytest

from descartes_core.errors import InvalidTransition
from descartes_core.model import RunStatus
from descartes_core.runs import machine
from descartes_core.runs.machine import EVENTS, STATUSES, RunEvent, after, check, move

EDGES = {
    "idle": "initializing terminated",
    "initializing": "running thinking failed terminated",
    "running": "thinking paused completed failed terminated",
    "thinking": "running paused completed failed terminated",
    "paused": "running thinking failed terminated",
    "completed": "",
    "failed": "",
    "terminated": "",
}
"""The table as the specification prints it, written down a second time on purpose."""


@pytest.mark.ledger("D-28")
def test_the_statuses_are_the_eight_of_the_specification() -> None:
    assert tuple(EDGES) == STATUSES


@pytest.mark.ledger("D-29")
@pytest.mark.parametrize(("source", "target"), list(product(STATUSES, STATUSES)))
def test_d29_all_64_transitions(source: RunStatus, target: RunStatus) -> None:
    if source == target:
        assert move(source, target) is False
    elif target in EDGES[source].split():
        assert move(source, target) is True
    else:
        with pytest.raises(InvalidTransition) as caught:
            move(source, target)
        assert (caught.value.data["from"], caught.value.data["to"]) == (source, target)


@pytest.mark.ledger("D-30")
@pytest.mark.parametrize(("status", "event"), list(product(STATUSES, EVENTS)))
def test_every_event_takes_an_edge_of_the_table_or_is_refused(status: RunStatus, event: RunEvent) -> None:
    try:
        target = after(status, event)
    except InvalidTransition as refusal:
        assert refusal.code == "invalid_transition"
        assert refusal.data["from"] == status
    else:
        assert target == status or target in EDGES[status].split()


@pytest.mark.ledger("D-30")
@pytest.mark.parametrize("event", EVENTS)
def test_an_ended_run_takes_no_event(event: RunEvent) -> None:
    for status in ("completed", "failed", "terminated"):
        with pytest.raises(InvalidTransition):
            after(status, event)


@pytest.mark.ledger("D-30")
def test_only_resume_ends_a_pause_and_it_returns_to_the_work_that_was_interrupted() -> None:
    for event in ("ready", "think", "act"):
        with pytest.raises(InvalidTransition):
            after("paused", event)
    assert after("paused", "resume", resumed="thinking") == "thinking"
    assert after("paused", "resume", resumed="running") == "running"
    assert after("running", "resume") == "running"


@pytest.mark.ledger("D-31")
@pytest.mark.parametrize(
    ("source", "target"),
    [(source, target) for source in STATUSES for target in STATUSES if target in EDGES[source].split()],
)
def test_a_table_that_lacks_one_edge_is_refused(source: RunStatus, target: RunStatus) -> None:
    broken = dict(machine.TRANSITIONS)
    broken[source] = broken[source] - {target}
    with pytest.raises(TypeError):
        check(broken)


@pytest.mark.ledger("D-31")
def test_a_table_with_an_unreachable_status_an_open_end_or_a_missing_row_is_refused() -> None:
    table = machine.TRANSITIONS
    no_way_in = {status: targets - {"completed"} for status, targets in table.items()}
    with pytest.raises(TypeError, match="no way leads from idle"):
        check(no_way_in)
    with pytest.raises(TypeError, match="without a way out"):
        check({**table, "completed": frozenset({"running"})})
    with pytest.raises(TypeError, match="lacks"):
        check({status: targets for status, targets in table.items() if status != "idle"})


@pytest.mark.ledger("D-32")
def test_active_and_terminal_divide_what_has_begun() -> None:
    assert [status for status in STATUSES if machine.is_terminal(status)] == [
        "completed",
        "failed",
        "terminated",
    ]
    assert [status for status in STATUSES if machine.is_active(status)] == [
        "initializing", "running", "thinking", "paused",
    ]  # fmt: skip
