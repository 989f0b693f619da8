"""When an input of a REPL is whole."""

from __future__ import annotations

import pytest

from descartes_server.ide.complete_input import open_parts


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("(+ 1 2)", 0),
        ("car", 0),
        ("(let ((a 1))", 1),
        ("(let ((a 1)", 2),
        ("(list 1))", 0),
        ("(list 1)) (list", 1),
        ('"one', 1),
        ('(princ "one\n(two', 2),
        ('(princ "a (b" #\\( #\\")', 0),
        ("; a comment (", 0),
        ("(list 1 ; )\n", 1),
        ("#| one (", 1),
        ("#| one #| two |# (", 1),
        ("#| one |# 1", 0),
        ("'", 1),
        ("(list '", 2),
        ("#'", 1),
        ("|odd (name|", 0),
        ("|odd", 1),
        ("#v3:1", 0),
        ('(format t "~a~%" #v1)', 0),
        ("(defun f (x)\n  x)\n(f", 1),
    ],
)
def test_an_input_is_whole_when_nothing_is_open(text: str, count: int) -> None:
    assert open_parts(text) == count
