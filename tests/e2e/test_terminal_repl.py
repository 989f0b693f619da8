"""`descartes repl` in a real terminal, and with its input from a pipe."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from support.terminal import Terminal

WORDS = [sys.executable, "-m", "descartes_server", "repl", "--trust"]


def piped(workspace: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*WORDS, "--workspace", str(workspace), *words],
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=workspace,
    )


async def test_a_person_works_in_a_terminal(workspace: Path) -> None:
    warm = await asyncio.to_thread(piped, workspace, "(defvar *zoo-of-animals* 41)", "keys")
    assert warm.returncode == 0, warm.stderr

    def converse() -> None:
        with Terminal([*WORDS, "keys"], workspace, os.environ) as terminal:
            terminal.until("COMMON-LISP-USER>", seconds=60)
            terminal.press("(list 1", "Enter")
            terminal.press("2)", "Enter")
            terminal.until("(1 2)  ; #v2")
            terminal.press("(incf *zoo-of", "Tab")
            terminal.until("(incf *zoo-of-animals*")
            terminal.press(")", "Enter")
            terminal.until("42  ; #v3")
            terminal.press("(list #v2 #v3)", "Enter")
            terminal.until("((1 2) 42)")
            terminal.press('(restart-case (error "no way") (use-value (v) v))', "Enter")
            terminal.until("no way", "USE-VALUE", "COMMON-LISP-USER [1]>")
            terminal.press("0 (* 6 7)", "Enter")
            terminal.until("42  ; #v5\nCOMMON-LISP-USER>")
            terminal.press('(progn (princ "ticking") (finish-output) (loop (sleep 0.01)))', "Enter")
            terminal.until("\nticking")
            terminal.press("C-c")
            terminal.until("interrupt: Interrupted.", "CONTINUE")
            terminal.press("(+ 40 2)", "Enter")
            terminal.until("42  ; #v6")
            terminal.press("(cl:in-package :keyword)", "Enter")
            terminal.until("KEYWORD [1]>")
            terminal.press("(cl:read-line)", "Enter")
            terminal.press("what I say", "Enter")
            terminal.until('"what I say"')
            terminal.press("Up", "Up", "Enter")
            terminal.until('PACKAGE "KEYWORD">  ; #v9')

    await asyncio.to_thread(converse)


async def test_a_script_comes_through_a_pipe(workspace: Path) -> None:
    done = await asyncio.to_thread(
        piped, workspace, '(defun twice (n)\n  (* 2 n))\n(twice 21)\n(princ "é😀")\n'
    )
    assert (done.returncode, done.stdout) == (0, 'TWICE\n42\né😀\n"é😀"\n'), done.stderr
    failed = await asyncio.to_thread(piped, workspace, '(error "oh")\n(twice 2)\n')
    assert failed.returncode == 1 and failed.stdout == "4\n"
    assert "SIMPLE-ERROR: oh" in failed.stderr
    stops = subprocess.run(
        [sys.executable, "-m", "descartes_server", "debugger", "list", "--workspace", str(workspace)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert stops.stdout == ""
