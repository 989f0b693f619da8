"""Where a name stands: lexical bindings and global names, in one text."""

from __future__ import annotations

import pytest

from descartes_server.ide import references, scopes
from descartes_server.ide.references import Name
from descartes_server.ide.syntax import parse


def places_of_binding(text: str) -> str:
    """Return TEXT with every place in brackets that means the binding at the sign §, which is taken out."""
    offset = text.index("§")
    text = text.replace("§", "")
    syntax = parse(text)
    symbol = syntax.symbol_at(offset)
    assert symbol is not None
    binding = scopes.binding_of(syntax, symbol)
    found = references.of_binding(syntax, binding) if binding else []
    for each in sorted(found, key=lambda each: -each.start):
        text = f"{text[: each.start]}[{text[each.start : each.end]}]{text[each.end :]}"
    return text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("(defun f (§x) (g x 'x :x))", "(defun f ([x]) (g [x] 'x :x))"),
        ("(defun f (x) (let ((x (car §x))) x))", "(defun f ([x]) (let ((x (car [x]))) x))"),
        ("(defun f (x) (let ((§x (car x))) x))", "(defun f (x) (let (([x] (car x))) [x]))"),
        ("(flet ((a (q) (a q))) (a 1) a #'§a)", "(flet (([a] (q) (a q))) ([a] 1) a #'[a])"),
        ("(labels ((§a (q) (a q))) (a 1))", "(labels (([a] (q) ([a] q))) ([a] 1))"),
        ("(loop for §i in l collect (f i))", "(loop for [i] in l collect (f [i]))"),
        ("(destructuring-bind (a (§b)) l b)", "(destructuring-bind (a ([b])) l [b])"),
        ("(defun f (x) §y)", "(defun f (x) y)"),
        ("(let ((§*s* 1)) *s*)", "(let ((*s* 1)) *s*)"),
        ("(defun f (é😀) §é😀)", "(defun f ([é😀]) [é😀])"),
    ],
)
def test_a_lexical_binding(text: str, shown: str) -> None:
    assert places_of_binding(text) == shown


def test_a_global_name_by_its_use() -> None:
    text = "(defun f () 1)\n(defun g (f) (f) #'f 'f f)\n; f\n(h \"f\" (let ((f 1)) f) p:f q::f)\n"
    syntax = parse(text)
    found = references.of_name(syntax, Name("f", frozenset(["P"])))
    assert [(text[each.start : each.end], each.use) for each in found] == [
        ("f", "definition"),
        ("f", "call"),
        ("f", "function"),
        ("f", "other"),
        ("p:f", "other"),
    ]
    assert [syntax.lines.position(each.start) for each in found] == [
        (0, 7),
        (1, 14),
        (1, 19),
        (1, 22),
        (3, 23),
    ]


def test_another_package_has_its_own() -> None:
    syntax = parse("(in-package :a) (f) (in-package :b) (f)")
    found = references.of_name(syntax, Name("f", frozenset(["A"]), frozenset(["B"])))
    assert [each.start for each in found] == [17]
