"""Where stopped forms and breakpoints stand after the person has typed."""

from __future__ import annotations

import random

import pytest

from descartes_server.ide.text import LineIndex
from descartes_server.state.shift import Shift

OLD = "(in-package :a)\n\n(defun average (x)\n  (/ x 0))\n\n(defun other ()\n  1)\n"
FORM = "(/ x 0)"


def after(new: str, form: str = FORM) -> str:
    """Return the text at the mark of FORM of OLD after OLD has become NEW."""
    old, lines = LineIndex(OLD), LineIndex(new)
    first = OLD.index(form)
    start, end = Shift(old, lines).form(old.position(first), old.position(first + len(form)))
    return new[lines.offset(*start) : lines.offset(*end)]


@pytest.mark.parametrize(
    ("before", "now", "marked"),
    [
        ("(in-package", "; a line\n(in-package", FORM),
        ("(defun average", "(defun helper () 1)\n(defun average", FORM),
        ("(/ x 0)", "(/ x 10)", "(/ x 10)"),
        ("(/ x 0)", "(/ x (max 1 0))", "(/ x (max 1 0))"),
        ("(/ x 0))", "(/ x 0)\n  (list))", FORM),
        ("  (/ x 0)", "  (list)\n  (/ x 0)", FORM),
        ("  (/ x 0)", "  (/ x 1)\n  (/ x 0)", FORM),
        ("(/ x 0)", "", ""),
        ("(defun average (x)\n  (/ x 0))\n\n", "", ""),
        ("(defun other ()\n  1)\n", "", FORM),
    ],
)
def test_a_mark_goes_with_its_form(before: str, now: str, marked: str) -> None:
    assert after(OLD.replace(before, now, 1)) == marked


def test_a_definition_put_before_one_leaves_the_mark_at_the_second() -> None:
    form = "(defun average (x)\n  (/ x 0))"
    assert after(OLD.replace("(defun average", "(defun helper () 1)\n(defun average"), form) == form


def test_no_edit_at_all_loses_a_mark() -> None:
    """Whatever is done to a text, the mark of a form that was not touched stands at that form."""
    chance = random.Random(7)
    for _ in range(2000):
        start = chance.randrange(len(OLD) + 1)
        end = chance.randrange(start, min(len(OLD), start + 12) + 1)
        new = OLD[:start] + "".join(chance.choices("() \nx/", k=chance.randrange(4))) + OLD[end:]
        first, last = OLD.index(FORM), OLD.index(FORM) + len(FORM)
        found = after(new)
        if end <= first or start >= last:
            assert found == FORM, (start, end, new)
