"""Where things are defined, in characters, on the same two images as in `test_service`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from descartes_swank.image import ImageRecord
from descartes_swank.service import Questions, ServiceQuestions, SwankQuestions
from support.images import Preparation, preparing
from support.stock_swank import StockSwank

USER = "COMMON-LISP-USER"
SOURCE = """;;;; é😀€ a file whose bytes and characters differ
(defpackage :def-demo (:use :cl) (:export #:area))
(in-package :def-demo)

#| (defun plain () ; é😀€ not this one |#
(defun plain (x)
  "é😀€"
  x)
#+no-such-feature (defun plain () 'nor-this)
#-no-such-feature (defun conditional () #\\( ")")
(eval-when (:compile-toplevel :load-toplevel :execute)
  (defun nested () '|odd ( symbol|)
  (defmacro mac (&body body) `(progn ,@body)))
(defgeneric area (shape)
  (:documentation "é😀€")
  (:method ((shape integer)) shape))
(defmethod area :around ((shape t)) (call-next-method))
(defmethod area ((shape string)) 2)
(defmethod area ((shape (eql 'x))) 3)
(defstruct (point (:conc-name pt-)) px py)
(defclass beast () ((legs :accessor beast-legs)))
(define-condition oops (error) ())
(deftype small () '(integer 0 9))
(defvar *v* 1)
(defparameter *p* 2) (defconstant +c+ 3)
(define-symbol-macro sm 4)
(define-compiler-macro plain (&whole form x) (declare (ignore x)) form)
(define-method-combination combine)
(defun (setf plain) (v x) (list v x))
(defsetf short long)
(defmacro define-thing (name) `(defun ,name () :thing))
(define-thing made)
(defmacro define-two (a) `(progn (defun ,(intern (format nil "~a-ONE" a)) () 1)))
(define-two twin)
"""
EXPECTED = {
    "plain": [("function", "(defun plain (x)"), ("compiler-macro", "(define-compiler-macro plain")],
    "conditional": [("function", "(defun conditional ()")],
    "nested": [("function", "(defun nested ()")],
    "mac": [("macro", "(defmacro mac (")],
    "area": [
        ("generic", "(defgeneric area ("),
        ("method", "(:method ((shape integer))"),
        ("method", "(defmethod area :around"),
        ("method", "(defmethod area ((shape string)"),
        ("method", "(defmethod area ((shape (eql"),
    ],
    "point": [("structure", "(defstruct (point")],
    "pt-px": [("function", "(defstruct (point")],
    "beast": [("class", "(defclass beast")],
    "beast-legs": [("method", "(defclass beast")],
    "oops": [("condition", "(define-condition oops")],
    "small": [("type", "(deftype small")],
    "*v*": [("variable", "(defvar *v*")],
    "*p*": [("variable", "(defparameter *p*")],
    "+c+": [("constant", "(defconstant +c+")],
    "sm": [("symbol-macro", "(define-symbol-macro sm")],
    "combine": [("method-combination", "(define-method-combination combine")],
    "(setf plain)": [("function", "(defun (setf plain)")],
    "short": [("setf", "(defsetf short")],
    "made": [("function", "(define-thing made)")],
    "twin-one": [("function", "(define-two twin)")],
    "def-demo": [("package", "(defpackage :def-demo")],
    ":def-demo": [("package", "(defpackage :def-demo")],
    "#:def-demo": [("package", "(defpackage :def-demo")],
    '"DEF-DEMO"': [("package", "(defpackage :def-demo")],
    "nothing-at-all": [],
    "car": [],
}


@pytest.fixture(params=["service", "swank"])
async def asked(
    request: pytest.FixtureRequest, own_image: ImageRecord, stock_image: StockSwank
) -> AsyncIterator[tuple[Questions, Preparation]]:
    if request.param == "service":
        async with preparing(own_image.port, own_image.secret) as prepare:
            questions = await ServiceQuestions.open(own_image.service_socket, deadline_ms=60_000)
            yield questions, prepare
            await questions.close()
    else:
        async with preparing(stock_image.port) as prepare:
            yield SwankQuestions(prepare.connection, 60_000), prepare


async def load(prepare: Preparation, file: Path, how: str) -> None:
    source = f'(load "{file}" :external-format :utf-8)'
    compiled = f'(load (compile-file "{file}" :external-format :utf-8))'
    quiet = "(handler-bind ((warning #'muffle-warning)) (let ((*error-output* (make-broadcast-stream))) {}))"
    assert await prepare.evaluate(quiet.format(compiled if how == "compiled" else source)) == "T"


async def found(questions: Questions, name: str, text: str, file: Path) -> list[tuple[str, str]]:
    """Return kind and text of each definition of NAME; TEXT is what the file says."""
    result = []
    for definition in await questions.definitions(name, "DEF-DEMO"):
        assert definition.file == str(file)
        there = text[definition.offset :]
        assert definition.snippet is not None and there.startswith(definition.snippet)
        result.append((definition.kind, there[:40]))
    return result


def matches(found: list[tuple[str, str]], expected: list[tuple[str, str]]) -> bool:
    """Tell whether FOUND are the definitions of EXPECTED, in whatever order."""
    return len(found) == len(expected) and all(
        any(kind == found_kind and text.startswith(start) for found_kind, text in found)
        for kind, start in expected
    )


@pytest.mark.parametrize("how", ["compiled", "source"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
async def test_all_kinds_in_a_file_with_letters_outside_the_bmp(
    asked: tuple[Questions, Preparation], workspace: Path, how: str, line_end: str
) -> None:
    questions, prepare = asked
    file = workspace / "é 😀.lisp"
    text = SOURCE.replace("\n", line_end)
    file.write_bytes(text.encode())
    await load(prepare, file, how)
    for name, expected in EXPECTED.items():
        assert matches(await found(questions, name, text, file), expected), name


async def test_edits_after_loading_are_followed(
    asked: tuple[Questions, Preparation], workspace: Path
) -> None:
    questions, prepare = asked
    file = workspace / "moved.lisp"
    file.write_text(SOURCE, encoding="utf-8")
    await load(prepare, file, "compiled")
    edited = SOURCE.replace("(in-package", ";; é😀€ one more\n(defun new () 1)\n(in-package")
    file.write_text(edited, encoding="utf-8")
    for name in ("plain", "nested", "area", "(setf plain)", "*p*"):
        assert matches(await found(questions, name, edited, file), EXPECTED[name]), name


async def test_a_form_compiled_from_an_editor(asked: tuple[Questions, Preparation], workspace: Path) -> None:
    questions, prepare = asked
    file = workspace / "buffer.lisp"
    file.write_text(SOURCE, encoding="utf-8")
    await load(prepare, file, "source")
    form = '(defun plain (x)\n  "é😀€"\n  x)'
    position = SOURCE.index(form) + 1
    await prepare.connection.rex(
        f'(swank:compile-string-for-emacs {lisp_string(form)} "buffer.lisp" '
        f"'((:position {position}) (:line 1 1)) {lisp_string(str(file))} nil)",
        package="DEF-DEMO",
    )
    assert matches(await found(questions, "plain", SOURCE, file), EXPECTED["plain"])
    file.write_text("\n\n" + SOURCE, encoding="utf-8")
    assert matches(await found(questions, "plain", "\n\n" + SOURCE, file), EXPECTED["plain"])


async def test_a_form_that_was_not_saved_is_where_it_was_compiled(
    asked: tuple[Questions, Preparation], workspace: Path
) -> None:
    questions, prepare = asked
    file = workspace / "unsaved.lisp"
    file.write_text("; é\n", encoding="utf-8")
    await prepare.connection.rex(
        f'(swank:compile-string-for-emacs "(defun unsaved-😀 () 1) (defun unsaved-2 () 2)" "unsaved.lisp" '
        f"'((:position 101) (:line 1 1)) {lisp_string(str(file))} nil)"
    )
    first = await questions.definitions("unsaved-😀", USER)
    second = await questions.definitions("unsaved-2", USER)
    assert [(each.offset, each.snippet) for each in (*first, *second)] == [
        (100, "(defun unsaved-😀 () 1)"),
        (123, "(defun unsaved-2 () 2)"),
    ]


async def test_a_file_that_is_gone_or_no_text_is_no_error(
    asked: tuple[Questions, Preparation], workspace: Path
) -> None:
    questions, prepare = asked
    file = workspace / "gone.lisp"
    file.write_text("(defun cl-user::gone-soon () 1)", encoding="utf-8")
    await load(prepare, file, "source")
    file.write_bytes(b'\xff\xfe\x00\x80(((("')
    assert [each.kind for each in await questions.definitions("gone-soon", USER)] == ["function"]
    file.unlink()
    assert await questions.definitions("gone-soon", USER) == []


TREE = """(in-package :def-demo)
(defvar *asked* 0)
(defclass watched (standard-class) ())
(defmethod sb-mop:validate-superclass ((class watched) (above standard-class)) t)
(defclass root () ())
(defclass stem (root) () (:metaclass watched))
(defclass leaf (stem) () (:metaclass watched))
(defmethod sb-mop:class-direct-subclasses ((class watched)) (incf *asked*) (call-next-method))
(defmethod sb-mop:class-direct-superclasses ((class watched)) (incf *asked*) (call-next-method))
(define-condition odd (simple-error) ())
(defstruct base a)
(defstruct (derived (:include base)) b)
"""


async def test_classes_above_and_below_are_told_without_a_call_of_the_program(
    asked: tuple[Questions, Preparation], workspace: Path
) -> None:
    questions, prepare = asked
    file = workspace / "tree.lisp"
    file.write_text(f"(defpackage :def-demo (:use :cl))\n{TREE}", encoding="utf-8")
    await load(prepare, file, "source")
    before = await prepare.evaluate("def-demo::*asked*")
    for name, relation, expected in [
        ("root", "subtypes", {"class stem"}),
        ("root", "descendants", {"class stem", "class leaf"}),
        ("stem", "supertypes", {"class root"}),
        ("derived", "supertypes", {"structure base"}),
        ("BASE", "descendants", {"structure derived"}),
        ("odd", "self", {"condition odd"}),
        ("odd", "supertypes", set()),
    ]:
        found = await related(questions, name, relation)
        assert {f"{each['kind']} {each['name']}" for each in found if each.get("file")} == expected, name
        assert all(each["snippet"] for each in found if each.get("file") == str(file))
    assert [each["name"] for each in await related(questions, "odd", "supertypes")] == ["simple-error"]
    assert await related(questions, "cl:car", "self") is None
    assert await related(questions, "not-there-at-all", "self") is None
    assert await prepare.evaluate("def-demo::*asked*") == before


async def related(questions: Questions, name: str, relation: str) -> Any:
    request = {"question": "classes", "name": name, "package": "DEF-DEMO", "relation": relation}
    return await questions.relay(request)


def lisp_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
