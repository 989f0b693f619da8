"""Systems and tests from a terminal: what is printed, the exit status, and bad words."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from descartes_server.operations import trust

SYSTEM = """(defsystem "shapes" :depends-on ("fiveam") :components ((:file "tests")))
(defsystem "shapes/good" :depends-on ("fiveam") :components ((:file "good")))
"""
TESTS = """(defpackage #:shapes/tests (:use #:cl #:fiveam))
(in-package #:shapes/tests)
(defun area (w h unused) (* w h))
(test good (is (= 6 (area 2 3 4))))
(test bad (princ "seen") (is (= 7 (area 2 3 4))))
"""
DEADLINE_S = 120


async def run(workspace: Path, *words: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "descartes_server", *words),
        cwd=workspace,
        env=os.environ | {"COLUMNS": "100"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    assert process.returncode is not None
    return process.returncode, re.sub(r"\b\d+ ms|\b[\d.]+ s\b", "N ms", out.decode()), err.decode()


@pytest.fixture
def tested(workspace: Path) -> Path:
    (workspace / "shapes.asd").write_text(SYSTEM)
    (workspace / "tests.lisp").write_text(TESTS)
    good = TESTS.replace("shapes/tests", "good").replace("(test bad", "#+(or) (test bad")
    (workspace / "good.lisp").write_text(good)
    trust.trust(workspace)
    return workspace


async def test_a_run_is_a_line_for_each_test_and_fails_when_one_does(tested: Path) -> None:
    status, out, err = await run(tested, "lisp", "test-system", "shapes")
    lines = out.splitlines()
    assert status == 1 and "1 passed, 1 failed" in err
    assert lines[0].endswith("tests.lisp:3:18: warning: The variable UNUSED is defined but never used.")
    assert lines[1] == f"passed\tshapes/tests::good\tN ms\t{tested}/tests.lisp:4\t"
    assert lines[2].startswith(f"failed\tshapes/tests::bad\tN ms\t{tested}/tests.lisp:5\t(AREA 2 3 4) ev")
    status, out, err = await run(tested, "--color", "always", "lisp", "test-system", "shapes", "bad")
    plain = re.sub(r"\x1b\[[\d;]*m", "", out)
    assert status == 1
    assert "✗ shapes/tests::bad" in plain and "  │ seen" in plain and "evaluated to 6" in plain
    assert (await run(tested, "lisp", "test-system", "shapes/good"))[0] == 0
    status, out, _ = await run(tested, "lisp", "tests")
    assert status == 0 and "shapes/tests::bad" in out
    status, out, _ = await run(tested, "lisp", "run-test", "tests.lisp", "good")
    assert status == 0 and out.startswith("passed\t")
    status, out, _ = await run(tested, "lisp", "test-results", "shapes")
    assert status == 0 and out.count("\n") == 2
    status, out, _ = await run(tested, "lisp", "systems")
    assert (status, out.splitlines()[0]) == (0, f"shapes\tloaded\ttests\t{tested}/shapes.asd")
    await run(tested, "lisp", "stop")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("load-system",), 2, "needs SYSTEM"),
        (("load-system", ""), 1, "expected the name of a system"),
        (("load-system", "a\\b"), 1, "expected the name of a system"),
        (("load-system", "x", "--load", "maybe"), 2, "'maybe' is not one of"),
        (("tests", "nosuch"), 2, "none named 'nosuch'"),
        (("tests", "--uri", "nosuch.lisp"), 2, "expected a file at"),
        (("run-test", "tests.lisp"), 1, "`position` or `name`"),
        (("run-test", "tests.lisp", "--position", "0:1"), 2, "expected LINE:COLUMN"),
        (("run-test", "tests.lisp", "--position", "900:1"), 2, "expected a test at line 900"),
        (("run-test", "nosuch.lisp", "x"), 2, "expected a file at"),
        (("test-results", "*"), 1, "expected the name of a system"),
    ],
)
async def test_bad_words(tested: Path, words: tuple[str, ...], status: int, said: str) -> None:
    got, out, err = await run(tested, "lisp", *words)
    assert (got, said in err, out) == (status, True, ""), (got, err)
