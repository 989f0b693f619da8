"""Definitions of a whole workspace by a query."""

from __future__ import annotations

import pytest

from descartes_server.ide.index import WorkspaceIndex
from descartes_server.ide.syntax import Syntax, parse
from descartes_server.ide.workspace_symbols import LIMIT, Query, find, query

ZOO = """\
(in-package :zoo)
(defun feed () 1)
(defun feed-all () 1)
(defclass animal () ((feed :initform 1) (name)))
(defmethod (setf weight) (kg (it animal)) kg)
(defvar |Odd| 1)
"""
GARDEN = '(in-package "Garden")\n(defmacro feed () 1)\n(defun zoo::watered () 1)\n'


def names(text: str, index: WorkspaceIndex, opened: dict[str, Syntax] | None = None) -> list[str]:
    found = find(query(text), index, opened or {})
    return [f"{each.place} {each.entry.kind} {each.container} {each.entry.name}" for each in found]


@pytest.fixture
def index() -> WorkspaceIndex:
    index = WorkspaceIndex()
    index.update("zoo", ZOO)
    index.update("garden", GARDEN)
    return index


def test_what_fits_best_comes_first_and_slots_after_equals(index: WorkspaceIndex) -> None:
    assert names("FEED", index) == [
        "garden macro Garden feed",
        "zoo function ZOO feed",
        "zoo slot animal feed",
        "zoo function ZOO feed-all",
    ]
    assert names("f-a", index) == ["zoo function ZOO feed-all"]
    assert names("weight", index) == names("(setf weight)", index) == ["zoo method ZOO (setf weight)"]
    assert names("odd", index) == names("|Odd|", index) == ["zoo variable ZOO |Odd|"]
    assert names("nothing-at-all", index) == []


def test_a_package_before_the_name_leaves_out_the_others(index: WorkspaceIndex) -> None:
    assert names("garden:feed", index) == names("|Garden|::FEED", index) == ["garden macro Garden feed"]
    assert names("Zoo::feed", index)[0] == "zoo function ZOO feed"
    assert names("zoo:wat", index) == ["garden function ZOO zoo::watered"]
    assert [line.split()[-1] for line in names("zoo:", index)] == [
        "feed", "feed-all", "animal", "weight)", "|Odd|", "zoo::watered", "feed", "name"
    ]  # fmt: skip
    assert names("nowhere:feed", index) == []


def test_a_second_word_is_a_part_of_the_package_or_class(index: WorkspaceIndex) -> None:
    assert names("feed gar", index) == ["garden macro Garden feed"]
    assert names("feed ANIMAL", index) == ["zoo slot animal feed"]
    assert names("feed nowhere", index) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (" Foo ", Query("Foo")),
        ("p:foo", Query("foo", "P", "p:")),
        ("|a:b|", Query("|a:b|")),
        ("|a:b|::c", Query("c", "A:B", "|a:b|::")),
        (":key", Query("key")),
        ("#'p::f", Query("f", "P", "p::")),
        ("cl-user:", Query("", "COMMON-LISP-USER", "cl-user:")),
        ("(setf p:x)", Query("x", "P", "p:")),
        ("feed Zoo", Query("feed", container="zoo")),
        ("zoo:feed ani", Query("feed", "ZOO", "zoo:", "ani")),
        ("|a b| c", Query("|a b| c")),
        ("", Query("")),
        (":", Query("")),
        ("(", Query("")),
    ],
)
def test_queries(text: str, wanted: Query) -> None:
    assert query(text) == wanted


def test_an_open_text_counts_in_place_of_its_file(index: WorkspaceIndex) -> None:
    opened = {"zoo": parse("(in-package :zoo)\n(defun feed-é😀 ()"), "untitled:1": parse("(defun feed ())")}
    assert names("feed", index, opened) == [
        "garden macro Garden feed",
        "untitled:1 function COMMON-LISP-USER feed",
        "zoo function ZOO feed-é😀",
    ]
    assert names("", index, opened)[0] == "zoo function ZOO feed-é😀"


def test_an_answer_is_bounded(index: WorkspaceIndex) -> None:
    index.update("many", "(in-package :many)" + "".join(f"(defun number-{n} ())" for n in range(2 * LIMIT)))
    for text in ("", "n", "number", "many:", "many:number"):
        assert len(names(text, index)) == LIMIT
    assert names("number-1", index)[0] == "many function MANY number-1"
