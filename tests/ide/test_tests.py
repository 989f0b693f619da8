"""Tests and systems as the text defines them."""

from __future__ import annotations

import pytest

from descartes_server.ide.syntax import parse
from descartes_server.ide.systems import systems_in
from descartes_server.ide.test_marks import TestState, marks, state_of
from descartes_server.ide.tests import find_tests, innermost


def found(text: str, *used: str) -> list[tuple[str, str, str | None]]:
    return [(each.name, each.framework, each.suite) for each in find_tests(parse(text), used)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(5am:test one)", [("common-lisp-user::one", "fiveam", None)]),
        ("(in-package :a)\n(it.bese.fiveam:def-test one ())", [("a::one", "fiveam", None)]),
        ("(use fiveam ) (def-suite s) (in-suite s) (test one)", [("common-lisp-user::one", "fiveam", "s")]),
        ("(5am:test (one :suite s) 1)", [("common-lisp-user::one", "fiveam", "s")]),
        ("(5am:def-test one (:suite s))", [("common-lisp-user::one", "fiveam", "s")]),
        ("(5am:test b:one) (5am:test |Mixed|)", [
            ("b::one", "fiveam", None), ("common-lisp-user::|Mixed|", "fiveam", None),
        ]),
        ("(test one)", []),
        ("(parachute:define-test one :parent p)", [("common-lisp-user::one", "parachute", "p")]),
        ('(define-test (p one)) (define-test "text")', [
            ("common-lisp-user::one", "parachute", "p"), ("common-lisp-user::|text|", "parachute", None),
        ]),
        ("(deftest one (testing 1))", [("common-lisp-user::one", "rove", None)]),
        ("(:use :fiasco) (deftest one ())", [("common-lisp-user::one", "fiasco", None)]),
        ("(progn (eval-when (:execute) (rove:deftest one)))", [("common-lisp-user::one", "rove", None)]),
        ("; (5am:test one)\n#| (5am:test two) |#\n'(5am:test three)\n\"(5am:test four)\"", []),
        ("(other:test one) (rove:test two) (5am:test) (5am:test (", []),
    ],
)  # fmt: skip
def test_tests_in_a_text(text: str, expected: list[tuple[str, str, str | None]]) -> None:
    assert found(text) == expected


def test_what_the_system_uses_tells_the_framework() -> None:
    assert found("(test one)", "fiveam") == [("common-lisp-user::one", "fiveam", None)]
    assert found("(define-test one)", "lisp-unit2")[0][1] == "lisp-unit2"
    assert found("(deftest one)", "parachute") == []


def test_a_result_counts_as_long_as_the_form_is_what_was_run() -> None:
    text = "(in-package :a)\n(5am:test one (is 1))\n(5am:test two (is 2))\n"
    one, two = find_tests(parse(text))
    states = {
        one.name: TestState("failed", "bad", "/a.lisp", one.digest),
        two.name: TestState("passed", "", "/a.lisp", two.digest),
    }
    (mark,) = marks((one, two), states)
    assert (text[mark.start : mark.end], mark.message, mark.severity) == ("one", "bad", "error")
    (moved, *_) = find_tests(parse("\n;; moved\n" + text))
    assert state_of(moved, states) is not None
    (edited, *_) = find_tests(parse(text.replace("(is 1)", "(is 3)")))
    assert state_of(edited, states) is None
    assert innermost((one, two), text.index("is 2")) is two
    assert innermost((one, two), 0) is None


def test_systems_in_a_definition() -> None:
    text = """
    (in-package :asdf-user)
    #+sbcl
    (progn (asdf:defsystem #:app
      :pathname "src/" :depends-on (:alexandria (:version "fiveam" "1") (:feature :sbcl "sb-posix"))
      :components ((:module "core" :components ((:file "a") (:file "b" :pathname "other/c")))
                   (:file "main" :depends-on ("core")) (:static-file "README"))
      :in-order-to ((test-op (test-op "app/tests" "more")))))
    (defsystem "app/tests" :perform (test-op (o c) (run)))
    (defsystem "app/all" :class :package-inferred-system)
    (defsystem) (defsystem (computed)) (defsystem "unclosed" :components ((:file "x"
    """
    app, tests, everything, unclosed = systems_in(text)
    assert (app.name, app.depends_on) == ("app", ("alexandria", "fiveam", "sb-posix"))
    assert app.files == ("src/core/a.lisp", "src/core/other/c.lisp", "src/main.lisp")
    assert app.tested_by == ("app/tests", "more") and app.frameworks == ("fiveam",)
    assert tests.performs_tests and tests.has_tests and not tests.files
    assert everything.inferred and not everything.has_tests
    assert unclosed.name == "unclosed"
    assert text[app.name_start : app.name_end] == "#:app"
