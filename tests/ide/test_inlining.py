"""A variable replaced by its value, a call by its function's body; refused where that would mean another."""

from __future__ import annotations

import pytest

from descartes_server.ide import inlining, inlining_calls
from descartes_server.ide.edits import applied
from descartes_server.ide.syntax import parse

KINDS = {
    "foo": ("function",),
    "bar": ("generic",),
    "m": ("macro",),
    "counter": ("variable",),
    "+c+": ("constant",),
}


def variable(text: str) -> str | None:
    """Return TEXT after the variable behind the sign § has been inlined."""
    offset = text.index("§")
    text = text.replace("§", "")
    edit = inlining.variable(parse(text), offset, lambda name: KINDS.get(name, ()))
    return applied(text, [edit]) if edit is not None else None


def call(text: str, other: str | None = None) -> str | None:
    """Return TEXT after the call whose name is behind the sign § has been inlined; OTHER has its function."""
    offset = text.index("§")
    text = text.replace("§", "")
    syntax = parse(text)
    symbol = syntax.symbol_at(offset)
    if symbol is None or not inlining_calls.is_call(syntax, symbol):
        return None
    edit = inlining_calls.call(syntax, symbol, parse(other) if other is not None else syntax)
    return applied(text, [edit]) if edit is not None else None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("(defun f (a)\n  (let ((§x (* a 2)))\n    (list x 1)))", "(defun f (a)\n  (list (* a 2) 1))"),
        ("(defun f (a)\n  (let ((x (* a 2)))\n    (list 1 §x)))", "(defun f (a)\n  (list 1 (* a 2)))"),
        (
            "(defun f (a)\n  (let ((§x 5) (y 6))\n    (print y)\n    (list x y x)))",
            "(defun f (a)\n  (let ((y 6))\n    (print y)\n    (list 5 y 5)))",
        ),
        (
            "(defun f (a)\n  (let ((y 6)\n        (§x 'é😀))\n    (list x y x)))",
            "(defun f (a)\n  (let ((y 6))\n    (list 'é😀 y 'é😀)))",
        ),
        ("(let ((§x :a))\n  (print x)\n  (list x))", "(progn\n  (print :a)\n  (list :a))"),
        (
            "(defun f (a)\n  (let* ((§x (foo a)) (z (bar x)))\n    (print z)))",
            "(defun f (a)\n  (let* ((z (bar (foo a))))\n    (print z)))",
        ),
        (
            "(defun f (a)\r\n  (let ((§x a))\r\n    (let ((b \"1\r\n 2\"))\r\n      (list x b))))",
            "(defun f (a)\r\n  (let ((b \"1\r\n 2\"))\r\n    (list a b)))",
        ),
        ("(defun f (a)\n  (let ((§x a)) (lambda () (list x x))))", "(defun f (a)\n  (lambda () (list a a)))"),
        (
            "(defun f (a)\n  (let ((§x (lambda (u) (list u a))))\n    (mapcar x a)))",
            "(defun f (a)\n  (mapcar (lambda (u) (list u a)) a))",
        ),
        (
            "(defun f (a)\n  (let ((§x (foo a)))\n    (cond (x 1)\n          (t 2))))",
            "(defun f (a)\n  (cond ((foo a) 1)\n        (t 2)))",
        ),
        ("(let ((§x +c+)) `(a ,x))", "`(a ,+c+)"),
        ("(let ((§x #'foo)) (mapcar x (foo x)))", "(mapcar #'foo (foo #'foo))"),
        (
            "(let ((§x 3) (y (foo)))\n  (declare (ignore y))\n  x)",
            "(let ((y (foo)))\n  (declare (ignore y))\n  3)",
        ),
        (
            "(let ((§x 3))\n  (declare (special *y*))\n  (list *y* x))",
            "(locally\n  (declare (special *y*))\n  (list *y* 3))",
        ),
        (
            "(let ((§x (foo ; why\n          1))) ; not\n  (print x)\n  (bar))",
            "(progn ; not\n  (print (foo ; why\n          1))\n  (bar))",
        ),
        # A variable has one value, whatever its form returns.
        ("(let ((§x (foo a)))\n  x)", "(values (foo a))"),
        ("(let ((§x (+ a 1)))\n  x)", "(+ a 1)"),
        ("(let ((§x (floor a 2))) (return-from f x))", "(return-from f (values (floor a 2)))"),
    ],
)  # fmt: skip
def test_the_value_of_a_variable_takes_its_place(before: str, after: str) -> None:
    assert variable(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "(let ((§x (foo a))) (list x x))",
        "(let ((§x (foo a))) (list (print 1) x))",
        "(let ((§x (foo a)) (y (bar))) (list x y))",
        "(let ((§x (foo a))) (print 1) (list x))",
        "(let ((§x (foo a))) (lambda () x))",
        "(let ((§x (foo a))) (dotimes (i 3) (print x)))",
        "(let ((§x (foo a))) (handler-case x (error () 1)))",
        "(let ((§x (foo a))) (let ((*a* 1)) (list x)))",
        "(let ((§x (foo a))) (let ((counter 1)) (list x)))",
        "(let ((§x (foo a))) (let (*a*) (list x)))",
        "(let ((§x (foo a))) (if a x 2))",
        "(let ((§x *a*)) (bar) (list x))",
        "(let ((§x 1)) (setf x 2) x)",
        "(let ((§x 1)) (incf (getf x :a)) x)",
        "(let ((§x 1)) (m x))",
        "(let ((§x 1)) (unknown:maxf x))",
        "(let ((§x 1)) (declare (fixnum x)) x)",
        "(defun f (a) (let ((§x a)) (let ((a 2)) (list x a))))",
        "(defun f (a) (let ((§x a)) (setf a 3) (list x)))",
        "(defun f (a) (let ((§x (list a))) (flet ((list (y) y)) (car x))))",
        "(let ((§x 1) ; why\n      (y 2)) (list x y))",
        "(let ((§x 1)) ; why\n  (list x))",
        "(let ((§x ; why\n       1)) (list x))",
        "(let #| why |# ((§x 1)) (list x) (bar))",
        "(let ((§x (foo ; why\n           1 #| so |#)) #| y |# (y 2)) (list x y))",
        "(let ((§x 1)) nil)",
        "(let (§x) (list x))",
        "(let (§(x 1)) (list x))",
        "(let ((§*x* 1)) (list *x*))",
        "(let ((§counter 1)) (list counter))",
        "(defun f (§x) (list x))",
        "(let ((§x 1)) (symbol-macrolet ((y x)) (setf y 2)))",
        "(let (#+sbcl (§x 1)) (list x))",
        "`(let ((§x 1)) (list x))",
        "(let ((§x 1)) (list x)",
        "(let ((§x (foo))) `(a ,x))",
        "(dolist (i list) (let ((§x i)) (push (lambda () x) all)))",
        "§",
    ],
)
def test_a_variable_stays_where_its_value_would_mean_something_else(text: str) -> None:
    assert variable(text) is None


SQUARE = '(defun square (x)\n  "Documentation"\n  (* x x))\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            SQUARE + "(defun f (x)\n  (list (§square (+ x 1)) 2))",
            SQUARE + "(defun f (x)\n  (list (let ((x (+ x 1)))\n          (* x x)) 2))",
        ),
        (
            "(defun g (x y)\n  (when x\n    (return-from g y))\n  (h))\n(defun f ()\n  (§g (a\n       b) 2))",
            "(defun g (x y)\n  (when x\n    (return-from g y))\n  (h))\n(defun f ()\n"
            "  (let ((x (a\n             b))\n        (y 2))\n"
            "    (block g\n      (when x\n        (return-from g y))\n      (h))))",
        ),
        (
            "(defun g ()\r\n  (print \"a\r\n b\")\r\n  (h))\r\n(defun f () (list (§g)))",
            "(defun g ()\r\n  (print \"a\r\n b\")\r\n  (h))\r\n"
            "(defun f () (list (progn\r\n                    (print \"a\r\n b\")\r\n"
            "                    (h))))",
        ),
        ("(defun g () (h))\n(defun f () (list (§g)))", "(defun g () (h))\n(defun f () (list (h)))"),
        (
            "(defun g (x) (declare (fixnum x)) x)\n(defun f () (§g 1))",
            "(defun g (x) (declare (fixnum x)) x)\n"
            "(defun f () (let ((x 1))\n              (declare (fixnum x)) x))",
        ),
    ],
)  # fmt: skip
def test_the_body_of_a_function_takes_the_place_of_a_call(before: str, after: str) -> None:
    assert call(before) == after


def test_the_function_of_the_package_is_meant() -> None:
    text = "(in-package :a)\n(defun g () 1)\n(in-package :b)\n(defun g () 2)\n(defun f () (list (§g)))"
    assert call(text) == text.replace("(§g)", "2")


def test_the_function_may_be_in_another_file_of_the_package() -> None:
    here, there = "(in-package :zoo)\n(defun f () (list (§g)))", '(in-package "ZOO")\n(defun g () (h))'
    assert call(here, there) == "(in-package :zoo)\n(defun f () (list (h)))"
    assert call(here, "(in-package :bar)\n(defun g () (h))") is None


@pytest.mark.parametrize(
    "text",
    [
        "(defun g (x) (h x))\n(defun f () (flet ((h (x) x)) (§g 1)))",
        "(defun g (x) (list x y))\n(defun f (y) (§g y))",
        "(defun g (x) (h x))\n(defun f () (flet ((g (x) x)) (§g 1)))",
        "(defun g (x &optional y) (h x y))\n(defun f () (§g 1))",
        "(defun g (x) (h x))\n(defun f () (§g 1 2))",
        "(defun g (x) (h x))\n(defun f () (setf (§g 1) 2))",
        "(defun g (x) (h x))\n(defun f () '(§g 1))",
        "(defun g (x) (h x))\n(defmacro f () (§g 1))",
        "(defun g (x) (h x))\n(defun f () (mapcar #'§g '(1)))",
        "(defun g (x) (h x))\n(defun f (§g) g)",
        "(defun g (x) (declare (fixnum x)) (return-from g x))\n(defun f () (§g 1))",
        "(defmacro g (x) (h x))\n(defun f () (§g 1))",
        "(defun g (x) (h x))\n(defun f () (§g ; why\n 1))",
        "(defun g (x) (h x))\n(in-package :other)\n(defun f () (§g 1))",
        "(defun g (x))\n(defun f () (§g 1))",
        "(defun g (#+sbcl x) (h x))\n(defun f () (§g 1))",
        "(defun g (x) (h x)\n(defun f () (§g 1))",
        "(defun f () (§g 1))",
    ],
)
def test_a_call_stays_where_the_body_would_mean_something_else(text: str) -> None:
    assert call(text) is None
