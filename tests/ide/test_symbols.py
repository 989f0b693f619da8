"""The outline."""

from __future__ import annotations

from inline_snapshot import snapshot

from descartes_server.ide.symbols import Symbol, document_symbols
from descartes_server.ide.syntax import parse


def outline(symbols: tuple[Symbol, ...], text: str, depth: int = 0) -> str:
    lines = []
    for symbol in symbols:
        assert symbol.start <= symbol.name_start <= symbol.name_end <= symbol.end
        lines.append(f"{'  ' * depth}{symbol.kind} {symbol.name} {symbol.detail}".rstrip())
        if symbol.children:
            lines.append(outline(symbol.children, text, depth + 1))
    return "\n".join(lines)


def check(text: str, expected: str) -> None:
    assert outline(document_symbols(parse(text)), text) == expected


def test_the_standard_s_definitions() -> None:
    check(
        """\
(in-package :p)
(defun f (a &key (b 1)) a)
(defmacro m (x &body body) x)
(defmethod area :around ((s shape) (n (eql 3)) &optional k) k)
(defmethod (setf x) (v (o c)) v)
(defgeneric area (s) (:documentation "d") (:method ((s t)) 1))
(defvar *v* 1)
(defconstant +c+ 2)
(defclass c (a b) ((s :initarg :s :accessor c-s) t2))
(defstruct (point (:conc-name p-)) "doc" x (y 0 :type fixnum))
(define-condition oops (error) ((why :reader why)))
(deftype small (n) n)
(defpackage #:pack (:use :cl))
(define-compiler-macro f (x) x)
(define-symbol-macro sm 1)
(defsetf g (x) (v) v)
""",
        snapshot("""\
function f (a &key (b 1))
macro m (x &body body)
method area :around ((s shape) (n (eql 3)) &optional k)
method (setf x) (v (o c))
generic area (s)
  method area ((s t))
variable *v*
constant +c+
class c (a b)
  slot s :initarg :s :accessor c-s
  slot t2
structure point
  slot x
  slot y 0 :type fixnum
condition oops (error)
  slot why :reader why
type small (n)
package pack
compiler-macro f (x)
symbol-macro sm
setf g (x)\
"""),
    )


def test_unknown_defining_macros_and_names_of_all_kinds() -> None:
    check(
        """\
(define-my-class |Odd Name| () ())
(asdf:defsystem "sys/tests" :depends-on ())
(sb-alien:define-alien-routine "getpid" int)
(defwidget 'quoted (a b))
(fiveam:test adds (is (= 1 1)))
(DEFUN Upper () 1)
(default-value foo 1)
""",
        snapshot("""\
class |Odd Name| ()
system sys/tests
function getpid
definition quoted (a b)
test adds
function Upper ()\
"""),
    )


def test_definitions_inside_other_forms_stand_in_the_outline() -> None:
    check(
        """\
(eval-when (:compile-toplevel :load-toplevel)
  (defun in-eval-when () 1)
  (progn (defvar *in-progn* 1)))
(let ((counter 0))
  (defun next () (incf counter)))
#+sbcl
(defun conditional () 1)
(with-upgradability ()
  #-sbcl (defun other () 1)
  (defun uiop-like (x) x))
(quote (defun quoted ()))
'(defun also-quoted ())
""",
        snapshot("""\
function in-eval-when ()
variable *in-progn*
function next ()
function conditional ()
function other ()
function uiop-like (x)\
"""),
    )
