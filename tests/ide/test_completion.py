"""Proposals without an image."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from descartes_server.ide.completion import context, merge, static_items
from descartes_server.ide.index import WorkspaceIndex
from descartes_server.ide.syntax import parse
from support.cursor import cursor

LIBRARY = """\
(defpackage #:shapes (:use #:cl))
(in-package #:shapes)
(defclass base () ((origin :initarg :origin)))
(defclass circle (base) ((radius :initarg :radius :initform 1)))
(defun draw-circle (circle &key colour (width 1)) "Draw it." (list circle colour width))
"""


def labels(fixture: str) -> list[str]:
    index = WorkspaceIndex()
    index.update("/w/shapes.lisp", LIBRARY)
    text, offset = cursor(fixture)
    return [item.label for item in static_items(parse(text), offset, index)]


def check(fixture: str, *first: str) -> None:
    """The best proposals at the cursor are FIRST."""
    assert labels(fixture)[: len(first)] == list(first)


@pytest.mark.parametrize(
    ("fixture", "first"),
    [
        ("(m-v-b$0)", ["multiple-value-bind"]),
        ("(w-o-f$0 ", ["with-open-file"]),
        ("(multiple-value-l$0)", ["multiple-value-list"]),
        ("(defun f (number) (car num$0))", ["number"]),
        ("(let ((abbey 1) (abbot 2)) (list ab$0))", ["abbot", "abbey"]),
        ("(flet ((helper (x) x)) (help$0))", ["helper"]),
        ("(defun helper () 1)\n(defun g () (hel$0))", ["helper"]),
        ("(in-package :shapes)\n(draw$0", ["draw-circle"]),
        ("(shapes::dr$0", ["shapes::draw-circle"]),
        ("(cl:multiple-value-b$0", ["cl:multiple-value-bind"]),
        ("(draw-circle c :$0)", [":colour", ":width"]),
        ("(draw-circle c :colour 1 :$0)", [":width"]),
        ("(make-instance 'circle :$0)", [":radius", ":origin"]),
        ("(open p :dir$0)", [":direction"]),
        ("(with-open-file (s p :if-e$0))", [":if-exists"]),
        ("(in-package #:sh$0)", ["#:shapes"]),
        ("(defpackage :x (:use :sh$0))", [":shapes"]),
        ("(mapcar #'draw-c$0", ["draw-circle"]),
        ("(print *standard-ou$0", ["*standard-output*"]),
        ("(print standard-ou$0", ["*standard-output*"]),
    ],
)
def test_the_best_proposals(fixture: str, first: list[str]) -> None:
    check(fixture, *first)


@pytest.mark.parametrize(
    "fixture", ['"in a str$0ing"', "; com$0", "#| blo$0ck |#", "(list 12$0)", r"(list #\Spa$0)"]
)
def test_nothing_is_proposed_where_no_name_can_stand(fixture: str) -> None:
    assert labels(fixture) == []


@pytest.mark.parametrize(
    ("fixture", "expected"),
    [
        ("(fo$0o bar)", ("fo", "foo", "operator")),
        ("(foo ba$0)", ("ba", "ba", "argument")),
        ("(foo :ke$0y)", (":ke", ":key", "keyword")),
        ("(foo pkg:na$0)", ("pkg:na", "pkg:na", "qualified")),
        ("(in-package $0)", ("", "", "package")),
        ("(list 'fo$0)", ("fo", "fo", "argument")),
        ("(é😀€ ab$0)", ("ab", "ab", "argument")),
    ],
)
def test_what_is_typed(fixture: str, expected: tuple[str, str, str]) -> None:
    text, offset = cursor(fixture)
    place = context(parse(text), offset)
    assert (place.prefix, text[place.start : place.end], place.position) == expected


def test_the_documentation_and_lambda_list_come_with_the_proposal() -> None:
    index = WorkspaceIndex()
    index.update("/w/shapes.lisp", LIBRARY)
    item = static_items(parse("(draw-c"), 7, index)[0]
    assert (item.detail, item.documentation) == ("(circle &key colour (width 1))", "Draw it.")
    item = static_items(parse("(mapcar"), 7)[0]
    assert (item.label, item.detail) == ("mapcar", "(function list &rest more-lists)")


@dataclass(frozen=True)
class Known:
    label: str
    kind: str = "function"
    package: str = "IMAGE"
    arglist: str | None = "(from image)"


def test_the_image_s_candidates_join_without_repetition_and_lexical_names_stay_first() -> None:
    text, offset = cursor("(let ((printer 1)) (foo prin$0))")
    static = static_items(parse(text), offset)
    merged = merge(static, [Known("print"), Known("printer"), Known("princ-special"), Known("xprin")], "prin")
    names = [item.label for item in merged]
    assert names[0] == "printer"
    assert merged[0].kind == "variable"
    assert len(names) == len(set(names))
    assert next(item for item in merged if item.label == "print").detail == "(from image)"
    assert names.index("princ-special") < names.index("xprin")
