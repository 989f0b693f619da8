"""The state machine of a run: eight statuses, nine events, and the only edges that may be taken.

Pure. It decides what may happen; it records nothing and starts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, assert_never, get_args

from descartes_core.errors import InvalidTransition
from descartes_core.model import RunStatus

RunEvent = Literal["start", "ready", "think", "act", "pause", "resume", "complete", "fail", "terminate"]
WorkingStatus = Literal["running", "thinking"]
Table = Mapping[RunStatus, frozenset[RunStatus]]

STATUSES: tuple[RunStatus, ...] = get_args(RunStatus)
EVENTS: tuple[RunEvent, ...] = get_args(RunEvent)
START: RunStatus = "idle"
TERMINAL: frozenset[RunStatus] = frozenset({"completed", "failed", "terminated"})

TRANSITIONS: Table = {
    "idle": frozenset({"initializing", "terminated"}),
    "initializing": frozenset({"running", "thinking", "failed", "terminated"}),
    "running": frozenset({"thinking", "paused", "completed", "failed", "terminated"}),
    "thinking": frozenset({"running", "paused", "completed", "failed", "terminated"}),
    "paused": frozenset({"running", "thinking", "failed", "terminated"}),
    "completed": frozenset(),
    "failed": frozenset(),
    "terminated": frozenset(),
}

SOURCES: Mapping[RunEvent, frozenset[RunStatus]] = {
    "start": frozenset({"idle"}),
    "ready": frozenset({"initializing"}),
    "think": frozenset({"initializing", "running"}),
    "act": frozenset({"thinking"}),
    "pause": frozenset({"running", "thinking"}),
    "resume": frozenset({"paused"}),
    "complete": frozenset({"running", "thinking"}),
    "fail": frozenset({"initializing", "running", "thinking", "paused"}),
    "terminate": frozenset({"idle", "initializing", "running", "thinking", "paused"}),
}


def is_terminal(status: RunStatus) -> bool:
    """Return whether a run with STATUS has ended for good."""
    return status in TERMINAL


def is_active(status: RunStatus) -> bool:
    """Return whether a run with STATUS has begun and not ended; a paused one is active."""
    return status not in TERMINAL and status != START


def move(source: RunStatus, target: RunStatus) -> bool:
    """Return whether going from SOURCE to TARGET changes anything; staying is allowed and no change.

    Errors: `InvalidTransition` with `from` and `to`.
    Example: move("running", "paused") -> True; move("paused", "paused") -> False
    """
    if source == target:
        return False
    if target not in TRANSITIONS[source]:
        allowed = ", ".join(sorted(TRANSITIONS[source])) or "nothing: it has ended"
        raise InvalidTransition(
            f"A run that is {source} cannot become {target}; it may become {allowed}",
            **{"from": source, "to": target},
        )
    return True


def after(status: RunStatus, event: RunEvent, *, resumed: WorkingStatus = "running") -> RunStatus:
    """Return the status that EVENT leads to from STATUS; `resume` leads back to RESUMED.

    An event whose status is already there changes nothing, except that a run that has ended takes none.
    Errors: `InvalidTransition` with `from`, `to` and `event`.
    Example: after("running", "pause") -> "paused"
    """
    target = _target(event, resumed)
    stays = status == target and not is_terminal(status)
    if status not in SOURCES[event] and not stays:
        raise InvalidTransition(
            f"A run that is {status} cannot take the event {event!r}, which would make it {target}",
            **{"from": status, "to": target, "event": event},
        )
    return target


def _target(event: RunEvent, resumed: WorkingStatus) -> RunStatus:
    match event:
        case "start":
            return "initializing"
        case "ready" | "act":
            return "running"
        case "think":
            return "thinking"
        case "pause":
            return "paused"
        case "resume":
            return resumed
        case "complete":
            return "completed"
        case "fail":
            return "failed"
        case "terminate":
            return "terminated"
        case _:
            assert_never(event)


def check(transitions: Table) -> None:
    """Raise `TypeError` unless TRANSITIONS is whole.

    Every status can be reached, exactly the terminal ones have no way out, and the events take exactly
    its edges. It runs when this module is imported, so that a wrong edit stops the program at once.
    """
    if missing := set(STATUSES) - transitions.keys():
        raise TypeError(f"the table of run statuses lacks {sorted(missing)}")
    closed = {status for status in STATUSES if not transitions[status]}
    if closed != TERMINAL:
        raise TypeError(f"the statuses without a way out must be {sorted(TERMINAL)}, not {sorted(closed)}")
    if lost := set(STATUSES) - _reachable(transitions):
        raise TypeError(f"no way leads from {START} to {sorted(lost)}")
    edges = {(source, target) for source in STATUSES for target in transitions[source]}
    if different := edges ^ _edges_of_events():
        raise TypeError(f"events and table of run statuses differ in the edges {sorted(different)}")


def _reachable(transitions: Table) -> set[RunStatus]:
    found: set[RunStatus] = set()
    waiting: list[RunStatus] = [START]
    while waiting:
        status = waiting.pop()
        if status not in found:
            found.add(status)
            waiting.extend(transitions[status])
    return found


def _edges_of_events() -> set[tuple[RunStatus, RunStatus]]:
    working: tuple[WorkingStatus, ...] = get_args(WorkingStatus)
    return {
        (source, _target(event, resumed))
        for event in EVENTS
        for source in SOURCES[event]
        for resumed in working
    }


check(TRANSITIONS)
