"""What a request costs through the server, beside the same Swank call from a bare socket, in one run.

Both sides are asked in turns (actions in turns of 25), each by a client that blocks; an editor's own loop is
in neither. A row compares two answers to one question:

- hover with `documentation-symbol`, the one call that gives both lambda list and documentation;
- definition with `find-definitions-for-emacs`;
- signature help with `autodoc` and its mark for the cursor, which SLIME asks while one types;
- completion with `fuzzy-completions`, with SLIME's limits and the same prefix.

These use a bare socket that acknowledges at once. Evaluation, compilation and restart are compared with one
that does not, which is what SLIME's socket does: about 44 ms, from Nagle's algorithm and delayed
acknowledgement. The gain over it is one socket option; the rest is what the server adds, with the event on
disk before the answer.

A second table has the same calls as SLIME makes them in a real Emacs, on the same image, in the same run.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.clients import BareEditor, BareSwank
from benchmarks.slime import slime_times
from benchmarks.table import Row, median, show, tail
from descartes_server.cli.demo.story import EDITOR
from descartes_server.operations.texts import uri_of
from descartes_swank import sexp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from support.stock_swank import run_stock_swank

QUESTIONS = 500
ROUNDS, ACTIONS = 6, 25

LOADED = """(in-package :cl-user)
(defun twice (list)
  (mapcar #'identity list))
(defun thrice (list)
  (twice list))
"""
TEXT = LOADED + "(multiple-value-b)\n(m)\n"
DEFUN = sexp.write("(defun twice (list)\n  (mapcar #'identity list))")
TYPED = '("defun" "twice" ("list") ("mapcar" "#\'identity" swank::%cursor-marker%))'
FUZZY = '(swank:fuzzy-completions "{}" "CL-USER" :limit 300 :time-limit-in-msec 1500)'
ACTING = ("evaluation", "compile a form", "restart")
STOPPING = '(restart-case (error "x") (go-on () 42))'


def timed(ask: Callable[[], Any]) -> float:
    """Return the milliseconds of ASK."""
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1000


def questions(editor: BareEditor, uri: str, bare: BareSwank) -> list[Row]:
    """Return the rows of what is asked while reading and typing."""
    kinds: list[tuple[str, str, tuple[int, int], str]] = [
        ("hover", "hover", (2, 5), '(swank:documentation-symbol "mapcar")'),
        ("definition", "definition", (4, 5), '(swank:find-definitions-for-emacs "twice")'),
        (
            "signature help",
            "signatureHelp",
            (2, 22),
            f"(swank:autodoc (quote {TYPED}) :print-right-margin 80)",
        ),
        ("completion of `multiple-value-b`", "completion", (5, 17), FUZZY.format("multiple-value-b")),
        ("completion of `m`", "completion", (6, 2), FUZZY.format("m")),
    ]
    rows = []
    for name, method, place, form in kinds:
        ask = partial(editor.at, method, uri, place)
        assert ask(), f"{name} answered nothing"
        assert "mapcar" in (answer := bare.call(form).lower()) or "twice" in answer or "multiple" in answer, (
            answer
        )
        ours, base = [], []
        for _ in range(QUESTIONS):
            ours.append(timed(ask))
            base.append(timed(partial(bare.call, form)))
        met = median(ours) <= median(base) + 0.5 and tail(ours) <= tail(base) + 2
        rows.append(Row(name, ours, base, "+ 0.5 ms, + 2 ms at the 99th", met))
    return rows


def actions(editor: BareEditor, uri: str, slow: BareSwank) -> list[Row]:
    """Return the rows of what is done in the image."""
    slow.call("(swank:swank-require '(swank-repl))")
    slow.call("(swank-repl:create-repl nil)")
    compile_form = f'(swank:compile-string-for-emacs {DEFUN} "b" (quote ((:position 1))) nil nil)'
    position = {"line": 1, "character": 3}
    kinds: list[tuple[str, Callable[[], float], Callable[[], float]]] = [
        (
            "evaluation",
            lambda: timed(lambda: editor.command("lisp.eval", code="(+ 1 2)")),
            lambda: timed(lambda: slow.call('(swank-repl:listener-eval "(+ 1 2)\n")', ":repl-thread")),
        ),
        (
            "compile a form",
            lambda: timed(lambda: editor.command("lisp.compileForm", uri=uri, position=position)),
            lambda: timed(lambda: slow.call(compile_form)),
        ),
        ("restart", lambda: restart(editor), lambda: bare_restart(slow)),
    ]
    rows = []
    for name, ask, bare in kinds:
        ask(), bare()
        ours, base = [], []
        # Not one by one: a processor that slept 44 ms answers whatever comes next late.
        for _ in range(ROUNDS):
            ours += [ask() for _ in range(ACTIONS)]
            base += [bare() for _ in range(ACTIONS)]
        rows.append(Row(name, ours, base, "at least 15 × faster", median(ours) * 15 <= median(base)))
    return rows


def beside_slime(rows: list[Row], port: int, file: Path) -> list[Row]:
    """Return ROWS compared with the same calls of SLIME in Emacs."""
    compiling = f'(swank:compile-string-for-emacs {DEFUN} "b" (quote ((:position 1))) nil nil)'
    forms = {
        "hover": ("t", '(swank:documentation-symbol "mapcar")'),
        "definition": ("t", '(swank:find-definitions-for-emacs "twice")'),
        "signature help": ("t", f"(swank:autodoc (quote {TYPED}) :print-right-margin 80)"),
        "completion of `multiple-value-b`": ("t", FUZZY.format("multiple-value-b")),
        "completion of `m`": ("t", FUZZY.format("m")),
        "evaluation": (":repl-thread", '(swank-repl:listener-eval "(+ 1 2)\n")'),
        "compile a form": ("t", compiling),
    }
    slime = slime_times(port, file, forms, STOPPING, ACTIONS * 2)
    found = []
    for row in rows:
        ours, theirs = median(row.times), median(slime[row.what])
        acting = row.what in ACTING
        goal = "at least 15 × faster" if acting else "+ 0.5 ms"
        met = ours * 15 <= theirs if acting else ours <= theirs + 0.5
        found.append(Row(row.what, row.times, slime[row.what], goal, met))
    return found


def restart(editor: BareEditor) -> float:
    """Return the milliseconds from choosing a restart to the evaluation's end, through the server."""
    stop = editor.command("lisp.eval", code=STOPPING)["debugger"]
    # Nobody chooses before the stop is shown.
    editor.command("debugger.list")
    return timed(lambda: editor.command("debugger.restart", **stop, name="GO-ON"))


def bare_restart(bare: BareSwank) -> float:
    """Return the same through a bare socket: the restart, until the evaluation's own answer."""
    code = sexp.write(f"{STOPPING}\n")
    bare.send(f'(:emacs-rex (swank-repl:listener-eval {code}) "COMMON-LISP-USER" :repl-thread 900000)')
    message = bare.until(lambda each: each.startswith("(:debug-activate"))
    thread = message.split()[1]
    invoke = f'(:emacs-rex (swank:invoke-nth-restart-for-emacs 1 0) "COMMON-LISP-USER" {thread} 900001)'

    def choose() -> None:
        bare.send(invoke)
        bare.until(lambda each: each.startswith("(:return (:ok") and each.endswith(" 900000)"))

    return timed(choose)


def measure(folder: Path, port: int) -> list[Row]:
    """Return all rows."""
    file = folder / "bench.lisp"
    file.write_text(LOADED, encoding="utf-8")
    uri = uri_of(file)
    editor = BareEditor(folder)
    try:
        editor.open_workspace(folder, EDITOR, trusted=True)
        editor.command("lisp.loadFile", uri=uri)
        editor.open_document(uri, TEXT)
        quick = BareSwank(port, quick=True)
        quick.call("(swank:swank-require '(swank-fuzzy swank-arglists))")
        quick.call(f"(swank:load-file {sexp.write(str(file))})")
        # What this process collects is nobody's answer.
        gc.disable()
        rows = questions(editor, uri, quick)
        rows += actions(editor, uri, BareSwank(port, quick=False))
        editor.command("lisp.stop")
        editor.command("hub.stop", force=True)
    finally:
        editor.kill()
    return rows


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="dsc-") as name:
        folder = Path(name).resolve() / "workspace"
        folder.mkdir()
        os.environ["DESCARTES_RUNTIME_DIR"] = str(folder.parent / "runtime")
        os.environ["DESCARTES_HOME"] = str(folder.parent / "home")
        with run_stock_swank(folder.parent) as stock:
            rows = measure(folder, stock.port)
            slime = beside_slime(rows, stock.port, folder / "bench.lisp")
    missed = show("requests", "bare socket", rows)
    print()
    return missed + show("slime", "SLIME in Emacs", slime)


if __name__ == "__main__":
    raise SystemExit(main())
