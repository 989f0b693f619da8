"""Renaming: what is bound keeps its meaning, and nothing else changes."""

from __future__ import annotations

import pytest

from descartes_server.ide import references, renaming, scopes
from descartes_server.ide.references import Name
from descartes_server.ide.syntax import parse


def renamed(text: str, new: str) -> str:
    """Return TEXT with what is bound at the sign §, which is taken out, called NEW, or why it is not."""
    offset = text.index("§")
    syntax = parse(text.replace("§", ""))
    symbol = syntax.symbol_at(offset)
    assert symbol is not None
    binding = scopes.binding_of(syntax, symbol)
    assert binding is not None
    edits = renaming.of_binding(syntax, binding, new)
    return edits if isinstance(edits, str) else renaming.applied(syntax.text, edits)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ('(defun f (§x) (g x \'x :x "x")) ; x', '(defun f (new) (g new \'x :x "x")) ; x'),
        ("(defun f (x) (let ((x (car §x))) x))", "(defun f (new) (let ((x (car new))) x))"),
        ("(defun f (x) (let ((§x (car x))) x))", "(defun f (x) (let ((new (car x))) new))"),
        ("(let ((x 1)) (print §x)) x", "(let ((new 1)) (print new)) x"),
        ("(let ((x 1)) (list §x '(a x) (quote x) #(x)))", "(let ((new 1)) (list new '(a x) (quote x) #(x)))"),
        ("(defmacro m (§x) `(let ((x ,x)) (x x)))", "(defmacro m (new) `(let ((x ,new)) (x x)))"),
        ("(defmacro m (x) `(let ((§x ,x)) (x x)))", "(defmacro m (x) `(let ((new ,x)) (x new)))"),
        ("(defmacro m (§x) `(a ',x ,@(f x)))", "(defmacro m (new) `(a ',new ,@(f new)))"),
        ("(labels ((§x (q) (x q))) (x x) #'x)", "(labels ((new (q) (new q))) (new x) #'new)"),
        ("(defun f (&key §x) x)", "(defun f (&key ((:x new))) new)"),
        ("(defun f (&key (§x 1 x-p)) (list x x-p))", "(defun f (&key ((:x new) 1 x-p)) (list new x-p))"),
        ("(defun f (&key (x 1 §x-p)) (list x x-p))", "(defun f (&key (x 1 new)) (list x new))"),
        ("(defun f (&key ((:x §x) 1)) x)", "(defun f (&key ((:x new) 1)) new)"),
        ("(defun f (&key a &aux (§x 1)) x)", "(defun f (&key a &aux (new 1)) new)"),
        ("(flet ((g (&key §x) x)) (g :x 1))", "(flet ((g (&key ((:x new))) new)) (g :x 1))"),
        ("(with-slots (§x y) o (list x y))", "(with-slots ((new x) y) o (list new y))"),
        ("(with-slots ((§x slot)) o x)", "(with-slots ((new slot)) o new)"),
        ("(loop for §x in l collect (f x))", "(loop for new in l collect (f new))"),
        ("(defun f (§X) (declare (fixnum x)) X)", "(defun f (new) (declare (fixnum new)) new)"),
        ("(defun f (a §x) (lambda (b x) x) x)", "(defun f (a new) (lambda (b x) x) new)"),
        (
            "(defun f (§x) (restart-case x (h (a x) (a x))))",
            "(defun f (new) (restart-case new (h (a x) (a x))))",
        ),
        ("(defun x (§x) (return-from x x))", "(defun x (new) (return-from x new))"),
        (
            "(defun f (§x) (declare (type x x)) (the x x))",
            "(defun f (new) (declare (type x new)) (the x new))",
        ),
        (
            "(defun f (§x) (declare (x x)) (check-type x x))",
            "(defun f (new) (declare (x new)) (check-type new x))",
        ),
        ("(defmethod f ((§x x) &optional (y x)) x)", "(defmethod f ((new x) &optional (y new)) new)"),
        ("(defun f (§x) (case x ((y x) x)))", "(defun f (new) (case new ((y x) new)))"),
        ("(defun f (§x) (typecase x ((or x y) x)))", "(defun f (new) (typecase new ((or x y) new)))"),
        ("(defun f (§x) (tagbody x (g x) (go x)))", "(defun f (new) (tagbody x (g new) (go x)))"),
        (
            "(defun f (§x) (typecase x (function (lambda (y) x))))",
            "(defun f (new) (typecase new (function (lambda (y) new))))",
        ),
        (
            "(defmacro m (§x y) `(tagbody ,x ,@y (go ,x)))",
            "(defmacro m (new y) `(tagbody ,new ,@y (go ,new)))",
        ),
        ("(defmacro m (§x) (once-only (x) `(f ,x)))", "(defmacro m (new) (once-only (new) `(f ,new)))"),
        ("(defmacro m (§x) `(case a (,x (the ,x y))))", "(defmacro m (new) `(case a (,new (the ,new y))))"),
        ("(loop for §x in a do (g x)) (loop for x in b)", "(loop for new in a do (g new)) (loop for x in b)"),
        ("(defun f (§é😀) (g é😀))\r\n", "(defun f (new) (g new))\r\n"),
    ],
)
def test_what_is_bound_gets_another_name(text: str, after: str) -> None:
    assert renamed(text, "new") == after


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("(defun f (§x y) (g x y))", "y"),
        ("(defun f (§x) (let ((y 1)) (g x y)))", "y"),
        ("(defun f (y) (let ((§x 1)) (g x y)))", "y"),
        ("(let ((§x 1)) x)", "t"),
        ("(let ((§x 1)) x)", "*special*"),
    ],
)
def test_a_name_that_means_something_else_there_is_refused(text: str, new: str) -> None:
    assert renamed(text, new) == f"{new!r} means something else in this form; choose another name"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "(defun f (§x) (loop for x in x collect x))",
            "loop may bind 'x' again or mean the one around it; rename it by hand",
        ),
        (
            "(defun f (§x) (do ((x x (1+ x))) (x)))",
            "do may bind 'x' again or mean the one around it; rename it by hand",
        ),
        (
            "(let ((§count 0)) (loop for y in l count y))",
            "'count' is a word of LOOP here too; rename it by hand",
        ),
    ],
)
def test_what_cannot_be_told_is_said(text: str, reason: str) -> None:
    assert renamed(text, "new") == reason


def test_a_name_of_a_function_is_no_variable() -> None:
    assert renamed("(defun f (§x) (list x))", "list") == "(defun f (list) (list list))"
    assert renamed("(defun f (§x) (let ((z (g x))) (let ((y 1)) y) z))", "y") == (
        "(defun f (y) (let ((z (g y))) (let ((y 1)) y) z))"
    )


def of_name(text: str) -> list[renaming.Edit]:
    """Return what calls the symbol F of the package P in TEXT new."""
    syntax, name = parse(text), Name("f", frozenset(["P"]))
    return renaming.of_name(syntax, name, references.of_name(syntax, name), "new")


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("(in-package :p) (defun f ()) (f) #'f 'f (p::f) (q:f)", "new ()) (new) #'new 'new (p::new) (q:f)"),
        ("(defpackage #:p (:use #:cl) (:export #:f :f \"F\" #:ff))", "(:export #:new :new \"NEW\" #:ff))"),
        ("(defpackage :q (:use :cl :p) (:export :f))", "(:export :new))"),
        ("(defpackage :q (:import-from :p #:f) (:export :f))", "(:import-from :p #:new) (:export :new))"),
        ("(defpackage :q (:use :cl) (:export :f))", "(:export :f))"),
        ("(defpackage :o (:use :p) (:shadow :f) (:export :f))", "(:shadow :f) (:export :f))"),
        ("(in-package :p) (defmethod (setf f) (v o)) (setf (f o) :f)", "(setf new) (v o)) (setf (new o) :f)"),
    ],
)  # fmt: skip
def test_a_global_name_gets_another_name_behind_any_prefix(text: str, after: str) -> None:
    edits = of_name(text)
    assert renaming.applied(text, edits).endswith(after)


def test_what_another_package_may_have_is_not_certain() -> None:
    text = "(defpackage :q (:use :p) (:export :f)) (in-package :q) (f) (p:f) (in-package :p) (f) '(f)"
    edits = of_name(text)
    assert [each.certain for each in edits] == [True, False, True, True, True]


def test_what_is_a_name() -> None:
    assert all(map(renaming.is_name, ["x", "*x*", "1+", "-", "a.b", "é😀", "x2", "+c+", "e5", "<="]))
    wrong = [
        "",
        " ",
        "a b",
        "p:x",
        ":x",
        "#x",
        "|x|",
        "x'",
        '"x"',
        "1",
        "-1.5",
        "1/2",
        "1e5",
        ".5",
        "..",
        "a;b",
        "x,y",
        "(x)",
    ]
    assert not any(map(renaming.is_name, wrong))


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("(defun f (§x) (g x 'x :x))", ["(defun f (", "(defun f (x) (g "]),
        ("(let ((x 1)) (let ((§x x)) x))", ["(let ((x 1)) (let ((", "(let ((x 1)) (let ((x x)) "]),
        # What would change for callers or is written otherwise is renamed, not typed over.
        ("(defun f (&key §x) x)", []),
        ("(defun f (§x) (list X))", []),
        ("(defun f (§x) (with-my-slots (x) o x))", []),
    ],
)
def test_places_that_mean_one_variable_are_typed_into_together(text: str, places: list[str]) -> None:
    syntax = parse(text.replace("§", ""))
    symbol = syntax.symbol_at(text.index("§"))
    binding = symbol and scopes.binding_of(syntax, symbol)
    assert binding
    assert renaming.linked(syntax, binding) == [(len(each), len(each) + 1) for each in places]
