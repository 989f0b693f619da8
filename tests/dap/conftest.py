"""A trusted workspace with a Lisp file, and the end of everything that a test started."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from descartes_server.operations import trust
from support.dap_client import DapClient, dap
from support.leftovers import end_leftovers

RATIO = """\
(defpackage #:ratio (:use #:cl) (:export #:share #:answer))
(in-package #:ratio)

(defun share (part whole)
  "Return PART divided by WHOLE."
  (restart-case (/ part whole)
    (use-value (value)
      :report "Use another value."
      value)))

(defun answer (part)
  (let ((whole (- part part)))
    (list 'é😀 (share part whole))))
"""


@pytest.fixture
def ratio(workspace: Path) -> Path:
    """Return a Lisp file in a workspace that the person trusts."""
    trust.trust(workspace.resolve())
    file = workspace / "ratio.lisp"
    file.write_text(RATIO)
    return file


@pytest.fixture
async def debugger(ratio: Path) -> AsyncIterator[DapClient]:
    """Return a client that has sent nothing yet, in the workspace of the file."""
    async with dap(ratio.parent) as client:
        yield client


@pytest.fixture(autouse=True)
def nothing_left_running(isolated_environment: Path) -> Iterator[None]:
    """End every process that a test has left behind: those whose environment names its folder."""
    yield
    end_leftovers(isolated_environment / "home")
