"""What SLIME's own suite expects of a Lisp and its client, as cases against ours.

Each case is named after the test of SLIME 2.32 (`slime-tests.el`, `contrib/test`); words and code are ours.
Those of the debugger are in `test_slime_debugger.py`; what was left out, and why, stands in `SLIME.md`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from descartes_swank import Lisp
from support.session import patient
from support.slime import (
    Ear,
    compiled,
    deepest,
    ear,
    ids,
    lisp,
    soon,
    started,
)
from support.until import until

__all__ = ["ear", "lisp"]


# Finding definitions


@pytest.mark.parametrize(
    ("name", "package", "begins"),
    [
        ("start-server", "SWANK", "(defun start-server "),
        ("swank::start-server", "CL-USER", "(defun start-server "),
        ("swank:start-server", "CL-USER", "(defun start-server "),
        ("swank::connection", "CL-USER", "(defstruct (connection"),
        ("swank::*emacs-connection*", "CL-USER", "(defvar *emacs-connection*"),
    ],
)
async def test_find_definition(lisp: Lisp, name: str, package: str, begins: str) -> None:
    definitions = await patient(lisp.questions()).definitions(name, package)
    places = [(Path(each.file), each.offset) for each in definitions]
    texts = [file.read_text(encoding="utf-8")[offset:] for file, offset in places]
    assert any(text.startswith(begins) for text in texts)
    assert all(file.name == "swank.lisp" for file, _ in places)


NASTY = [
    """#.(prog1 nil (defvar *foobar* 42))

       (defun .foo. (x)
         (+ x #.*foobar*))

       #.(prog1 nil (makunbound '*foobar*))
""",
    """#.(prog1 nil (defvar *foobar* 42))

       ;; some comment
       (defun .foo. (x)
         (+ x #.*foobar*))

       #.(prog1 nil (makunbound '*foobar*))
""",
    """(in-package swank)
 (eval-when (:compile-toplevel) (defparameter *bar* 456))
 (eval-when (:load-toplevel :execute) (makunbound '*bar*))
 (defun bar () #.*bar*)
 (defun .foo. () 123)""",
]


@pytest.mark.parametrize("text", NASTY, ids=["reader", "comment", "eval-when"])
async def test_find_definition_2(lisp: Lisp, tmp_path: Path, text: str) -> None:
    file = tmp_path / "nasty.lisp"
    file.write_text(text)
    await compiled(lisp, text, file=file)
    (definition,) = await patient(lisp.questions()).definitions(".foo.", "SWANK")
    assert definition.file == str(file) and text[definition.offset :].startswith("(defun .foo. ")


async def test_find_definition_3(lisp: Lisp, tmp_path: Path) -> None:
    text = "(progn\n  (defun foo-fun ())\n  (defstruct (foo-struct (:constructor nil) (:predicate nil)))\n)"
    file = tmp_path / "struct.lisp"
    file.write_text(text)
    await compiled(lisp, text, file=file)
    definitions = await patient(lisp.questions()).definitions("swank::foo-struct", "CL-USER")
    assert any(text[each.offset :].startswith("(defstruct (foo-struct") for each in definitions)


# Completion and arglists


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        (
            "cl:compile",
            "cl:compile cl:compile-file cl:compile-file-pathname cl:compiled-function cl:compiled-function-p"
            " cl:compiler-macro cl:compiler-macro-function",
        ),
        ("cl:foobar", ""),
        (
            "swank::compile-file",
            "swank::compile-file swank::compile-file-for-emacs swank::compile-file-if-needed"
            " swank::compile-file-output swank::compile-file-pathname",
        ),
    ],
)
async def test_complete_symbol(lisp: Lisp, prefix: str, expected: str) -> None:
    """Those that begin so; what else may be meant comes after them."""
    labels = [each.label for each in await patient(lisp.questions()).completions(prefix, "CL-USER")]
    beginning = [label for label in labels if label.startswith(prefix)]
    assert set(expected.split()) <= set(beginning) and labels[: len(beginning)] == beginning
    assert bool(labels) == bool(expected)


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("cl:m-v-l", "cl:multiple-value-list cl:multiple-values-limit"),
        ("cl:compile", "cl:compile"),
        ("cl:foobar", ""),
        ("swank::compile-file", "swank::compile-file"),
        ("common-lisp", "common-lisp-user: common-lisp:"),
    ],
)
async def test_complete_symbol_star(lisp: Lisp, prefix: str, expected: str) -> None:
    """Compound completion, of the contrib c-p-c."""
    labels = [each.label for each in await patient(lisp.questions()).completions(prefix, "CL-USER")]
    assert set(expected.split()) <= set(labels)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("swank::operator-arglist", "(swank::operator-arglist name package)"),
        ("swank::compute-backtrace", "(swank::compute-backtrace start end)"),
        ("swank::emacs-connected", "(swank::emacs-connected)"),
        (
            "swank::compile-string-for-emacs",
            "(swank::compile-string-for-emacs string buffer position filename policy)",
        ),
        ("cl:lisp-implementation-type", "(cl:lisp-implementation-type)"),
        ("cl:class-name", "(cl:class-name class)"),
    ],
)
async def test_arglist(lisp: Lisp, name: str, expected: str) -> None:
    arglist = await patient(lisp.questions()).arglist(name, "swank")
    words = str(arglist).lower().strip("()").split()
    assert words[1:] == expected.strip("()").split()[1:]
    assert words[0].rpartition(":")[2] == name.rpartition(":")[2]


# Compiling


PROGRAMS = [
    "(defun cl-user::foo () (cl-user::bar))",
    "(defun cl-user::foo ()\n  #\\space\n  ;;Sdf\n  (cl-user::bar))",
    "(defun cl-user::foo ()\n  #+(or)skipped\n  #| #||#\n    #||# |#\n  (cl-user::bar))",
    '(defun cl-user::foo ()\n  "\\" bla bla \\""\n  (cl-user::bar))',
    "(defun cl-user::foo ()\n  #.*log-events*\n  (cl-user::bar))",
    "#.'(defun x () (/ 1 0))\n(defun foo ()\n   (cl-user::bar))\n\n",
]


@pytest.mark.parametrize("program", PROGRAMS)
async def test_compile_defun(lisp: Lisp, program: str) -> None:
    """The note is at the form that is wrong, whatever the reader does before it."""
    await lisp.eval("(fmakunbound 'cl-user::bar)")
    found = await compiled(lisp, program)
    (note,) = [each for each in found.notes if "bar" in each.message.lower()]
    begin = program.index("(cl-user::bar)")
    assert begin <= note.start < note.end <= begin + len("(cl-user::bar)")


async def test_compile_defun_with_reader_conditionals(lisp: Lisp) -> None:
    program = "(defun foo ()\n  #+#.'(:and) (/ 1 0))"
    found = await compiled(lisp, program)
    assert any(program[note.start :].startswith("(/ 1 0)") for note in found.notes)


async def test_compile_defun_with_backquote(lisp: Lisp) -> None:
    program = (
        "(defun cl-user::foo ()\n  (list `(1 ,(random 10) 2 ,@(make-list (random 10)) 3\n"
        "            ,(cl-user::bar))))"
    )
    await lisp.eval("(fmakunbound 'cl-user::bar)")
    found = await compiled(lisp, program)
    (note,) = [each for each in found.notes if "bar" in each.message.lower()]
    assert "cl-user::bar" in program[note.start : note.end]


async def test_compile_file(lisp: Lisp, tmp_path: Path) -> None:
    file = tmp_path / "slime-tmp-file.lisp"
    file.write_text("(defun foo () nil)\n")
    evaluation = await lisp.compile_file(file, id=f"slime_{next(ids)}", load=False)
    await soon(evaluation.settled())
    assert evaluation.success and evaluation.notes == ()


async def test_utf_8_source(lisp: Lisp, tmp_path: Path) -> None:
    text = "\0おはよう"
    source = f'(defun cl-user::foo () "{text}")'
    shown = f'"{text}"'
    await lisp.eval(source)
    assert (await lisp.eval("(cl-user::foo)")).values == [shown]
    await lisp.eval("(fmakunbound 'cl-user::foo)")
    assert (await compiled(lisp, source, "CL-USER")).success
    assert (await lisp.eval("(cl-user::foo)")).values == [shown]
    await lisp.eval("(fmakunbound 'cl-user::foo)")
    file = tmp_path / "utf-8.lisp"
    file.write_text(f";; -*- coding: utf-8-unix -*- \n{source}", encoding="utf-8")
    evaluation = await lisp.compile_file(file, id=f"slime_{next(ids)}", load=True)
    await soon(evaluation.settled())
    assert (await lisp.eval("(cl-user::foo)")).values == [shown]


# Of contrib: the REPL


@pytest.mark.parametrize(
    ("code", "output", "values"),
    [
        ("(+ 1 2)", "", ["3"]),
        ("(princ 10)", "10", ["10"]),
        ("(princ 10)(princ 20)", "1020", ["20"]),
        ("(dotimes (i 10 77) (princ i) (terpri))", "".join(f"{i}\n" for i in range(10)), ["77"]),
        ("(abort)", "", None),
        ("(progn (princ 10) (force-output) (abort))", "10", None),
        ("(progn (princ 10) (abort))", "10", None),
        ("(if (fresh-line) 1 0)", "", ["0"]),
        ("(values 1 2 3)", "", ["1", "2", "3"]),
        ("(with-standard-io-syntax (write (make-list 15 :initial-element '(1 . 2)) :pretty t) 0)",
         "((1 . 2) (1 . 2) (1 . 2) (1 . 2) (1 . 2) (1 . 2) (1 . 2) (1 . 2) (1 . 2)\n"
         " (1 . 2) (1 . 2) (1 . 2) (1 . 2) (1 . 2) (1 . 2))", ["0"]),
    ],
)  # fmt: skip
async def test_repl_test(lisp: Lisp, code: str, output: str, values: list[str] | None) -> None:
    evaluation = await started(lisp, code)
    await soon(evaluation.settled())
    assert evaluation.output == output
    if values is None:
        assert evaluation.state == "aborted"
    else:
        assert evaluation.values == values


async def test_package_updating(lisp: Lisp) -> None:
    for name in ("COMMON-LISP-USER", "KEYWORD", "COMMON-LISP-USER"):
        evaluation = await lisp.start_evaluation(
            f"(cl:setq cl:*package* (cl:find-package :{name}))", id=f"slime_{next(ids)}", client="updating"
        )
        await soon(evaluation.settled())
        assert evaluation.package == name


@pytest.mark.parametrize(
    ("reader", "typed", "value"),
    [
        ("(read-line)", ["some input"], '"some input"'),
        ("(read)", ["(+ 2 3", ")"], "(+ 2 3)"),
        ("(list (read-line) (read-line) (read-line))", ["a", "b", "c"], '("a" "b" "c")'),
        ("(read-char)", ["xyz"], "#\\x"),
    ],
)
async def test_repl_read(lisp: Lisp, ear: Ear, reader: str, typed: list[str], value: str) -> None:
    """`repl-read` and `repl-read-lines`."""
    evaluation = await started(lisp, reader)
    for index, line in enumerate(typed):
        await until(lambda index=index: len(ear.inputs) > index, "it reads")  # type: ignore[misc]
        await lisp.answer_input(ear.inputs[index].tag, line)
    await soon(evaluation.settled())
    assert evaluation.values[0] == value


async def test_interrupt_in_blocking_read(lisp: Lisp, ear: Ear) -> None:
    evaluation = await started(lisp, "(read-line)")
    await until(lambda: bool(ear.inputs), "it reads")
    await lisp.interrupt(evaluation=evaluation.id)
    await soon(evaluation.paused_or_settled())
    assert deepest(lisp).level == 1
    await lisp.continue_(*deepest(lisp).id)
    await lisp.answer_input(ear.inputs[-1].tag, "ABC")
    await soon(evaluation.settled())
    assert evaluation.values[0] == '"ABC"'


async def test_mixed_output_and_results(lisp: Lisp) -> None:
    """Output of a thread that outlives its evaluation does not get among the next one's values."""
    await lisp.eval("(sb-thread:make-thread (lambda () (dotimes (i 3) (print i) (finish-output))))")
    assert (await lisp.eval("(values :a :b)")).values == [":A", ":B"]
