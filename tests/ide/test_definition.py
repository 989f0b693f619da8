"""Where a name is defined: lexically, in the same text, in the workspace."""

from __future__ import annotations

import pytest

from descartes_server.ide.definition import find_static, in_text
from descartes_server.ide.index import WorkspaceIndex
from descartes_server.ide.syntax import parse
from support.cursor import cursor

OTHER = """\
(in-package :other)
(defun far (x) x)
(defun near () :other)
(defmethod area ((s square)) s)
(defclass square () ((side :accessor side-of)))
"""


def check(fixture: str, *expected: str) -> None:
    """EXPECTED: for each target the file (empty for this one) and the text of its name."""
    index = WorkspaceIndex()
    index.update("/w/other.lisp", OTHER)
    text, offset = cursor(fixture)
    index.update("/w/this.lisp", "(defun stale () 1)")
    found = find_static(parse(text), offset, index, "/w/this.lisp")
    texts = {None: text, "/w/other.lisp": OTHER}
    drawn = [
        f"{target.path or ''}:{texts[target.path].count(chr(10), 0, target.start) + 1} "
        f"{texts[target.path][target.name_start : target.name_end]}"
        for target in found
    ]
    assert drawn == list(expected)


@pytest.mark.parametrize(
    ("fixture", "expected"),
    [
        ("(defun f (x)\n  (let ((x 1))\n    (list $0x)))", [":2 x"]),
        ("(defun f (x)\n  (let ((x $0x))\n    (list x)))", [":1 x"]),
        ("(flet ((g () 1))\n  (let ((g 2))\n (list ($0g) g)))", [":1 g"]),
        ("(flet ((g () 1))\n  (let ((g 2))\n (list (g) $0g)))", [":2 g"]),
        ("(defun near () 1)\n($0near)", [":1 near"]),
        ("($0far 1)", ["/w/other.lisp:2 far"]),
        ("(other::f$0ar 1)", ["/w/other.lisp:2 far"]),
        ("(mapcar #'f$0ar x)", ["/w/other.lisp:2 far"]),
        ("(defgeneric area (s))\n(are$0a 1)", [":1 area", "/w/other.lisp:4 area"]),
        ("(defstruct p x)\n(make-instance 'square$0)", ["/w/other.lisp:5 square"]),
        ("(defclass c () ((side :accessor c-side)))\n(c-si$0de x)", [":1 side"]),
        ("(defun (setf place) (v) v)\n(setf (pl$0ace) 1)", [":1 (setf place)"]),
        ("(defpackage #:p)\n(in-package :p$0)", [":1 #:p"]),
        ("($0stale)", []),
        ("(unk$0nown)", []),
        ("; fa$0r", []),
    ],
)
def test_targets(fixture: str, expected: list[str]) -> None:
    check(fixture, *expected)


@pytest.mark.parametrize(
    ("text", "name", "place"),
    [
        ("(defmethod area ((it circle)) 1)", "area", 11),
        (";; moved\n(defmethod area ((it circle)) 1)", "area", 20),
        ("(defmethod area ((it circle) &key exact) 1)", "area", 11),
        ("(defmethod (setf area) (new it) 1)(defmethod area (new) 2)", "area", 45),
        ("(defmethod (setf area) (new it) 1)", "area", None),
        ("(defun other ())", "area", None),
    ],
)
def test_what_the_image_knows_is_found_in_a_text_that_has_changed(
    text: str, name: str, place: int | None
) -> None:
    found = in_text(parse(text), 0, "(defmethod area ((it circle)) 1)", name, "method")
    assert (found and found.name_start) == place
