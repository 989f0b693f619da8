"""What a selection grows to."""

from __future__ import annotations

import pytest

from descartes_server.ide.selection import LIMIT, selections
from descartes_server.ide.syntax import parse


def grown(marked: str) -> list[str]:
    """Return the texts selected one after the other at the sign §, without the whole text at the end."""
    offset, text = marked.index("§"), marked.replace("§", "")
    found = [text[span.start : span.end] for span in selections(parse(text), offset)]
    assert found[-1] == text
    return found[:-1]


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (
            "(f (x) (g #'§foo x))\n",
            ["foo", "#'foo", "g #'foo x", "(g #'foo x)", "f (x) (g #'foo x)", "(f (x) (g #'foo x))"],
        ),
        ("(f '(a §)) ", ["a ", "(a )", "'(a )", "f '(a )", "(f '(a ))"]),
        ("(f `(a ,@§b)) ", ["b", ",@b", "a ,@b", "(a ,@b)", "`(a ,@b)", "f `(a ,@b)", "(f `(a ,@b))"]),
        ("(f ''p::|A§b|) ", ["p::|Ab|", "'p::|Ab|", "''p::|Ab|", "f ''p::|Ab|", "(f ''p::|Ab|)"]),
        ("(f #(1 §2)) ", ["2", "1 2", "(1 2)", "#(1 2)", "f #(1 2)", "(f #(1 2))"]),
        ("(f #+sbcl §a b) ", ["a", "#+sbcl a", "f #+sbcl a b", "(f #+sbcl a b)"]),
        ("(f (§)) ", ["()", "f ()", "(f ())"]),
        ("(f §(a) b) ", ["(a)", "f (a) b", "(f (a) b)"]),
        ("(f (a)§ b) ", ["(a)", "f (a) b", "(f (a) b)"]),
        ("(f a§(b)) ", ["a", "f a(b)", "(f a(b))"]),
        ("'fo§o\n", ["foo", "'foo"]),
        ("#+sbcl '(§a) ", ["a", "(a)", "'(a)", "#+sbcl '(a)"]),
    ],
)
def test_a_word_grows_to_its_form_and_the_lists_around_it(text: str, steps: list[str]) -> None:
    assert grown(text) == steps


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ('(f "é😀 so§me, text") ', ["some", "é😀 some, text", '"é😀 some, text"']),
        ('(f #P"a§.b") ', ["a", "a.b", '"a.b"', '#P"a.b"']),
        ('(f "" §"a b") ', ['"a b"']),
        ("(f\r\n ; one\r\n ;; t§wo 2\r\n x) ", ["two", "two 2", ";; two 2", "; one\r\n ;; two 2"]),
        ("(f #| a #| b§ |# |#) ", ["b", " a #| b |# ", "#| a #| b |# |#"]),
        ("(f x ; o§ne\n ; two\n) ", ["one", "; one"]),
    ],
)
def test_within_strings_and_comments_words_and_contents_come_first(text: str, steps: list[str]) -> None:
    assert grown(text)[: len(steps)] == steps
    assert grown(text)[len(steps)].startswith("f") and grown(text)[-1].startswith("(f")


def test_a_top_level_form_takes_the_comment_right_before_it() -> None:
    text = "(a) ; of a\n;; é😀\r\n\r\n;; one\r\n;; two\r\n(§b)\r\n;; after\n"
    assert grown(text) == ["b", "(b)", ";; one\r\n;; two\r\n(b)"]
    assert grown("(a) ; of a\n(§b)") == ["b", "(b)"]
    assert grown(";; o§ne\n#+x\n(b)\n") == ["one", ";; one", ";; one\n#+x\n(b)"]
    assert grown(";; o§ne\n\n(b)\n") == ["one", ";; one"]


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("(f (g §h\n\n", ["h", "g h", "(g h", "f (g h", "(f (g h"]),
        ("(f (g h)\n §", ["f (g h)\n "]),
        ("(defun a (x\n§\n(defun b ())", ["x\n", "(x\n", "defun a (x\n", "(defun a (x\n"]),
        ('(f "a §b', ["b", "a b", '"a b', 'f "a b']),
        ("(f) )§) x", []),
        ("(f)\n§\n(g)", []),
        ("(f)\n§", []),
        ("§", []),
        (" § ", []),
    ],
)
def test_any_place_of_any_text_has_an_answer(text: str, steps: list[str]) -> None:
    assert grown(text)[: len(steps)] == steps
    assert steps or grown(text) == []


def test_steps_are_bounded_and_the_outermost_are_kept() -> None:
    text = ";; deep\n" + "(" * 1000 + "§x" + ")" * 1000 + "\n"
    found = grown(text)
    assert LIMIT - 10 < len(found) < LIMIT
    assert (found[0], found[1]) == ("x", "(x)")
    assert found[-2:] == ["(" * 1000 + "x" + ")" * 1000, ";; deep\n" + "(" * 1000 + "x" + ")" * 1000]
