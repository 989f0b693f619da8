"""A function made of a form: it gets what it needs, and is refused where it would mean something else."""

from __future__ import annotations

import pytest

from descartes_server.ide import extracting
from descartes_server.ide.edits import applied
from descartes_server.ide.syntax import parse


def extracted(text: str, taken: str = "") -> str | None:
    """Return TEXT, where the signs § enclose a form and are taken out, with that as a function."""
    start, end = text.index("§"), text.rindex("§") - 1
    text = text.replace("§", "")
    edits = extracting.function(
        parse(text), start, end, lambda name: {"slot", "function"} if name == taken else ()
    )
    return applied(text, edits) if edits is not None else None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "(defun f (a)\n§(progn\n  (g a)\n\n  (h a))§)",
            "(defun extracted (a)\n  (progn\n    (g a)\n\n    (h a)))\n\n(defun f (a)\n(extracted a))",
        ),
        (
            "(defun area (w h)\n  (list w §(* w h 2)§))\n",
            "(defun extracted (w h)\n  (* w h 2))\n\n(defun area (w h)\n  (list w (extracted w h)))\n",
        ),
        (
            ";; About it.\n(defun f (x)\n  §(print \"a\n b\")\n  (let ((y *all*))\n    (g y x 'z))§)",
            "(defun extracted (x)\n  (print \"a\n b\")\n  (let ((y *all*))\n    (g y x 'z)))\n\n"
            ";; About it.\n(defun f (x)\n  (extracted x))",
        ),
        (
            "(defun f (list)\r\n  (mapcar (lambda (é😀)\r\n            § (when é😀\r\n"
            "               (g é😀 list)) §)\r\n          list))",
            "(defun extracted (é😀 list)\r\n  (when é😀\r\n    (g é😀 list)))\r\n\r\n"
            "(defun f (list)\r\n  (mapcar (lambda (é😀)\r\n             (extracted é😀 list) )\r\n"
            "          list))",
        ),
        (
            "(defmethod m ((it thing) &key (size 1))\n  §(incf (slot it) size)§)",
            "(defun extracted (it size)\n  (incf (slot it) size))\n\n"
            "(defmethod m ((it thing) &key (size 1))\n  (extracted it size))",
        ),
        (
            "(defvar *x* 1)\n\n(defun f ()\n  (if a §(g)§ 2))",
            "(defvar *x* 1)\n\n(defun extracted ()\n  (g))\n\n(defun f ()\n  (if a (extracted) 2))",
        ),
    ],
)  # fmt: skip
def test_a_form_becomes_a_function_of_what_it_needs(before: str, after: str) -> None:
    assert extracted(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "(defun f (x) (setf §x§ 1))",
        "(defun f (x) §(setf x 1)§ x)",
        "(defun f (x) §(push 1 x)§ x)",
        "(defun f (a b) §(multiple-value-setq (a b) (g))§)",
        "(defun f (x) §(return-from f x)§)",
        "(flet ((g (x) x)) §(g 1)§)",
        "(defmacro m (x) `(list §(car ,x)§))",
        "(defun f () '(a §(b c)§))",
        "(let (§(a 1)§) a)",
        "§(defun f () 1)§",
        "(defun f () (g §1 2§))",
        "(defun f () (g §(a) (b)§))",
        "(cond §((a) 1) ((b) 2)§)",
        "(defun f () §(a) (b§))",
        "(defun f () §  §)",
        "(defun f () §(a)",
        "§§",
        "(defun f (x) §(declare (type fixnum x))§ x)",
        "(defmethod m (x) §(call-next-method)§)",
        "#(1 §(a)§)",
        "(defmacro m () §(compute)§)",
        "(defun f (x) (check-type x §(or null string)§))",
        "(defclass a () ((b :type §(or null string)§)))",
        "(defmethod m ((x §(eql 1)§)) x)",
        "(for-each (thing things) §(print thing)§)",
        "(defun f (var) (assert (g var) §(var)§))",
        "(defgeneric g (x) (:method ((x §(eql 1)§)) x))",
        "(defun f (x) (acond (x 1) §(t 2)§))",
        "(my-binding (list) §(car list)§)",
    ],
)
def test_what_works_only_in_its_place_stays_there(text: str) -> None:
    text = text if text.count("§") == 2 else f"{text}§"
    assert extracted(text, taken="thing") is None


def test_what_is_set_inside_alone_is_no_hindrance_and_a_name_that_is_taken_is_not_given() -> None:
    assert extracted("(defun f (x) §(let ((y x)) (incf y) (setf (car y) x))§)", taken="extracted") == (
        "(defun extracted-2 (x)\n  (let ((y x)) (incf y) (setf (car y) x)))\n\n(defun f (x) (extracted-2 x))"
    )
