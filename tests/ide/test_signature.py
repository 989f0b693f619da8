"""Signatures: the parameter at the cursor is marked."""

from __future__ import annotations

import pytest

from descartes_server.ide import signature
from descartes_server.ide.syntax import parse
from support.cursor import cursor


def check(fixture: str, arglist: str, expected: str | None) -> None:
    """EXPECTED: the label with the active parameter in `«»`, None where there is no call."""
    text, offset = cursor(fixture)
    place = signature.at(parse(text), offset)
    if expected is None:
        assert place is None
        return
    assert place is not None
    shown = signature.render(place.operator, arglist, place)
    label = shown.label
    if shown.active is not None:
        start, end = shown.parameters[shown.active]
        label = f"{label[:start]}«{label[start:end]}»{label[end:]}"
    assert label == expected


@pytest.mark.parametrize(
    ("fixture", "arglist", "expected"),
    [
        ("(f $0)", "(a b)", "(f «a» b)"),
        ("(f 1 $0)", "(a b)", "(f a «b»)"),
        ("(f 1 2$0)", "(a b)", "(f a «b»)"),
        ("(f 1 2 $0)", "(a b)", "(f a b)"),
        ("(f$0 1)", "(a b)", "(f a b)"),
        ("(f $0)", "()", "(f)"),
        ("(f 1 $0)", "(a &optional (b 1 b-p) c)", "(f a &optional «(b 1 b-p)» c)"),
        ("(f 1 2 3 $0)", "(a &rest more)", "(f a &rest «more»)"),
        ("(f 1 :c $0)", "(a &key (b 1) c)", "(f a &key (b 1) «c»)"),
        ("(f 1 :c 2 :b$0)", "(a &key (b 1) c)", "(f a &key «(b 1)» c)"),
        ("(f 1 :d $0)", "(a &key ((:d x) 1) c)", "(f a &key «((:d x) 1)» c)"),
        ("(f 1 $0)", "(a &key b)", "(f a &key b)"),
        ("(f 1 :z $0)", "(a &rest r &key b)", "(f a &rest «r» &key b)"),
        ("(m x (foo) $0)", "(name &body body)", "(m name &body «body»)"),
        ("(with-w (a $0) b)", "((stream path &rest o) &body b)", "(with-w (stream «path» &rest o) &body b)"),
        ("(with-w (a) $0)", "((stream path) &body body)", "(with-w (stream path) &body «body»)"),
        ("(f (g 1 $0", "(a b)", "(g a «b»)"),
        ("(f #+sbcl 1 $0)", "(a b)", "(f a «b»)"),
        ("(f 1 2$0)", "(&whole w a &environment e b)", "(f &whole w a &environment e «b»)"),
        ('(f "te$0xt" 1)', "(control b)", "(f «control» b)"),
        ("(f 1 ; note$0", "(a)", None),
        ("$0(f 1)", "(a)", None),
        ("'(f $0)", "(a)", None),
        ("(é😀€ 1 $0)", "(ä b)", "(é😀€ ä «b»)"),
    ],
)
def test_the_active_parameter(fixture: str, arglist: str, expected: str | None) -> None:
    check(fixture, arglist, expected)
