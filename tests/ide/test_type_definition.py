"""The types of what stands at a place, as far as texts tell."""

from __future__ import annotations

import pytest

from descartes_server.ide import type_definition, type_names
from descartes_server.ide.index import WorkspaceIndex, definitions_of_text
from descartes_server.ide.overlay import Overlay
from descartes_server.ide.syntax import parse
from support.cursor import cursor
from support.shapes import FILES

SHAPES = "(in-package :shapes)\n"


def types_at(fixture: str) -> list[str]:
    index = WorkspaceIndex()
    for name, text in FILES.items():
        index.update(name, text)
    text, offset = cursor(SHAPES + fixture)
    syntax = parse(text)
    overlay = Overlay(index, {"this": definitions_of_text(syntax)})
    symbol = syntax.symbol_at(offset)
    assert symbol is not None
    return [each.text for each in type_definition.types_at(overlay, syntax, symbol)]


@pytest.mark.parametrize(
    ("fixture", "expected"),
    [
        ("(defun f (x) (declare (type circle x)) $0x)", ["circle"]),
        ("(defun f (x y) (declare (circle y x)) $0x)", ["circle"]),
        ("(defun f (x) (declare ((or null circle (vector len)) x)) $0x)", ["circle", "len", "vector"]),
        ("(defun f (x) (declare (ignorable x) (type (member circle) x)) $0x)", []),
        ("(defun f (x) (check-type x circle) $0x)", ["circle"]),
        ("(defun f ($0x) (let ((x 1)) (declare (circle x)) x))", []),
        ("(defmethod f ((x circle) y) (list $0x))", ["circle"]),
        ("(defmethod f ((x CIRCLE) y) (list x $0y))", []),
        ("(defmethod f ((x (eql circle))) $0x)", []),
        ("(defmethod f (a &optional (x (make-instance 'circle))) $0x)", ["circle"]),
        ("(defmethod f :around ((é😀 shapes::square)) (list é😀$0))", ["shapes::square"]),
        ("(let ((x (make-instance 'circle :radius 1))) $0x)", ["circle"]),
        ("(let* ((x (make-point :x 1))) (pt-x $0x))", ["point"]),
        ("(let ((x (new-3d 1))) $0x)", ["point-3d"]),
        ("(let ((x (make-point-3d))) $0x)", []),
        ("(let ((x (the circle (f)))) $0x)", ["circle"]),
        ("(let ((x (make-instance class))) $0x)", []),
        ("(let ((x y)) $0x)", []),
        ("(handler-case (f) (bad-shape (e) (print $0e)))", ["bad-shape"]),
        ("(restart-case (f) (bad-shape (e) (print $0e)))", []),
        ("(loop for x = (make-instance 'circle) do (f $0x))", ["circle"]),
        ("(defun f (s) (with-slots (side) s $0side))", ["len"]),
        ("(defmethod f ((s square)) (with-slots ((é side)) s $0é))", ["len"]),
        ("(defmethod f ((s circle)) (with-slots (side) s $0side))", ["len"]),
        ("(defun f (s) (with-accessors ((r radius)) s $0r))", ["number"]),
        ("(f (radi$0us s))", ["number"]),
        ("(mapcar #'radi$0us s)", ["number"]),
        ("(pt-$0x p)", ["len"]),
        ("(slot-value s 'si$0de)", ["len"]),
        ("(make-instance 'tiny-square :si$0de 1)", ["len"]),
        ("(make-instance 'circle :si$0de 1)", []),
        ("(error 'worse-shape :o$0f s)", ["shape"]),
        ("(make-point :$0x 1)", ["len"]),
        ("(f :si$0de 1)", []),
        ("(defclass c () ((o$0wn :type circle)))", ["circle"]),
        ("(defclass c () ((own :type circle :accessor own$0er)))", ["circle"]),
        ("(defclass c () ((own :initarg :o$0wn :type circle)))", ["circle"]),
        ("(defclass c () ((own :type circle :initform (f :own ow$0n))))", []),
        ("(defstruct (c) (ow$0n nil :type circle))", ["circle"]),
        ("(defun f (x) (declare (type circle x)) ($0x 1))", []),
        ("(defun f (x) (declare (type circle x", ["circle"]),
        ("(defun f (x) (declare (type circle x)) $0x", ["circle"]),
    ],
)
def test_types(fixture: str, expected: list[str]) -> None:
    assert types_at(fixture if "$0" in fixture else fixture + "$0") == expected


@pytest.mark.parametrize(
    ("specifier", "expected"),
    [
        ("foo", ["foo"]),
        ("(or null FOO |Bar|)", ["FOO", "|Bar|"]),
        ("(and foo (not (satisfies p)) (integer 0 9))", ["foo", "integer"]),
        ("(matrix foo)", ["foo", "matrix"]),
        ("'foo", ["foo"]),
        ("(or (or", []),
        ("", []),
        (")(", []),
        ("(" * 3000, []),
    ],
)
def test_specifiers(specifier: str, expected: list[str]) -> None:
    assert [each.text for each in type_names.in_specifier(specifier, "cl-user")] == expected


def test_the_first_value_of_a_variable() -> None:
    text = SHAPES + "(progn (defvar *a* (make-instance 'circle)) (defvar *b*) (defparameter *c* (f)))"
    syntax = parse(text)
    overlay = Overlay(WorkspaceIndex(), {"this": definitions_of_text(syntax)})
    found = {
        each.name: [one.text for one in type_definition.of_first_value(overlay, syntax, each.start)]
        for name in ("*a*", "*b*", "*C*")
        for each in type_definition.variables(overlay, name, "shapes")
    }
    assert found == {"*a*": ["circle"], "*b*": [], "*c*": []}
