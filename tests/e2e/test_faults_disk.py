"""Disks that are full, locked or read-only: a clear error at every door, and nothing told is lost."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.faults import NOTIFIED, TRUSTED, ask, descartes, editor, events, hub_pid, kill_hub
from support.lsp_client import lsp

IS_ROOT = os.geteuid() == 0
FULL = ["limit", "disk"] if IS_ROOT else ["limit"]
"""How a disk is made full: only root can mount a small one; anybody can limit a process's files."""


@pytest.fixture
def small_disk(workspace: Path) -> Iterator[Path]:
    """Give the state folder of the workspace, a disk of its own with two megabytes."""
    state = workspace / ".descartes"
    state.mkdir(mode=0o700)
    options = ("-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs")
    subprocess.run(["mount", *options, str(state)], check=True)
    yield state
    subprocess.run(["umount", "-l", str(state)], check=True)


def fill(folder: Path) -> Path:
    """Leave no byte free on the disk of FOLDER; returns the file that fills it."""
    file = folder / "full"
    with file.open("wb", buffering=0) as full:
        try:
            while full.write(b"x" * 4096):
                pass
        except OSError:
            return file
    raise AssertionError("the disk does not end")


def limit_files(pid: int) -> Callable[[], object]:
    """Let the process PID write no file any more; returns what takes that back."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    return lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("kind", FULL)
async def test_a_full_disk(workspace: Path, request: pytest.FixtureRequest, kind: str) -> None:
    if kind == "disk":
        request.getfixturevalue("small_disk")
    async with editor(workspace) as client:
        await client.execute("lease.acquire", {"path": "before.lisp"})
        assert (await client.execute("lisp.eval", {"code": "(+ 1 2)"}))["values"] == ["3"]
        free = fill(workspace / ".descartes").unlink if kind == "disk" else limit_files(hub_pid(workspace))
        for operation, params in (
            ("lease.acquire", {"path": "meanwhile.lisp"}),
            ("lisp.eval", {"code": "(defvar cl-user::*done* :yes)"}),
            ("run.spawn", {"task": "x", "command": ["true"]}),
        ):
            error = await client.refused(operation, params)
            assert error.code == "store_unavailable" and ".descartes" in str(error), error
        outcome = await descartes(workspace, "lease", "acquire", "shell.lisp")
        assert outcome.status == 1 and ".descartes" in outcome.err and "Traceback" not in outcome.err
        assert [each["path"] for each in (await client.execute("lease.list"))["leases"]] == ["before.lisp"]

        free()
        assert (await client.execute("lisp.eval", {"code": "cl-user::*done*"}))["values"] == [":YES"]
        assert (await client.execute("lease.acquire", {"path": "after.lisp"}))["token"] == 1
        logged = await events(client, type="lease.acquired")
        assert [event["data"]["path"] for event in logged] == ["before.lisp", "after.lisp"]


@pytest.mark.parametrize("kind", FULL)
async def test_a_hub_that_finds_a_full_disk_says_so(
    workspace: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    if kind == "disk":
        fill(request.getfixturevalue("small_disk"))
        outcome = await descartes(workspace, "lease", "acquire", "a.lisp")
    else:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
        try:
            outcome = await descartes(workspace, "lease", "acquire", "a.lisp")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert outcome.status == 1
    assert ".descartes" in outcome.err and len(outcome.err.splitlines()) == 1, outcome.err


async def test_a_log_that_another_program_holds_for_a_while(workspace: Path) -> None:
    async with editor(workspace) as client:
        await client.execute("lease.acquire", {"path": "a.lisp"})
        other = sqlite3.connect(workspace / ".descartes" / "descartes.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = [ask(client, "lease.acquire", path=f"{number}.lisp") for number in range(5)]
        # What only reads waits for nobody.
        assert len((await client.execute("lease.list"))["leases"]) == 1
        assert not any(client.answers(request) for request in waiting)
        other.execute("ROLLBACK")
        other.close()
        for request in waiting:
            assert (await client.answer(request))["token"] == 1
        assert len(await events(client, type="lease.acquired")) == 6


@pytest.mark.parametrize("obstacle", ["a file", "read-only"] if IS_ROOT else ["a file"])
async def test_where_no_state_can_be_written_it_is_kept_at_home(
    workspace: Path, isolated_environment: Path, request: pytest.FixtureRequest, obstacle: str
) -> None:
    state = workspace / ".descartes"
    if obstacle == "a file":
        state.write_text("a file where the folder should be")
    else:
        request.getfixturevalue("small_disk")
        # Even root writes nothing on a disk that is mounted so.
        subprocess.run(["mount", "-o", "remount,ro", str(state)], check=True)
    async with lsp(workspace, initializationOptions=TRUSTED, capabilities=NOTIFIED) as client:
        uri = client.open(workspace / "a.lisp", "(defun a () 1)\n")
        assert [each["name"] for each in await client.of("documentSymbol", uri)] == ["a"]
        assert (await client.execute("lease.acquire", {"path": "a.lisp"}))["token"] == 1
        assert (await client.execute("lisp.eval", {"code": "(+ 1 2)"}))["values"] == ["3"]
        assert "a.lisp" in (await descartes(workspace, "lease", "list")).out
        assert (await client.execute("history.verify"))["ok"]
    assert list((isolated_environment / "home" / "workspaces").glob("*/descartes.db"))


async def test_a_state_folder_that_is_taken_away_at_work(workspace: Path) -> None:
    async with editor(workspace) as client:
        await client.execute("lease.acquire", {"path": "a.lisp"})
        # At once: a folder into which somebody writes meanwhile cannot be emptied file by file.
        shutil.rmtree((workspace / ".descartes").rename(workspace.parent / "taken away"))
        asked = ask(client, "lease.acquire", path="b.lisp")
        message = await client.message(
            lambda m: m.get("id") == asked and "method" not in m, "an answer to who asks meanwhile"
        )
        if "error" in message:
            assert message["error"]["data"]["code"] in ("store_unavailable", "hub_lost")
        await kill_hub(client, workspace)
        assert (await client.execute("lease.acquire", {"path": "c.lisp"}))["token"] == 1
