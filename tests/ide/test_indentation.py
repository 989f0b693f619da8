"""Indentation: what is typed without any comes out as programmers write it, and good code stays as it is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_server.ide import indentation, white_space
from descartes_server.ide.indent_rules import Bodies
from descartes_server.ide.index import WorkspaceIndex
from descartes_server.ide.lexer import lexemes
from descartes_server.ide.syntax import parse


def indented(text: str, bodies: Bodies | None = None, chosen: list[range] | None = None) -> str:
    """Return TEXT as it is after indenting."""
    for line in reversed(indentation.lines(parse(text), bodies or {}, chosen)):
        text = text[: line.start] + " " * line.column + text[line.end :]
    return text


def flat(text: str) -> str:
    """Return TEXT with its lines beginning where nobody has them."""
    return re.sub(r"\n[ \t]+", "\n" + " " * 60, text)


WRITTEN = {
    "a call below its first argument": """
(list (first x)
      (second x)
      :key (third x)
      y)""",
    "a call with nothing beside its operator": """
(list
 (first x)
 y)""",
    "a definition": """
(defun area (shape
             &optional (factor 1))
  "The area."
  (declare (type shape shape))
  (* factor
     (width shape)))""",
    "a definition with its parts on lines of their own": """
(defun area
    (shape)
  (width shape))""",
    "bindings and a body": """
(let ((a 1)
      (b (list 2
               3))
      (c
        4))
  (declare (ignorable a))
  (print b)
  (print c))""",
    "local functions": """
(labels ((even (n)
           (or (zerop n)
               (odd (1- n))))
         (odd (n)
           "Odd."
           (even (1- n))))
  (even 4))""",
    "clauses": """
(cond ((null x)
       (print x)
       1)
      (t
       2))""",
    "cases": """
(ecase kind
  ((:a :b)
   (one)
   (two))
  (:c
   (three)))""",
    "handlers": """
(handler-case (read-line in)
  (end-of-file (problem)
    (print problem)
    nil)
  (:no-error (line end)
    (list line end)))""",
    "values bound": """
(multiple-value-bind (quotient rest)
    (floor a b)
  (list quotient
        rest))""",
    "a protected form": """
(unwind-protect
     (work)
  (clean)
  (leave))""",
    "an if": """
(if (plusp n)
    (one)
    (two))""",
    "a class": """
(defclass circle (shape)
  ((radius :initarg :radius
           :reader radius)
   (when :initform
         nil))
  (:documentation "Round.")
  (:default-initargs
   :radius 1))""",
    "a method with a qualifier": """
(defmethod (setf area) :around ((new real)
                                (shape circle))
  (when (plusp new)
    (call-next-method)))""",
    "a generic function": """
(defgeneric area (shape)
  (:documentation "How big.")
  (:method ((shape circle))
    (* pi
       (radius shape))))""",
    "a structure": """
(defstruct (point (:constructor point (x
                                       y)))
  (x 0 :type fixnum)
  y)""",
    "a package": """
(defpackage #:zoo
  (:use #:cl
        #:alexandria)
  (:export
   #:feed
   #:sleep))""",
    "a do loop": """
(do ((i 0 (1+ i))
     (j 9))
    ((= i 10)
     j)
  (print i)
  (print j))""",
    "a loop": """
(loop for x in list
      for y = (car x)
      when y
      collect (list x
                    y)
      finally (return x))""",
    "a loop with forms": """
(loop while (more)
      do (print 1)
         (print 2)
      collect 3)""",
    "a tagbody": """
(tagbody
 start
   (work)
   (go start)
 end)""",
    "quoted data": """
(setf *table* '((:a 1)
                (:b 2
                 3)
                #(1 2
                  3)))""",
    "a template": """
(defmacro twice (form)
  `(let ((value ,form))
     (list value
           ,@(mapcar (lambda (x)
                       x)
                     '(1 2)))))""",
    "bindings that are computed": """
`(let ,(mapcar (lambda (name)
                 name)
               names)
   1)""",
    "a function quoted": """
(mapcar #'(lambda (x)
            (print x)
            x)
        list)""",
    "alternatives": """
(defun f (x)
  #+sbcl (one
          x)
  #-sbcl
  (two)
  x)""",
    "alternatives of one argument": """
(define-condition broken
    #+sbcl (sb-int:simple-reader-error)
    #-sbcl (simple-error)
  ()
  (:report "Broken."))""",
    "a macro that is called like one": """
(with-window (window
              :width 1)
  (draw window))""",
    "a definition by a macro of one's own": """
(deftest adding
  (is (= 3
         (+ 1 2))))""",
    "words around": """
(progn
  ;; a comment
  (one) ; and another
  #| not
touched |#
  "nor
this"
  #\\(
  |a b|
  (two))""",
    "a parenthesis alone": """
(let ((a 1))
  (one
   a)
  )""",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_has_no_indentation_gets_the_usual_one(name: str) -> None:
    assert indented(flat(WRITTEN[name])) == WRITTEN[name]
    assert indented(WRITTEN[name]) == WRITTEN[name]


KEPT = {
    "branches of an if two columns in": "(if x\n  1\n  2)",
    "an unknown macro with a body": "(my-when x\n  (one)\n  (two))",
    "an unknown function": "(my-list x\n         1)",
    "a value below its keyword": "(make-thing :name\n              (long)\n            :size 1)",
    "keywords below each other": "(open-it stream :direction :output\n                :if-exists :error)",
    "pairs of setf": "(setf (car x)\n        1\n      (cdr x)\n        2)",
    "clauses of loop near its parenthesis": "(loop for x in y\n  do (print x)\n  collect x)",
    "a clause below its condition": "(loop for x in y\n      when x\n        collect x)",
    "loop alone on its line": "(loop\n  for x in y\n  do (print x))",
    "a body beside its macro": "(progn (one)\n       (two))",
    "key parameters on their own": "(defun f (a &key b\n                 c)\n  a)",
    "tabs": "(let ((abc (list 1\n\t\t 2)))\n  abc)",
    "a form that stands further right as a whole": "   (when x\n     (one))",
    "commented code": "(progn\n;; (one)\n  (two))",
    "a comment far to the right": "(list a\n                     ; of these\n      b)",
    "three semicolons": "(progn\n;;; chapter\n  (one))",
}


@pytest.mark.parametrize("name", KEPT)
def test_good_code_is_left_alone(name: str) -> None:
    wanted = KEPT[name].removeprefix("   ").replace("\n   ", "\n") if "further" in name else KEPT[name]
    assert indented(KEPT[name]) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "(defun f (x\n (when x\n1)",
        "(one))\n(two\n3)\n".replace("\n3)\n", "\n      3\n"),
        '(one "never\n   closed\n(two\n',
        "",
        "\n\n",
        ";; nothing\n   ; else\n",
        "one\ntwo\n",
    ],
)
def test_what_is_not_closed_is_left_alone(text: str) -> None:
    assert indented(text) == text


def test_what_is_moved_keeps_its_shape() -> None:
    before = "(progn\n        (my-macro x\n          (one)\n              'odd))"
    assert indented(before) == "(progn\n  (my-macro x\n    (one)\n    'odd))"


def test_a_macro_s_body_is_known() -> None:
    text = "(on-each (x list)\n (one)\n (two))\n(zoo:add a\n b)\n"
    assert indented(text, {"on-each": 1, "add": None}) == (
        "(on-each (x list)\n  (one)\n  (two))\n(zoo:add a\n         b)\n"
    )
    late = "(mapping x\n y\n (one)\n (two))"
    assert indented(late, {"mapping": 2}) == "(mapping x\n    y\n  (one)\n  (two))"
    # What was found out for one state of knowledge is not given for another.
    syntax = parse("(on-each x\n         (one))")
    assert indentation.lines(syntax, {"on-each": None}) == []
    assert [line.column for line in indentation.lines(syntax, {"on-each": 0})] == []
    assert [line.column for line in indentation.lines(syntax, {"on-each": 1})] == [2]


def test_what_is_known_comes_from_the_image_or_the_workspace() -> None:
    index = WorkspaceIndex()
    index.update(
        "a.lisp",
        "(in-package :zoo)\n(defmacro on-each ((var list) &body body) body)\n"
        "(defmacro plain (&rest forms) forms)\n(defun add (a b) a)\n(defclass thing () ())\n",
    )
    names = ["on-each", "zoo:plain", "add", "thing", "asked", "ZOO::called"]
    assert indentation.known(names, index, ":zoo", {"asked": 2, "ZOO::called": -1}) == {
        "on-each": 1,
        "add": None,
        "asked": 2,
        "called": None,
    }
    syntax = parse("(let ((x (foo:bar))) (Baz x) '(quux) (:key) (list 1) (#:gone))")
    assert indentation.operators(syntax) == {"foo:bar", "Baz", "quux", "x"}


def test_only_the_chosen_lines_change_and_the_others_count_as_they_are() -> None:
    text = "(progn\n (one\n 1)\n (two\n 2))\n(three\n4)\n"
    assert indented(text, chosen=[range(2, 3)]) == "(progn\n (one\n  1)\n (two\n 2))\n(three\n4)\n"
    assert indented(text, chosen=[range(1), range(6, 7)]) == text.replace("\n4)", "\n 4)")
    assert indented("(one\n(two", chosen=[range(9)]) == "(one\n(two"
    assert indented("(one\n (two\n", chosen=[range(9)]) == "(one\n (two\n"


@pytest.mark.parametrize(
    ("before", "column"),
    [
        ("", 0),
        ("(defun f (x)\n", 2),
        ("(defun f (x\n", 10),
        ("(let ((a 1)\n", 6),
        ("(let ((a 1))\n", 2),
        ("(list 1\n", 6),
        ("(list\n", 1),
        ("(if a\n", 4),
        ("(cond ((null x)\n", 7),
        ("(when x\n    (one)\n", 4),
        ('(print "a\n', None),
        ("(print #| a\n", None),
        ("(one) ; said\n", 0),
        ("(defun f (x)\n  (let ((y x))\n    (on-each y\n", 6),
    ],
)
def test_a_new_line_begins_where_the_next_datum_belongs(before: str, column: int | None) -> None:
    for after in ("", ")))", "\n(defun other ())\n"):
        if column is not None or '"' not in before:
            assert indentation.column_at(parse(before + after), len(before), {"on-each": 1}) == column


WORDS = """( ) ' ` , ,@ #' #+ #- #( " ; let defun loop for do x :k 1 #\\( | #| |# cond if é😀"""
words = st.sampled_from([*WORDS.split(), "\n", "\t", "\r\n"])


@given(st.lists(words, max_size=40).map(" ".join))
def test_only_white_space_at_the_beginning_of_lines_changes(text: str) -> None:
    after = indented(text)
    assert [text[start:end] for _, start, end in lexemes(text)] == [
        after[start:end] for _, start, end in lexemes(after)
    ]
    assert [line.lstrip(" \t") for line in after.split("\n")] == [
        line.lstrip(" \t") for line in text.split("\n")
    ]
    assert indented(after) == after


def tidied(text: str, wanted: white_space.Wanted) -> str:
    for edit in reversed(list(white_space.edits(parse(text), wanted))):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def test_white_space_at_ends_goes_where_the_editor_wants_that() -> None:
    text = '(a  \n "b  \n c"\t\n #\\  \n |d \n| ; e  \n  \n)  \r\n\r\n\r\n'
    assert tidied(text, white_space.Wanted()) == text
    assert tidied(text, white_space.Wanted(trailing=True)) == (
        '(a\n "b  \n c"\n #\\ \n |d \n| ; e\n\n)\r\n\r\n\r\n'
    )
    assert tidied(text, white_space.Wanted(final_newlines=True)).endswith(")  \r\n")
    assert tidied("(a)", white_space.Wanted(final_newline=True)) == "(a)\n"
    assert tidied('"a\n\n\n', white_space.Wanted(final_newlines=True, final_newline=True)) == '"a\n\n\n'
    assert tidied("", white_space.Wanted(True, True, True)) == ""
