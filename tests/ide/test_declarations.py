"""Where a name is declared, as far as texts tell."""

from __future__ import annotations

import pytest

from descartes_server.ide import declarations
from descartes_server.ide.index import WorkspaceIndex
from descartes_server.ide.overlay import Overlay
from descartes_server.ide.syntax import parse

PACKAGES = """\
(defpackage #:zoo (:use :cl) (:export #:feed "MADE" "Odd" :*food*))
(defpackage #:guest (:use :zoo) (:EXPORT feed))
(defpackage #:other (:use :cl) (:export #:made #:feed))
"""
ZOO = """\
(in-package :zoo)
(declaim (inline FEED) (ftype (function (t) t) feed (setf feed)) (optimize speed feed))
(eval-when (:compile-toplevel) (proclaim '(special *food*)) (proclaim (list 'special '*food*)))
(declaim (type (or null feed) *food* *other*) (fixnum *count*))
(defun feed (x) (declare (type fixnum feed)) x)
"""
OTHER = "(in-package :other)\n(declaim (notinline feed zoo:feed))\n(defun feed ())\n(declaim (special"
TEXTS = {"packages": PACKAGES, "zoo": ZOO, "other": OTHER}


def shown(text: str, package: str) -> list[str]:
    index = WorkspaceIndex()
    for name, source in TEXTS.items():
        index.update(name, source)
    overlay = Overlay(index, {})
    name = text.rpartition(":")[2]
    base = name if "|" in name else name.lower()
    places = [
        (source, each) for source in TEXTS.values() for each in declarations.declared(parse(source), base)
    ]
    found, exports = declarations.meant(overlay, text, package, [each for _, each in places])
    return [
        f"{each.word} {source[each.name_start : each.name_end]} of {each.package}"
        for source, each in places
        if each in (found or exports)
    ]


@pytest.mark.parametrize(
    ("text", "package", "expected"),
    [
        ("feed", "zoo", ["inline FEED of :zoo", "ftype feed of :zoo", "ftype (setf feed) of :zoo",
                         "notinline zoo:feed of :other"]),
        ("Zoo::Feed", "cl-user", ["inline FEED of :zoo", "ftype feed of :zoo", "ftype (setf feed) of :zoo",
                                  "notinline zoo:feed of :other"]),
        ("feed", "other", ["notinline feed of :other"]),
        ("*food*", "zoo", ["special *food* of :zoo", "type *food* of :zoo"]),
        ("*count*", "zoo", ["fixnum *count* of :zoo"]),
        ("made", "zoo", ["export MADE of #:zoo"]),
        ("made", "guest", ["export MADE of #:zoo"]),
        ("made", "other", ["export made of #:other"]),
        ("zoo:|Odd|", "other", ["export Odd of #:zoo"]),
        ("odd", "zoo", []),
        ("nothing", "zoo", []),
    ],
)  # fmt: skip
def test_declared(text: str, package: str, expected: list[str]) -> None:
    assert shown(text, package) == expected


def test_the_type_of_a_variable() -> None:
    found = [each.type for each in declarations.declared(parse(ZOO), "*food*")]
    assert found == ["", "(or null feed)"]
    assert [each.type for each in declarations.declared(parse(ZOO), "*count*")] == ["fixnum"]
    assert {each.type for each in declarations.declared(parse(ZOO), "feed")} == {""}
