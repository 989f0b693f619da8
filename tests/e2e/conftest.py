"""A real library in a workspace of its own, and the end of the hubs that tests started."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.leftovers import end_leftovers

ALEXANDRIA = Path("/usr/share/common-lisp/source/alexandria")


@pytest.fixture
def alexandria(workspace: Path) -> Path:
    """Return a workspace that holds a copy of alexandria."""
    shutil.copytree(ALEXANDRIA, workspace, dirs_exist_ok=True)
    return workspace


@pytest.fixture(autouse=True)
def nothing_left_running(isolated_environment: Path) -> Iterator[None]:
    """End every process that a test has left behind: those whose environment names its folder."""
    yield
    end_leftovers(isolated_environment / "home")
