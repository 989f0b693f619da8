"""Folds."""

from __future__ import annotations

from inline_snapshot import snapshot

from descartes_server.ide.folding import folding_ranges
from descartes_server.ide.syntax import parse


def check(text: str, expected: str) -> None:
    """EXPECTED: for each fold its first and last line, 0-based, its kind, and the text of the first."""
    lines = text.split("\n")
    for fold in folding_ranges(parse(text)):
        assert 0 <= fold.start_line < fold.end_line < len(lines)
    drawn = [
        f"{fold.start_line}-{fold.end_line} {fold.kind}: {lines[fold.start_line]}"
        for fold in folding_ranges(parse(text))
    ]
    assert "\n".join(drawn) == expected


def test_forms_lists_and_comments() -> None:
    check(
        """\
;;; One
;;; block

(defun a ()
  "Doc
over lines"
  ;; inner
  ;; comment
  (let ((x 1)
        (y 2))
    (list x
          y)))
#| a
   b |#
(one line)
(b) (c
     d)
""",
        snapshot("""\
0-1 comment: ;;; One
3-11 region: (defun a ()
6-7 comment:   ;; inner
8-11 region:   (let ((x 1)
10-11 region:     (list x
12-13 comment: #| a
15-16 region: (b) (c\
"""),
    )


def test_an_unclosed_form_folds_to_its_last_code() -> None:
    check(
        "(defun a ()\n  (foo\n\n\n(defun b ()\n  1)",
        snapshot("""\
0-1 region: (defun a ()
4-5 region: (defun b ()\
"""),
    )


def test_crlf_counts_as_one_line_end() -> None:
    folds = folding_ranges(parse("(a\r\n b)\r\n\r\n(c\r\n d)\r\n"))
    assert [(fold.start_line, fold.end_line) for fold in folds] == [(0, 1), (3, 4)]
