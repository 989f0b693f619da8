"""What SLIME's own suite expects of a Lisp and its client, as cases against ours.

Each case is named after the test of SLIME 2.32 (`slime-tests.el`, `contrib/test`); words and code are ours.
What was left out, and why, stands in `SLIME.md` beside this file.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import TypeVar

import pytest

from descartes_swank import DebuggerStale, InputRequest, Lisp, Listener, NotFound, Stop
from descartes_swank.evaluation import Evaluation
from support.session import patient
from support.stock_swank import StockSwank
from support.until import until

DEADLINE_S = 60
T = TypeVar("T")
_ids = itertools.count(1)


class Ear(Listener):
    """Keeps what was heard."""

    def __init__(self) -> None:
        self.inputs: list[InputRequest] = []
        self.text = ""

    def input_wanted(self, request: InputRequest) -> None:
        self.inputs.append(request)

    def output(self, evaluation: str | None, text: str, stream: str) -> None:
        self.text = (self.text + text)[-100_000:]


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
async def lisp(stock_image: StockSwank, ear: Ear) -> AsyncIterator[Lisp]:
    async with await Lisp.open("127.0.0.1", stock_image.port, listener=ear) as session:
        yield session
        assert session.stops == {} and session.evaluations == {}, "not at the top level"


async def soon(answer: Awaitable[T]) -> T:
    return await asyncio.wait_for(answer, DEADLINE_S)


async def started(lisp: Lisp, code: str, package: str = "CL-USER") -> Evaluation:
    return await lisp.start_evaluation(code, id=f"slime_{next(_ids)}", package=package)


async def stopped(lisp: Lisp, code: str) -> Evaluation:
    evaluation = await started(lisp, code)
    await soon(evaluation.paused_or_settled())
    assert evaluation.stop is not None, evaluation
    return evaluation


def deepest(lisp: Lisp) -> Stop:
    return max(lisp.stops.values(), key=lambda stop: stop.level)


async def level_reached(lisp: Lisp, level: int) -> None:
    """Answer when LEVEL is the highest one and its thread waits there for requests."""
    await until(
        lambda: max((each.level for each in lisp.stops.values()), default=0) == level, f"level {level}"
    )


async def quit_debugger(lisp: Lisp, evaluation: Evaluation) -> None:
    """Leave all levels, as `sldb-quit` does, and wait for the end of EVALUATION."""
    await soon(lisp.toplevel(*deepest(lisp).id))
    await soon(evaluation.settled())


async def abort_deepest(lisp: Lisp) -> None:
    """Abort the highest level."""
    await soon(lisp.abort(*deepest(lisp).id))


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


async def compiled(
    lisp: Lisp, text: str, package: str = "SWANK", file: Path | None = None, position: int = 0
) -> Evaluation:
    evaluation = await lisp.compile_string(
        text, id=f"slime_{next(_ids)}", file=str(file) if file else None, position=position, package=package
    )
    await soon(evaluation.settled())
    return evaluation


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
    evaluation = await lisp.compile_file(file, id=f"slime_{next(_ids)}", load=False)
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
    evaluation = await lisp.compile_file(file, id=f"slime_{next(_ids)}", load=True)
    await soon(evaluation.settled())
    assert (await lisp.eval("(cl-user::foo)")).values == [shown]


# The debugger


@pytest.mark.parametrize("depth", [1, 2, 3])
async def test_async_eval_debugging(lisp: Lisp, depth: int) -> None:
    evaluations = [await stopped(lisp, "(error)")]
    for level in range(2, depth + 1):
        inner = await lisp.start_evaluation_in_frame(
            *deepest(lisp).id, 0, "(error)", id=f"slime_{next(_ids)}"
        )
        await soon(inner.paused_or_settled())
        evaluations.append(inner)
        assert deepest(lisp).level == level
    await lisp.toplevel(*deepest(lisp).id)
    for evaluation in evaluations:
        await soon(evaluation.settled())
        assert evaluation.state == "aborted"


@pytest.mark.parametrize(("highest", "stay"), [(2, 1), (4, 2)])
async def test_unwind_to_previous_sldb_level(lisp: Lisp, highest: int, stay: int) -> None:
    evaluations = [await stopped(lisp, "(aref nil 0)")]
    for level in range(2, highest + 1):
        inner = await lisp.start_evaluation_in_frame(
            *deepest(lisp).id, 0, f"(aref nil {level})", id=f"slime_{next(_ids)}"
        )
        await soon(inner.paused_or_settled())
        evaluations.append(inner)
    for level in range(highest, stay, -1):
        await abort_deepest(lisp)
        await level_reached(lisp, level - 1)
        await soon(evaluations.pop().settled())
    assert {each.level for each in lisp.stops.values()} == set(range(1, stay + 1))
    await quit_debugger(lisp, evaluations[0])
    for evaluation in evaluations:
        await soon(evaluation.settled())


async def test_loop_interrupt_quit(lisp: Lisp) -> None:
    loop = await started(lisp, "(loop)")
    await lisp.interrupt(evaluation=loop.id)
    await soon(loop.paused_or_settled())
    assert deepest(lisp).level == 1 and deepest(lisp).condition.type == "interrupt"
    await lisp.toplevel(*deepest(lisp).id)
    await soon(loop.settled())
    assert loop.state == "aborted"


async def test_loop_interrupt_continue_interrupt_quit(lisp: Lisp) -> None:
    loop = await started(lisp, "(loop)")
    for leave in (lisp.continue_, lisp.toplevel):
        await lisp.interrupt(evaluation=loop.id)
        await soon(loop.paused_or_settled())
        await leave(*deepest(lisp).id)
    await soon(loop.settled())
    assert loop.state == "aborted"


async def test_interactive_eval(lisp: Lisp) -> None:
    evaluation = await stopped(lisp, '(progn (cerror "foo" "restart") (cerror "bar" "restart") (+ 1 2))')
    await lisp.continue_(*deepest(lisp).id)
    await soon(evaluation.paused_or_settled())
    await lisp.continue_(*deepest(lisp).id)
    await soon(evaluation.settled())
    assert evaluation.values == ["3"]


@pytest.mark.parametrize(
    "argument",
    [
        "(let ((x (cons nil nil))) (setf (cdr x) x))",
        "(let ((x (cons nil nil))) (setf (car x) x))",
        "(let ((x (cons (make-string 100000 :initial-element #\\X) nil))) (setf (cdr x) x))",
    ],
    ids=["cdr", "car", "long"],
)
async def test_report_condition_with_circular_list(lisp: Lisp, argument: str) -> None:
    code = f'(with-standard-io-syntax (cerror "foo" "~a" {argument}) (+ 1 2))'
    evaluation = await stopped(lisp, code)
    assert len(deepest(lisp).condition.message) < 1_000_000
    await lisp.continue_(*deepest(lisp).id)
    await soon(evaluation.settled())
    assert evaluation.values == ["3"]


async def test_interrupt_bubbling_idiot(lisp: Lisp, ear: Ear) -> None:
    loop = await started(lisp, "(loop for i from 0 do (print i) (finish-output))")
    await until(lambda: len(ear.text) > 1000, "it prints")
    await lisp.interrupt(evaluation=loop.id)
    await soon(loop.paused_or_settled())
    assert deepest(lisp).level == 1
    await lisp.toplevel(*deepest(lisp).id)
    await soon(loop.settled())


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize(
    "form",
    ["(break)", "(block outta (let ((*debugger-hook* (lambda (c h) (return-from outta 42)))) (break)))"],
    ids=["break", "break2"],
)
async def test_break(lisp: Lisp, times: int, form: str) -> None:
    evaluation = await started(lisp, f"(dotimes (i {times}) {form})")
    for _ in range(times):
        await soon(evaluation.paused_or_settled())
        assert deepest(lisp).level == 1
        await lisp.continue_(*deepest(lisp).id)
    await soon(evaluation.settled())
    assert evaluation.state == "done"


async def test_locally_bound_debugger_hook(lisp: Lisp) -> None:
    text = (
        "(defun cl-user::quux () (block outta (let ((*debugger-hook* (lambda (c hook)"
        ' (declare (ignore c hook)) (return-from outta 42)))) (error "FOO"))))'
    )
    assert (await compiled(lisp, text)).success
    assert (await lisp.eval("(cl-user::quux)")).values == ["42"]


@pytest.mark.parametrize(
    "form", ["(error 'end-of-file :stream *standard-input*)", '(read-from-string "")'], ids=["error", "read"]
)
async def test_end_of_file(lisp: Lisp, form: str) -> None:
    code = (
        '(let ((condition nil)) (with-simple-restart (continue "continue") (let ((*debugger-hook*'
        f" (lambda (c h) (declare (ignore h)) (setq condition c) (continue)))) {form}))"
        " (and (typep condition 'end-of-file) t))"
    )
    assert (await lisp.eval(code)).values == ["T"]


@pytest.mark.parametrize(("interrupts", "continues"), [(1, 0), (2, 1), (4, 2)])
async def test_interrupt_in_debugger(lisp: Lisp, interrupts: int, continues: int) -> None:
    loop = await started(lisp, "(loop (sleep 1/100))")
    await lisp.interrupt(evaluation=loop.id)
    await level_reached(lisp, 1)
    for level in range(2, interrupts + 1):
        await lisp.interrupt(thread=deepest(lisp).thread)
        await level_reached(lisp, level)
    for level in range(interrupts, interrupts - continues, -1):
        while deepest(lisp).level >= level:
            with contextlib.suppress(DebuggerStale):
                await lisp.continue_(*deepest(lisp).id)
            await asyncio.sleep(0)
    await quit_debugger(lisp, loop)


async def test_flow_control(lisp: Lisp, ear: Ear) -> None:
    """Output faster than it is read, interrupted three times, comes to its end."""
    line = "(write-line (make-string 2000 :initial-element #\\x))"
    flood = await started(lisp, f"(dotimes (i 400) {line})")
    await until(lambda: len(ear.text) > 2000, "it prints")
    for _ in range(3):
        try:
            await lisp.interrupt(evaluation=flood.id)
        except NotFound:
            break  # it was fast
        await soon(flood.paused_or_settled())
        if flood.stop is not None:
            await lisp.continue_(*flood.stop)
    await soon(flood.settled())
    assert flood.state == "done"


async def test_sbcl_world_lock(lisp: Lisp, ear: Ear) -> None:
    code = (
        "(let ((*macroexpand-hook* (lambda (fun form env) (dotimes (i 10) (print i) (finish-output))"
        " (funcall fun form env)))) (eval '(macrolet ((foo () 123)) (foo))))"
    )
    assert (await lisp.eval(code)).values == ["123"]


# Connections


async def test_disconnect_one_connection(lisp: Lisp, stock_image: StockSwank) -> None:
    async with await Lisp.open("127.0.0.1", stock_image.port) as other:
        assert (await other.eval("1")).values == ["1"]
    assert (await lisp.eval("(+ 1 1)")).values == ["2"]


async def test_disconnect_and_reconnect(lisp: Lisp, stock_image: StockSwank) -> None:
    other = await Lisp.open("127.0.0.1", stock_image.port)
    other.connection._link.abort()
    await soon(asyncio.shield(other.connection.closed))
    assert stock_image.process.poll() is None
    async with await Lisp.open("127.0.0.1", stock_image.port) as again:
        assert (await again.eval("(+ 1 1)")).values == ["2"]


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
            f"(cl:setq cl:*package* (cl:find-package :{name}))", id=f"slime_{next(_ids)}", client="updating"
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
