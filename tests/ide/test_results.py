"""What is shown at the end of an evaluated form, and what becomes of it while a person types."""

from __future__ import annotations

from typing import Any

import pytest

from descartes_server.ide import results
from descartes_server.ide.results import Result
from descartes_server.ide.stops import Stop
from descartes_server.ide.text import LineIndex
from descartes_server.state import results as state_results

CONDITION = {"type": "COMMON-LISP:DIVISION-BY-ZERO", "message": "arithmetic error\n on 1"}


@pytest.mark.parametrize(
    ("evaluation", "label"),
    [
        ({"state": "done", "values": ["3", ":B"]}, "⇒ 3, :B"),
        ({"state": "done", "values": []}, "⇒ no values"),
        ({"state": "done", "values": ['"a\n  b"']}, '⇒ "a b"'),
        ({"state": "done", "values": ["x" * 200]}, "⇒ " + "x" * 97 + "…"),
        ({"state": "stopped", "condition": CONDITION}, "■ DIVISION-BY-ZERO: arithmetic error on 1"),
        ({"state": "stopped"}, "■ stopped"),
        ({"state": "aborted"}, "■ aborted"),
        ({"state": "aborted", "condition": CONDITION}, "■ aborted: DIVISION-BY-ZERO: arithmetic error on 1"),
    ],
)
def test_the_label_of_an_evaluation(evaluation: dict[str, Any], label: str) -> None:
    shown = results.of_evaluation(evaluation)
    assert shown is not None and shown[0] == label


@pytest.mark.parametrize("state", ["running", "lost"])
def test_what_has_not_ended_shows_nothing(state: str) -> None:
    assert results.of_evaluation({"state": state, "values": []}) is None


@pytest.mark.parametrize(
    ("compilation", "label"),
    [
        ({"state": "done", "success": True, "notes": []}, "✓ compiled"),
        (
            {"state": "done", "success": True, "notes": [{"severity": "warning", "message": "x"}] * 2},
            "✓ compiled, 2 warnings",
        ),
        (
            {"state": "done", "success": False, "notes": [{"severity": "error", "message": "x"}]},
            "✗ 1 error",
        ),
        ({"state": "done", "success": False, "notes": []}, "✗ not compiled"),
        (
            {"state": "stopped", "success": False, "condition": CONDITION},
            "■ DIVISION-BY-ZERO: arithmetic error on 1",
        ),
    ],
)
def test_the_label_of_a_compilation(compilation: dict[str, Any], label: str) -> None:
    shown = results.of_compilation(compilation)
    assert shown is not None and shown[0] == label


def test_output_and_all_values_are_in_the_tooltip() -> None:
    shown = results.of_evaluation({"state": "done", "values": ["1", "2"], "output": "hello"})
    assert shown == ("⇒ 1, 2", "1\n2\n\nOutput:\nhello")


def test_a_new_result_replaces_those_that_it_overlaps() -> None:
    known = [Result((0, 0), (0, 5), "a"), Result((1, 0), (3, 0), "b"), Result((4, 0), (4, 9), "c")]
    kept = results.with_result(known, Result((2, 0), (2, 4), "new"))
    assert [each.label for each in kept] == ["a", "new", "c"]


def test_variables_of_a_stopped_frame() -> None:
    stop = Stop(1, 1, "ERROR", "x", ())
    frame = {"locals": [{"name": "A", "value": "2"}, {"name": "*B*", "value": "(1\n 2)"}]}
    assert results.of_frame(stop, frame) == "a = 2, *b* = (1 2)"
    assert results.of_frame(stop, {"locals": []}) == ""
    changed = {"locals": [{"name": "N", "value": "3", "earlier": ["2", "1"]}]}
    assert results.of_frame(stop, changed) == "n = 3 (was 2)"
    many = {"locals": [{"name": f"V{number}", "value": "1"} for number in range(9)]}
    assert results.of_frame(stop, many).endswith("v5 = 1, …")


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("(a)\n(b é😀)\n", "(a)\n\n(b é😀)\n", (2, 0)),
        ("(a)\n(b é😀)\n", "(b é😀)\n", (0, 0)),
        ("(a)\n(b é😀)\n", "(a)\n(b é😀)\n(c)", (1, 0)),
        ("(a)\n(b é😀)", "(a)\n(b é😀) x", (1, 0)),
        ("(a)\n(b é😀)", "(a)\n(b é😀)\n", (1, 0)),
        ("(a)\n(b é😀)\n", "(a)\n(b é)\n", None),
        ("(a)\n(b é😀)\n", "", None),
    ],
)
def test_a_result_moves_with_its_form_and_goes_with_an_edit(
    old: str, new: str, where: tuple[int, int] | None
) -> None:
    shown = [Result((1, 0), (1, 6), "⇒ 1")]
    moved = state_results.moved(shown, LineIndex(old), LineIndex(new))
    assert [each.start for each in moved] == ([where] if where else [])
