"""Faults of parentheses, strings and comments: found where they begin, and nothing after them is lost."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from descartes_server.ide.symbols import document_symbols
from descartes_server.ide.syntax import parse
from support.cursor import carets


def check(text: str, expected: str) -> None:
    found = parse(text).problems
    assert carets(text, [(problem.start, problem.end, problem.code) for problem in found]) == expected


def test_a_missing_parenthesis_is_found_by_indentation() -> None:
    check(
        "(defun a (x)\n  (let ((y 1)\n    (foo y)))\n\n(defun b () 1)",
        snapshot("""\
(defun a (x)
  (let ((y 1)
       ^^^ unclosed
    (foo y)))

(defun b () 1)\
"""),
    )


def test_a_missing_parenthesis_at_the_end() -> None:
    check(
        "(defun a (x)\n  (foo x)\n\n(defun b () 1)",
        snapshot("""\
(defun a (x)
^^^^^^ unclosed
  (foo x)

(defun b () 1)\
"""),
    )


def test_an_extra_parenthesis() -> None:
    check(
        "(defun a ()))\n(defun b ())",
        snapshot("""\
(defun a ()))
            ^ extra-close
(defun b ())\
"""),
    )


def test_a_string_without_end() -> None:
    check(
        '(defun a ()\n  (foo "bar))\n\n(defun b () "doc" 1)\n(defun c () "d")',
        snapshot("""\
(defun a ()
  (foo "bar))
       ^^^^^^ unterminated-string

(defun b () "doc" 1)
(defun c () "d")\
"""),
    )


def test_a_comment_without_end() -> None:
    check(
        "#| about\n\n(defun b ())",
        snapshot("""\
#| about
^^^^^^^^ unterminated-comment

(defun b ())\
"""),
    )


def test_a_symbol_without_end() -> None:
    check(
        "(list |foo)\n\n(defun b ())",
        snapshot("""\
(list |foo)
      ^^^^^ unterminated-symbol

(defun b ())\
"""),
    )


@pytest.mark.parametrize(
    "broken",
    [
        "(defun broken (x)\n  (let ((y 1)\n    y))\n",
        "(defun broken ()\n  (foo\n",
        "(defun broken () (((\n",
        '(defun broken ()\n  "doc\n',
        '(defun broken () (format t "~a))\n',
        "(defun broken () (|foo))\n",
        "(defun broken () #\\\n",
        "(defun broken () ))))\n",
        "(eval-when (:compile-toplevel)\n  (foo)\n",
        "#| open\n",
    ],
)
def test_a_broken_form_does_not_swallow_the_next_ones(broken: str) -> None:
    after = '(defun b (x)\n  "Doc; (parens: and."\n  (car x))\n\n(defvar *c* 1)\n\n(defmethod d ((e t)) e)\n'
    syntax = parse(f"(defun a () 1)\n{broken}\n{after}")
    names = [form.name for form in syntax.forms if form.kind != "form"]
    assert names[0] == "a"
    assert names[-3:] == ["b", "*c*", "d"]
    assert len(names) <= 5
    assert syntax.problems


def test_two_faults_that_cancel_out_leave_the_forms_between_them_alone() -> None:
    text = "(defun a ()\n  (foo\n\n(defun b () 1)\n\n(defun c () 1)\n\n(defun d () 1)))\n"
    assert [form.name for form in parse(text).forms] == ["a", "b", "c", "d"]
    assert [problem.code for problem in parse(text).problems] == ["unclosed", "extra-close", "extra-close"]


def test_a_broken_definition_inside_another_form_does_not_hide_its_siblings() -> None:
    text = "(with-upgradability ()\n  (defun a ()\n    (foo\n\n  (defun b () 1))\n\n(defun c () 1)\n"
    assert [symbol.name for symbol in document_symbols(parse(text))] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "text",
    [
        r"(list #\( #\) #\" #\; #\| #\Space '|(| \( a\)b)",
        "(a #| ( #| nested ) |# ( |# b)",
        "#+sbcl (a) #-(or ccl (and x y)) (b) #+#.(foo) (c)",
        '(a . b) `(,a ,@b ,.c) #\'d #.(e) #(1 2) #2A((1)(2)) #S(f :g 1) #C(1 2) #p"x" #1=(a #1#) #*101 #xFF',
        '(defun f ()\n  "text\n(defun in a string"\n  1)',
        "(defmacro m ()\n  `(progn\n(defun g ())))",
        "(eval-when (:execute)\n(defun g ())\n(defun h ())\n)",
        "(defun f ()\n(let ((x 1))\nx))",
        "#!/usr/bin/sbcl --script\n(print 1)",
        "(a)\r\n(b\r\n c)\r\n",
        ':a b 1 "c" \'d',
        "",
    ],
)
def test_sound_text_has_no_problem(text: str) -> None:
    assert parse(text).problems == ()
