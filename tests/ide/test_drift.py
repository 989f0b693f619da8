"""The definitions of one form, read where it stands in its file."""

from __future__ import annotations

from descartes_server.ide import drift, syntax

SEVERAL = """(in-package :shapes)
;; before
#+sbcl
(defun area (w h) (* w h))
(progn (defvar *x* 1) (defmethod m ((x (eql 'a))) x))
(list 1)
(defun open ("""


def test_a_form_of_a_file_makes_what_it_makes_alone() -> None:
    whole = syntax.parse(SEVERAL)
    found = []
    for offset in (SEVERAL.index(text) for text in ("(progn", "(list", "(in-package")):
        span = whole.form_at(offset + 2, "toplevel")
        assert span is not None
        made = drift.units_of_form(whole, span.start, span.end)
        alone = drift.units_in(syntax.parse(SEVERAL[span.start : span.end]))
        assert made is not None
        assert [unit.description() for unit in made] == [unit.description() for unit in alone]
        found += [unit.name for unit in made]
    assert found == ["*x*", "m"]


def test_a_part_of_a_form_is_no_form() -> None:
    whole = syntax.parse(SEVERAL)
    for part in ("(defun area (w h) (* w h))", "(defvar *x* 1)"):
        start = SEVERAL.index(part)
        assert drift.units_of_form(whole, start, start + len(part)) is None
    assert drift.units_of_form(whole, 0, len(SEVERAL)) is None
