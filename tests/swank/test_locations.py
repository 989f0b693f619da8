"""From Swank's three ways of counting to code points, with characters of one to four octets."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_swank import sexp
from descartes_swank.locations import (
    DEFINITION,
    FRAME,
    NOTE,
    Counting,
    Location,
    Place,
    SourceFiles,
    SourceText,
    exact,
    place,
)

# The example of the background page: what a file with `é😀€` in a comment before a defun was said to hold.
TEXT = (
    ';;; a comment with é😀€ before a defun\n\n\n(defun f (x)\n  (let ((y (car x)))\n    (error "no" y)))\n'
)
DEFUN = TEXT.index("(defun")
ERROR = TEXT.index("(error")


def _octets(offset: int) -> int:
    return len(TEXT[:offset].encode())


def _as_swank_reads(snippet: str) -> str:
    return snippet.encode().decode("latin-1")


def _locate(text: str, counting: Counting, position: int, snippet: str | None = None) -> int | None:
    form, problem = sexp.read(
        f'(:location (:file "a.lisp") (:position {position}) '
        + (f"(:snippet {sexp.write(snippet)})" if snippet is not None else "nil")
        + ")"
    )
    assert problem is None
    found = place(form, counting)
    assert found is not None
    return exact(found, SourceText.of(text.encode())).offset


def test_definitions_are_octets_from_one() -> None:
    assert _octets(DEFUN) == DEFUN + 6
    assert _locate(TEXT, DEFINITION, _octets(DEFUN) + 1) == DEFUN
    assert _locate(TEXT, DEFINITION, _octets(DEFUN) + 1, _as_swank_reads(TEXT[DEFUN:])) == DEFUN


def test_frames_are_octets_from_nought() -> None:
    assert _locate(TEXT, FRAME, _octets(ERROR), _as_swank_reads(TEXT[ERROR:])) == ERROR


def test_notes_are_characters_from_one() -> None:
    assert _locate(TEXT, NOTE, ERROR + 1) == ERROR


def test_a_coding_cookie_makes_swank_count_characters() -> None:
    text = ";; -*- coding: utf-8 -*-\n" + TEXT
    at = text.index("(error")
    assert _locate(text, FRAME, at, text[at : at + 20]) == at


def test_a_form_that_was_compiled_from_an_editor() -> None:
    form, _ = sexp.read('(:location (:buffer "b.lisp") (:offset 11 4) (:snippet "é"))')
    assert place(form, FRAME) == Place("b.lisp", 14, in_bytes=False, snippet="é")
    form, _ = sexp.read('(:location (:buffer-and-file "b" "b.lisp") (:offset 1 4) nil)')
    assert place(form, DEFINITION) == Place("b.lisp", 4, in_bytes=False, snippet=None)


@pytest.mark.parametrize(
    "text",
    [
        '(:error "No error location available")',
        "nil",
        '(:location (:source-form "(x)") (:position 1) nil)',
        '(:location (:zip "a" "b") (:position 1) nil)',
        '(:location (:file "a") (:function-name "f") nil)',
        '(:location (:file "a"))',
        "(1 . 2)",
    ],
)
def test_what_names_no_place(text: str) -> None:
    form, _ = sexp.read(text)
    assert place(form, NOTE) is None


def test_text_that_moved_since_it_was_loaded_is_found_again() -> None:
    moved = ";; é another line\n;; and one more\n" + TEXT
    snippet = _as_swank_reads(TEXT[ERROR:])
    assert _locate(moved, FRAME, _octets(ERROR), snippet) == moved.index("(error")


def test_of_several_places_the_nearest_counts() -> None:
    text = "(foo bar baz)\n" * 9
    assert _locate(text, FRAME, 14 * 4 + 3, "(foo bar baz)") == 14 * 4


def test_text_whose_end_was_edited_is_found_by_its_beginning() -> None:
    text = "\n\n\n(defun f (x) (list x :new))\n"
    assert _locate(text, DEFINITION, 1, "(defun f (x) (list x :old))") == 3


def test_a_snippet_that_is_nowhere_leaves_the_number() -> None:
    assert _locate("(a) (b) (c)", FRAME, 4, "(never there)") == 4
    assert _locate("(a)", FRAME, 400) == 3


@given(st.text(alphabet='é😀€ (ab)\r\n\tλ"', min_size=1), st.data())
def test_every_offset_is_found_again(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text) - 1))
    octets = len(text[:offset].encode())
    assert _locate(text, FRAME, octets) == offset
    assert _locate(text, DEFINITION, octets + 1) == offset
    assert _locate(text, NOTE, offset + 1) == offset
    assert _locate(text, FRAME, octets, _as_swank_reads(text[offset : offset + 40])) == offset


def test_files_are_read_again_when_they_change(tmp_path: Path) -> None:
    file = tmp_path / "é 😀.lisp"
    files = SourceFiles()
    gone = Place(str(file), 4, in_bytes=True, snippet=None)
    assert files.locate(gone) == Location(str(file), None)
    file.write_text("é (a)", encoding="utf-8")
    assert files.locate(gone) == Location(str(file), 3)
    file.write_text("abcd (a)", encoding="utf-8")
    assert files.locate(gone) == Location(str(file), 4)
    assert files.locate_all([None, gone]) == [None, Location(str(file), 4)]
