"""Compiling on a real, stock image: notes at exact places, definitions that are found, stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from descartes_swank import Evaluation
from descartes_swank.compilation import form_end
from descartes_swank.forms import Symbol
from support.session import DEADLINE_S, Session, new_id, session
from support.stock_swank import StockSwank, stock_swank

__all__ = ["stock_swank"]

BEFORE = ";; é😀€ comment\r\n\r\n\t"


@pytest_asyncio.fixture
async def here(stock_swank: StockSwank) -> AsyncIterator[Session]:
    async with session(stock_swank.port) as connected:
        yield connected


async def _compile(here: Session, file: Path, code: str, policy: dict[str, int] | None = None) -> Evaluation:
    """Compile CODE as it stands in FILE behind what `BEFORE` holds."""
    file.write_bytes((BEFORE + code).encode())
    evaluation = await here.lisp.compile_string(
        code, id=new_id(), file=str(file), position=len(BEFORE), package="CL-USER", policy=policy
    )
    async with asyncio.timeout(DEADLINE_S):
        return await evaluation.paused_or_settled()


def _marked(file: Path, evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return the severity and the text that each note of EVALUATION is about."""
    text = file.read_bytes().decode()
    assert all(note.file == str(file) for note in evaluation.notes)
    return [(note.severity, text[note.start : note.end]) for note in evaluation.notes]


@pytest.mark.ledger("D-72")
@pytest.mark.parametrize(
    ("code", "success", "marked"),
    [
        ("(defun c1 (x)\r\n\t;; 😀\r\n\t(+ x undefd))", True, [("warning", "undefd")]),
        ('(defun c2 (x) "undefd é" (list :undefd (nowhere x)))', True, [("style-warning", "nowhere")]),
        ("\n(defun c3 (x y) x)", True, [("style-warning", "y")]),
        ("(defun c4 () (car 1 2))", False, [("warning", "(car 1 2)")]),
        ("(defun c5 (x)\n  (+ x 1)", False, [("read-error", "(defun c5 (x)")]),
        ("(defun c6 (x) x))", False, [("read-error", ")")]),
        ('(defun c7 (x) "é😀" (no-package:foo x))', False, [("read-error", "no-package:foo")]),
        ('(defmacro c8 () (error "é")) (defun c9 () (c8))', False, [("error", "(c8)")]),
        ("(defun c10 (x) (the fixnum x))", True, []),
    ],
)
async def test_notes_are_about_exactly_what_is_wrong(
    here: Session, tmp_path: Path, code: str, success: bool, marked: list[tuple[str, str]]
) -> None:
    file = tmp_path / "a file é.lisp"
    evaluation = await _compile(here, file, code)
    assert (evaluation.state, evaluation.success) == ("done", success)
    assert _marked(file, evaluation) == marked


async def test_messages_say_nothing_of_temporary_files(here: Session, tmp_path: Path) -> None:
    for code in ("(defun broken (", "(list #q)", "(defun undefined-later () (some-function))"):
        evaluation = await _compile(here, tmp_path / "m.lisp", code)
        assert evaluation.notes
        assert all("slime" not in note.message and "Column" not in note.message for note in evaluation.notes)


async def test_references_come_with_the_note(here: Session, tmp_path: Path) -> None:
    evaluation = await _compile(here, tmp_path / "r.lisp", "(defun r (x) (declare (integer x)) (car x))")
    assert any("Handling of Types" in reference for note in evaluation.notes for reference in note.references)


async def test_what_was_compiled_is_there_and_is_found_where_it_stands(here: Session, tmp_path: Path) -> None:
    file = tmp_path / "found é.lisp"
    evaluation = await _compile(here, file, "(progn (defun found-one (x) (* x 7)))")
    assert evaluation.success
    assert (await here.run("(found-one 6)")).values == ["42"]
    ((_, location),) = await here.lisp.connection.rex(
        [Symbol("swank:find-definitions-for-emacs"), "found-one"]
    )
    text = str(location)
    assert str(file) in text
    assert str(len(BEFORE) + 1) in text


async def test_a_policy_shows_all_variables(here: Session, tmp_path: Path) -> None:
    code = '(defun full (a) (let* ((inner (* a 2)) (more inner)) (error "~a" more) (list a inner more)))'
    await _compile(here, tmp_path / "p.lisp", code, {"debug": 3})
    _, stop = await here.stop("(full 4)")
    names = {local.name: local.value for local in (await here.lisp.frame(*stop.id, 0)).locals}
    assert names == {"A": "4", "INNER": "8", "MORE": "8"}
    frame = stop.frames[0]
    assert frame.location is not None
    assert frame.location.offset == len(BEFORE) + code.index("(error")


async def test_output_of_a_compilation_is_the_programs_only(here: Session, tmp_path: Path) -> None:
    evaluation = await _compile(here, tmp_path / "o.lisp", '(defun o (x y) x) (princ "seen")')
    assert evaluation.output == "seen"


async def test_a_stop_while_loading_is_a_stop(here: Session, tmp_path: Path) -> None:
    evaluation = await _compile(here, tmp_path / "s.lisp", '(defvar *never* (error "while loading"))')
    assert evaluation.state == "stopped"
    assert evaluation.condition is not None
    assert evaluation.condition.message == "while loading"
    assert evaluation.stop is not None
    await here.lisp.toplevel(*evaluation.stop)
    assert (await here.settled(evaluation)).state == "aborted"


async def test_a_file_is_compiled_and_loaded_and_leaves_nothing_behind(here: Session, tmp_path: Path) -> None:
    file = tmp_path / "whole é😀.lisp"
    file.write_bytes(";; é😀€\r\n(defun whole (x)\r\n\t(+ x undefd))\r\n(defun whole-two () 2)\r\n".encode())
    compiled = await here.settled(await here.lisp.compile_file(file, id=new_id(), load=False))
    assert _marked(file, compiled) == [("warning", "undefd")]
    assert (await here.run("(fboundp 'whole-two)")).values == ["NIL"]
    file.write_bytes(file.read_bytes().replace(b"undefd", b"1"))
    loaded = await here.settled(await here.lisp.compile_file(file, id=new_id(), load=True))
    assert loaded.success
    assert (await here.run("(whole-two)")).values == ["2"]
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


async def test_an_unbalanced_file_and_one_that_is_not_there(here: Session, tmp_path: Path) -> None:
    file = tmp_path / "open.lisp"
    file.write_text("(defun closed () 1)\n(defun open-one (\n", encoding="utf-8")
    compiled = await here.settled(await here.lisp.compile_file(file, id=new_id(), load=True))
    assert not compiled.success
    assert _marked(file, compiled) == [("read-error", "(defun open-one (")]
    missing = await here.lisp.compile_file(tmp_path / "missing.lisp", id=new_id(), load=True)
    await here.next(missing)
    assert missing.state == "stopped"


async def test_a_source_file_is_loaded(here: Session, tmp_path: Path) -> None:
    file = tmp_path / "plain.lisp"
    file.write_text('(princ "loading") (defun plain () "é")', encoding="utf-8")
    loaded = await here.settled(await here.lisp.load_file(file, id=new_id()))
    assert (loaded.state, loaded.output) == ("done", "loading")
    assert (await here.run("(plain)")).values == ['"é"']


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("(a (b) c) d", "(a (b) c)"),
        ("foo bar", "foo"),
        ('"x \\" ) y" z', '"x \\" ) y"'),
        ("'(a . b) c", "'(a . b)"),
        ("#'foo bar", "#'foo"),
        ("(a #\\( b) c", "(a #\\( b)"),
        ("(a #| ) #| ) |# |# b) c", "(a #| ) #| ) |# |# b)"),
        ("(a ; )\n b) c", "(a ; )\n b)"),
        ("|a ) b| c", "|a ) b|"),
        ("#(1 2) 3", "#(1 2)"),
        ("`(,@a ,b) c", "`(,@a ,b)"),
        ("(never closed", "(never closed"),
        (") x", ")"),
        ("", ""),
    ],
)
def test_the_end_of_a_form(text: str, form: str) -> None:
    assert text[: form_end(text, 0)] == form
