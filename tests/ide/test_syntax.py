"""What stands at an offset: forms, symbols, calls, bindings, packages."""

from __future__ import annotations

import pytest

from descartes_server.ide.syntax import Scope, parse
from support.cursor import cursor


def check_form(fixture: str, scope: Scope, expected: str | None) -> None:
    text, offset = cursor(fixture)
    span = parse(text).form_at(offset, scope)
    assert (text[span.start : span.end] if span else None) == expected


def check_symbol(fixture: str, expected: str | None) -> None:
    text, offset = cursor(fixture)
    symbol = parse(text).symbol_at(offset)
    assert (symbol.text if symbol else None) == expected
    assert symbol is None or text[symbol.start : symbol.end] == symbol.text


def check_call(fixture: str, expected: str | None) -> None:
    text, offset = cursor(fixture)
    call = parse(text).call_at(offset)
    assert (f"{call.operator} {call.argument_index}" if call else None) == expected
    assert call is None or text[call.start] == "("


def check_bindings(fixture: str, expected: str) -> None:
    """EXPECTED: names, the innermost first; a local function is marked `()`, a local macro `{}`."""
    text, offset = cursor(fixture)
    bindings = parse(text).bindings_at(offset)
    marks = {"function": "()", "macro": "{}"}
    assert " ".join(item.name + marks.get(item.kind, "") for item in bindings) == expected
    assert all(text[item.start : item.end] == item.name for item in bindings)


@pytest.mark.parametrize(
    ("fixture", "expected"),
    [
        ("(car $0lst)", "lst"),
        ("(car lst$0)", "lst"),
        ("($0car lst)", "car"),
        ("(alexandria:if-$0let (x))", "alexandria:if-let"),
        ("(sb-ext::$0foo)", "sb-ext::foo"),
        ("(a |two wor$0ds| b)", "|two words|"),
        ("(a :ke$0y)", ":key"),
        ("#'ca$0r", "car"),
        ("#:un$0interned", "#:uninterned"),
        ("'fo$0o", "foo"),
        ("(é😀€ na$0me)", "name"),
        ("; comm$0ent", None),
        ('"str$0ing"', None),
        (r"(#\Spa$0ce)", None),
        ("(+ 12$034 1)", None),
        ("(1+$0 x)", "1+"),
        ("", None),
    ][:-1],
)
def test_the_symbol_at_the_cursor(fixture: str, expected: str | None) -> None:
    check_symbol(fixture, expected)


@pytest.mark.parametrize(
    ("fixture", "scope", "expected"),
    [
        ("(a (b c)$0 d)", "last", "(b c)"),
        ("(a (b c) $0d)", "last", "(b c)"),
        ("(a 'foo$0)", "last", "'foo"),
        ("(a #'foo $0)", "last", "#'foo"),
        ('(a "s" $0)', "last", '"s"'),
        ("(a)\n'(b)\n$0", "last", "'(b)"),
        ("(a) 42$0", "last", "42"),
        ("(defun a () (b$0 c))\n(d)", "toplevel", "(defun a () (b c))"),
        ("(a) $0; end of its line\n(d)", "toplevel", "(a)"),
        ("(a)\n\n;; about d$0\n(d)", "toplevel", "(d)"),
        ("(a)\n\n$0", "toplevel", "(a)"),
        ("#+sbcl\n(defun x ()$0)", "toplevel", "(defun x ())"),
        ("(a (b $0c) d)", "enclosing", "(b c)"),
        ("$0(a)", "enclosing", "(a)"),
        ("(let ((x $01))\n  (foo", "enclosing", "(x 1)"),
        ("$0", "last", None),
        ("; only a comment$0", "enclosing", None),
    ],
)
def test_the_form_at_the_cursor(fixture: str, scope: Scope, expected: str | None) -> None:
    check_form(fixture, scope, expected)


@pytest.mark.parametrize(
    ("fixture", "expected"),
    [
        ("(foo $0)", "foo 0"),
        ("(foo 1 $0)", "foo 1"),
        ("(foo 1 2$0)", "foo 1"),
        ("(f$0oo 1)", "foo -1"),
        ("(foo 1 (bar $0", "bar 0"),
        ("(let ((x $0)) y)", "let 0"),
        ("(let ((x (car $0))) y)", "car 0"),
        ("(cond ((null $0)))", "null 0"),
        ("(cond ($0))", "cond 0"),
        ("(case x (1 (foo $0)))", "foo 0"),
        ("(defun f (a $0) b)", "defun 1"),
        ("(flet ((g (x) (h $0))))", "h 0"),
        ("(with-open-file (s $0))", "with-open-file 0"),
        ("(handler-case (f) (error (e) (g $0)))", "g 0"),
        ("(foo #+sbcl 1 $0)", "foo 1"),
        ("(foo '(bar $0))", None),
        ("`(foo $0)", "foo 0"),
        ("(loop for x in (list $0))", "list 0"),
        ("$0(foo)", None),
        ("(defclass c () ((slot :initform (make $0))))", "make 0"),
    ],
)
def test_the_call_around_the_cursor(fixture: str, expected: str | None) -> None:
    check_call(fixture, expected)


@pytest.mark.parametrize(
    ("fixture", "expected"),
    [
        ("(defun f (a &optional (b a b-p) &key ((:c d) 1) &aux e) $0)", "e b-p b d a"),
        ("(defun f (a &optional (b $0)))", "a"),
        ("(defmacro m (&whole w (a (b c)) &body d) $0)", "w a b c d"),
        ("(defmethod m :around ((a t) (b (eql 1)) c) $0)", "a b c"),
        ("(defun f (a) $0)\n(defun g (b) b)", "a"),
        ("(let ((a 1) (b $0)))", ""),
        ("(let ((a 1) (b 2)) $0)", "b a"),
        ("(let* ((a 1) (b $0)))", "a"),
        ("(let ((a 1)) (let ((a 2)) $0))", "a"),
        ("(lambda (x y) $0)", "y x"),
        ("(flet ((f (x) $0)) y)", "x"),
        ("(flet ((f (x) x)) $0)", "f()"),
        ("(labels ((f (x) $0)) y)", "x f()"),
        ("(macrolet ((m (x) x)) $0)", "m{}"),
        ("(do ((i 0 (1+ $0))) ((> i 3)))", "i"),
        ("(dolist (x list) $0)", "x"),
        ("(dotimes (i 3) $0)", "i"),
        ("(destructuring-bind (a (b . c)) list $0)", "a b c"),
        ("(multiple-value-bind (a b) (f $0) a)", ""),
        ("(multiple-value-bind (a b) (f) $0)", "b a"),
        ("(with-slots (a (b c)) x $0)", "b a"),
        ("(with-accessors ((a acc)) x $0)", "a"),
        ("(with-open-file (s path) $0)", "s"),
        ("(handler-case (f) (error (e) $0))", "e"),
        ("(loop for (a . b) in x with c = 1 and d = 2 collect a into e do $0)", "e d c b a"),
        ("(when-let ((a 1)) $0)", "a"),
        ("(let ((a 1)) (foo $0", "a"),
        ("(é😀€ (let ((ä 1)) $0))", "ä"),
    ],
)
def test_the_lexical_names_at_the_cursor(fixture: str, expected: str) -> None:
    text, offset = cursor(fixture)
    found = parse(text).bindings_at(offset)
    marks = {"function": "()", "macro": "{}"}
    assert sorted(item.name + marks.get(item.kind, "") for item in found) == sorted(expected.split())
    assert all(text[item.start : item.end] == item.name for item in found)


def test_the_innermost_binding_comes_first() -> None:
    check_bindings("(let ((x 1)) (flet ((f (y) y)) (lambda (z) $0)))", "z f() x")


@pytest.mark.parametrize(
    ("fixture", "expected"),
    [
        ("$0(in-package :a)", "COMMON-LISP-USER"),
        ("(in-package :a) $0", ":a"),
        ('(in-package "B")\n(x)\n(in-package #:c) (y $0)', "#:c"),
        ('(in-package "B")\n(x $0)\n(in-package #:c)', '"B"'),
        ("(cl:in-package |odd name|) $0", "|odd name|"),
        ("; (in-package :a)\n#|(in-package :b)|# $0", "COMMON-LISP-USER"),
    ],
)
def test_the_package_at_the_cursor(fixture: str, expected: str) -> None:
    text, offset = cursor(fixture)
    assert parse(text).package_at(offset) == expected


def test_forms_know_their_operator_name_and_package() -> None:
    text = "(in-package :p)\n(defun (setf x) (v) v)\n#+sbcl (defvar *y* 1)\n(print 1)"
    forms = [(form.operator, form.name, form.kind, form.detail, form.package) for form in parse(text).forms]
    assert forms == [
        ("in-package", "p", "form", "", "COMMON-LISP-USER"),
        ("defun", "(setf x)", "setf", "(v)", ":p"),
        ("defvar", "*y*", "variable", "", ":p"),
        ("print", "", "form", "", ":p"),
    ]
