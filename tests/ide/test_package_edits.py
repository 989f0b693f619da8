"""Exporting and importing: the package's definition as a person would have changed it."""

from __future__ import annotations

import pytest

from descartes_server.ide import package_edits
from descartes_server.ide.edits import applied
from descartes_server.ide.index import WorkspaceIndex
from descartes_server.ide.roles import symbol_of
from descartes_server.ide.syntax import SymbolToken, Syntax, parse


def toggled(text: str, package: str, symbol: str) -> str | None:
    """Return TEXT after SYMBOL was exported from PACKAGE, or taken back."""
    found = package_edits.toggled(parse(text), package, symbol)
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
        ("(defmethod bar:f§eed ())", None),
        ("(defun feed () §(print 1))", None),
        ("(defpackage #:z§oo)", None),
        ("(defclass a () ((sl§ot)))", None),
    ],
)
def test_the_definition_whose_name_is_pointed_at(text: str, symbol: str | None) -> None:
    found = package_edits.defined_at(parse(text.replace("§", "")), text.index("§"))
    assert (symbol_of(found.name) if found else None) == symbol


def imported(text: str, written: str) -> str | None:
    """Return TEXT after the symbol WRITTEN was imported into ZOO."""
    edit = package_edits.imported(parse(text), "ZOO", SymbolToken(written, 0, len(written)))
    return applied(text, [edit]) if edit else None


@pytest.mark.parametrize(
    ("before", "written", "after"),
    [
        (f"{ZOO}\n  (:use #:cl))", "bar:Sip", f"{ZOO}\n  (:use #:cl)\n  (:import-from #:bar #:sip))"),
        (
            "(defpackage :zoo\n  (:use :cl)\n  (:export :a))",
            "bar::sip",
            "(defpackage :zoo\n  (:use :cl)\n  (:import-from :bar :sip)\n  (:export :a))",
        ),
        (f"{ZOO} (:import-from #:bar #:eat))", "BAR:sip", f"{ZOO} (:import-from #:bar #:eat #:sip))"),
        (
            f"{ZOO}\n  (:import-from :bar\n                :eat))",
            "bar:sip",
            f"{ZOO}\n  (:import-from :bar\n                :eat\n                :sip))",
        ),
        ('(defpackage "ZOO")', "bar:sip", '(defpackage "ZOO"\n  (:import-from "BAR" "SIP"))'),
        (
            f"{ZOO} (:local-nicknames (#:b #:big.bar)))",
            "b:sip",
            f"{ZOO} (:local-nicknames (#:b #:big.bar))\n  (:import-from #:big.bar #:sip))",
        ),
        (f"{ZOO} (:import-from #:bar #:sip))", "bar:sip", None),
        ("(defpackage #:other)", "bar:sip", None),
    ],
)
def test_a_symbol_is_imported(before: str, written: str, after: str | None) -> None:
    assert imported(before, written) == after


def test_an_imported_symbol_is_written_without_its_package_where_that_means_the_same() -> None:
    index = WorkspaceIndex()
    index.update("zoo.lisp", "(in-package :zoo)\n(defun eat ())\n")
    text = '(in-package :zoo)\n(bar:sip \'BAR:sip "bar:sip" bar::sip)\n(in-package :x)\n(bar:sip)\n'
    syntax = parse(text)

    def shorter(syntax: Syntax, at: str) -> str | None:
        symbol = syntax.symbol_at(syntax.text.index(at) + 1)
        assert symbol and package_edits.is_qualified(symbol)
        edits = package_edits.unqualified(syntax, symbol, index)
        return applied(syntax.text, edits) if edits else None

    assert shorter(syntax, "bar:sip") == text.replace("(bar:sip 'BAR:sip", "(sip 'sip")
    assert shorter(parse("(in-package :zoo)(let ((sip 1)) (bar:sip sip))"), "bar:sip") is None
    assert shorter(parse("(in-package :zoo)(bar:eat)"), "bar:eat") is None
    assert shorter(parse("(in-package :zoo)(bar:list)"), "bar:list") is None


@pytest.mark.parametrize("text", ["sip", ":sip", "#:sip", "cl:car", "keyword:sip"])
def test_what_has_no_package_of_its_own_is_not_imported(text: str) -> None:
    assert not package_edits.is_qualified(SymbolToken(text, 0, len(text)))
