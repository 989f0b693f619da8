"""Exporting: the package's definition as a person would have changed it."""

from __future__ import annotations

import pytest

from descartes_server.ide import exporting
from descartes_server.ide.renaming import applied
from descartes_server.ide.syntax import parse


def toggled(text: str, package: str, symbol: str) -> str | None:
    """Return TEXT after SYMBOL was exported from PACKAGE, or taken back."""
    found = exporting.toggled(parse(text), package, symbol)
    return applied(text, [found.edit]) if found else None


ZOO = "(defpackage #:zoo"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{ZOO}\n  (:use #:cl))", f"{ZOO}\n  (:use #:cl)\n  (:export #:feed))"),
        ("(defpackage :zoo (:use :cl))", "(defpackage :zoo (:use :cl)\n  (:export :feed))"),
        ('(defpackage "ZOO")', '(defpackage "ZOO"\n  (:export "FEED"))'),
        (f"{ZOO} (:export #:a #:b))", f"{ZOO} (:export #:a #:b #:feed))"),
        (
            f"{ZOO}\n  (:export #:a\n           #:b))",
            f"{ZOO}\n  (:export #:a\n           #:b\n           #:feed))",
        ),
        (f"{ZOO}\n  (:export\n   #:a ; why\n   ))", f"{ZOO}\n  (:export\n   #:a ; why\n   #:feed\n   ))"),
        ('(defpackage zoo (:export "A"))', '(defpackage zoo (:export "A" "FEED"))'),
        ("(define-package #:zoo (:export #:a)\r\n)", "(define-package #:zoo (:export #:a #:feed)\r\n)"),
        (f"(defpackage #:other)\n{ZOO})", f"(defpackage #:other)\n{ZOO}\n  (:export #:feed))"),
        (
            f"{ZOO} (:export #:a) (:use :cl) (:export :b))",
            f"{ZOO} (:export #:a) (:use :cl) (:export :b :feed))",
        ),
    ],
)
def test_a_symbol_is_exported_and_taken_back(before: str, after: str) -> None:
    assert toggled(before, "ZOO", "feed") == after
    assert toggled(after, "ZOO", "FEED") == before


def test_an_empty_list_of_names_is_filled_and_a_comment_takes_nothing_with_it() -> None:
    assert toggled(f"{ZOO} (:export))", "ZOO", "feed") == f"{ZOO} (:export #:feed))"
    assert toggled(f"{ZOO} (:export #:a ; why\n #:feed))", "ZOO", "feed") == f"{ZOO} (:export #:a ; why\n ))"


def test_a_long_line_of_names_goes_on_below_the_first() -> None:
    names = " ".join(f"#:name-{number}" for number in range(10))
    text = f"(defpackage #:zoo\n  (:export {names}))"
    assert toggled(text, "ZOO", "feed") == text[:-2] + "\n           #:feed))"


def test_what_is_no_package_of_the_text_is_not_changed() -> None:
    assert toggled("(defpackage #:other (:export #:feed))", "ZOO", "feed") is None
    assert toggled("(defun f ())", "ZOO", "feed") is None
    assert toggled("(defpackage", "ZOO", "feed") is None


def test_a_name_with_bars_keeps_them() -> None:
    assert (
        toggled("(defpackage #:zoo (:export #:a))", "ZOO", "|Feed|")
        == "(defpackage #:zoo (:export #:a #:|Feed|))"
    )
    assert (
        toggled('(defpackage #:zoo (:export "A"))', "ZOO", "|Feed|")
        == '(defpackage #:zoo (:export "A" "Feed"))'
    )


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("(defun fe§ed ())", "feed"),
        ("(defmethod (setf §area) (new shape))", "area"),
        ("(defvar §*all* 1)", "*all*"),
        ("(progn (defun inner§ ()))", "inner"),
        ("(defun feed () §(print 1))", None),
        ("(defpackage #:z§oo)", None),
        ("(defclass a () ((sl§ot)))", None),
    ],
)
def test_the_definition_whose_name_is_pointed_at(text: str, symbol: str | None) -> None:
    found = exporting.defined_at(parse(text.replace("§", "")), text.index("§"))
    assert (exporting.symbol_of(found.name) if found else None) == symbol
