"""What stands above the code and what is offered there, as the person reads it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from descartes_core.model import Choice, Intervention, Lease, Principal, Run
from descartes_server.ide import actions, holding, lease_diagnostics, lenses, stop_diagnostics
from descartes_server.ide.lenses import Scene
from descartes_server.ide.stops import Note, Restart, Stop
from descartes_server.ide.text import LineIndex

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
TEXT = "(defun one () 1)\n\n(defun two (x)\n  (/ x 0))\n"
ME = Principal(kind="human", id="ada", name="Ada")
AGENT = Principal(kind="agent", id="run_1", name="scribe")
RUN = Run(
    id="run_1", agent="scribe", backend="model", task="Rename the slots", status="running", session="s",
    runner="local", started_at="2026-11-21T11:00:00.000Z",
)  # fmt: skip
STOP = Stop(
    7, 1, "COMMON-LISP:DIVISION-BY-ZERO", "arithmetic\nerror",
    (Restart(0, "USE-VALUE", "Use a value.", ("value",)), Restart(1, "ABORT", "Abort.")),
    path="/w/a.lisp", start=(3, 2), end=(3, 9),
)  # fmt: skip


def lease(holder: Principal = AGENT, **more: Any) -> Lease:
    given: dict[str, Any] = {
        "path": "a.lisp",
        "uri": "file:///w/a.lisp",
        "mode": "exclusive",
        "reason": "renaming",
        "run": "run_1" if holder is AGENT else None,
        "acquired_at": "2026-11-21T11:59:00.000Z",
        "expires_at": "2026-11-21T12:04:00.000Z",
    }
    return Lease(holder=holder, token=1, **{**given, **more})


def scene(**more: Any) -> Scene:
    forms = [("one", 0, 16), ("two", 18, 44)]
    return Scene("file:///w/a.lisp", LineIndex(TEXT), NOW, me=ME, forms=forms, **more)


def above(scene: Scene) -> list[tuple[int, str]]:
    return [(scene.lines.position(lens.start)[0], lens.command.title) for lens in lenses.lenses(scene)]


@pytest.mark.ledger("D-60")
def test_a_lease_says_who_why_and_until_when() -> None:
    assert holding.sentence(lease(), ME, NOW) == "held by scribe — renaming — until 12:04:00 (in 4 min)"
    own = lease(Principal(kind="human", id="ada", name="Ada L.", via="Emacs"), reason=None, mode="shared")
    assert holding.sentence(own, ME, NOW) == "held by you, in Emacs (shared) — until 12:04:00 (in 4 min)"


@pytest.mark.parametrize(
    ("expires", "left"), [("12:00:40", "in 40 s"), ("12:59:00", "in 59 min"), ("14:00:00", "in 2 h")]
)
def test_time_left(expires: str, left: str) -> None:
    assert holding.time_left(lease(expires_at=f"2026-11-21T{expires}.000Z"), NOW) == left


def test_a_run_at_work_in_a_file() -> None:
    assert above(scene(leases=[lease()], runs={"run_1": RUN})) == [
        (0, "held by scribe: renaming, in 4 min"),
        (0, "request"),
        (0, "take over"),
        (0, "run Rename the slots: running"),
        (0, "pause"),
        (0, "show"),
    ]


def test_a_leased_form_is_marked_where_it_stands() -> None:
    found = above(scene(leases=[lease(path="a.lisp#TWO")]))
    assert {line for line, _ in found} == {2}


def test_a_question_stands_above_the_form_it_is_about() -> None:
    choices = [
        Choice(id="accept", title="Accept"),
        Choice(id="edit", title="Edit", arguments=["arguments"]),
        Choice(id="reject", title="Reject", arguments=["reason"]),
    ]
    question = Intervention(
        id="int_1", kind="approval", title="edit a.lisp", detail="", choices=choices, run="run_1",
        data={"toolArgs": {"path": "a.lisp", "old": "(/ x 0)"}},
    )  # fmt: skip
    asked = scene(interventions=[question])
    assert above(asked) == [(2, "edit a.lisp"), (2, "Accept"), (2, "Reject")]
    titles = [action.command.title for action in actions.actions(asked, 0, 0)]
    assert titles[:2] == ["Accept: edit a.lisp", "Reject: edit a.lisp"]
    assert lenses.lenses(asked)[1].command.arguments == {"id": "int_1", "choice": "accept"}


def test_the_restarts_of_a_stopped_form() -> None:
    stopped = scene(stops=[STOP])
    assert above(stopped) == [
        (3, "■ DIVISION-BY-ZERO: arithmetic error"),
        (3, "USE-VALUE …"),
        (3, "ABORT"),
    ]
    found = actions.actions(stopped, 36, 36)
    assert [action.command.title for action in found[:2]] == ["USE-VALUE …: Use a value.", "ABORT: Abort."]
    assert found[0].command.arguments == {"thread": 7, "level": 1, "index": 0, "name": "USE-VALUE"}
    assert [action.command.title for action in actions.actions(stopped, 0, 3)] == [
        "Take the lease of this file",
        "Take the lease of the form one",
    ]
    (mark,) = stop_diagnostics.stop_marks([STOP], stopped.lines)
    assert TEXT[mark.start : mark.end] == "(/ x 0)"
    assert mark.message.endswith("Restarts: USE-VALUE, ABORT")


@pytest.mark.ledger("D-60")
def test_typing_in_a_file_of_somebody_else_is_a_warning() -> None:
    held = scene(leases=[lease()])
    (calm,) = lease_diagnostics.marks(held, typed=False)
    (typed,) = lease_diagnostics.marks(held, typed=True)
    assert (calm.severity, typed.severity) == ("information", "warning")
    assert "scribe" in typed.message
    assert list(lease_diagnostics.marks(scene(leases=[lease(ME)]), typed=True)) == []
    assert list(lease_diagnostics.marks(scene(leases=[lease(mode="shared")]), typed=True)) == []


@pytest.mark.ledger("D-60")
def test_a_leased_form_is_spoken_of_at_its_place_and_offered_there() -> None:
    held = scene(leases=[lease(path="a.lisp#TWO")])
    (mark,) = lease_diagnostics.marks(held, typed=True, forms={"two"})
    assert (mark.start, mark.severity) == (18, "warning")
    assert mark.message.startswith("The form two is held by scribe")
    (calm,) = lease_diagnostics.marks(held, typed=True, forms={"one"})
    assert calm.severity == "information"
    found = [each.command for each in actions.actions(held, 20, 20)]
    assert [each.title for each in found] == [
        "Ask scribe for the form two",
        "Take the form two over from scribe",
    ]
    assert found[0].arguments == {"path": "a.lisp#TWO"}
    elsewhere = actions.actions(held, 3, 3)[0].command
    assert (elsewhere.title, elsewhere.arguments) == (
        "Take the lease of the form one",
        {"uri": "file:///w/a.lisp#one"},
    )


def ada(via: str | None) -> Principal:
    return Principal(kind="human", id="ada", name="Ada", via=via)


@pytest.mark.parametrize(("via", "at", "marked"), [(None, 25, True), (None, 31, False), ("Emacs", 25, False)])
def test_the_holder_is_warned_before_the_end(via: str | None, at: int, marked: bool) -> None:
    """One that an editor keeps is renewed instead."""
    own = lease(ada(via), expires_at=f"2026-11-21T12:00:{at:02}.000Z")
    found = [each.message for each in lease_diagnostics.marks(scene(leases=[own]), typed=False)]
    told = "Your lease of this file ends at 12:00:25 (in 25 s); renew it to keep it"
    assert found == ([told] if marked else [])


def test_what_one_is_typing_oneself_stands_above_nothing() -> None:
    own = lease(ada("Emacs"), mode="intent", reason="unsaved changes")
    assert above(scene(leases=[own])) == []
    titles = [each.command.title for each in actions.actions(scene(leases=[own]), 17, 17)]
    assert titles == ["Take the lease of this file"]


def test_notes_past_the_end_are_clamped() -> None:
    note = Note("warning", "odd", (90, 1), (90, 4), ("CLHS 3.1",))
    (mark,) = stop_diagnostics.note_marks([note], LineIndex(TEXT))
    assert (mark.start, mark.end) == (len(TEXT), len(TEXT))
    assert mark.message == "odd\nSee CLHS 3.1"


def test_a_stopped_function_can_be_called_again_corrected() -> None:
    stop = replace(STOP, frame=2, call="(TWO 3)", callable_again=True)
    place = scene(stops=[stop])
    assert above(place)[-1] == (3, "retry with fix")
    *_, retry, recompile, _, _ = actions.actions(place, 36, 36)
    assert retry.command.title == "Retry with fix: compile this form and call (TWO 3) again"
    assert retry.command.arguments == {
        "thread": 7, "level": 1, "frame": 2,
        "uri": "file:///w/a.lisp", "position": {"line": 3, "character": 0},
    }  # fmt: skip
    assert recompile.command.title == "Recompile with full debug"
    assert recompile.command.arguments == {"thread": 7, "level": 1, "frame": 2, "uri": "file:///w/a.lisp"}


def test_what_cannot_be_called_again_is_offered_full_debug_only() -> None:
    place = scene(stops=[replace(STOP, frame=0, call="(TWO 3)")])
    assert "retry with fix" not in [title for _, title in above(place)]
    titles = [each.command.title for each in actions.actions(place, 36, 36)]
    assert "Recompile with full debug" in titles
    assert not any(title.startswith("Retry with fix") for title in titles)
