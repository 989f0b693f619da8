"""The commit a work tree is at, read without git, and where the log has it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from descartes_core.errors import InvalidParams
from descartes_core.git_head import head_commit
from descartes_core.history import History
from descartes_core.store import EventQuery
from descartes_core.timetravel.body import Body
from descartes_core.timetravel.brain import state_at
from support.running import Bench


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-C", str(folder), *words],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip


def commit(folder: Path, message: str) -> str:
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def test_the_commit_is_the_one_that_git_says(workspace: Path) -> None:
    assert head_commit(workspace) is None
    git(workspace, "init", "--quiet")
    assert head_commit(workspace) is None
    first = commit(workspace, "one")
    (workspace / "deep" / "er").mkdir(parents=True)
    assert head_commit(workspace) == head_commit(workspace / "deep" / "er") == first
    git(workspace, "pack-refs", "--all")
    assert head_commit(workspace) == first
    git(workspace, "checkout", "--quiet", "-b", "topic/a")
    second = commit(workspace, "two")
    assert head_commit(workspace) == second
    git(workspace, "worktree", "add", "--quiet", "../other", first)
    assert head_commit(workspace.parent / "other") == first
    third = commit(workspace.parent / "other", "three")
    assert (head_commit(workspace.parent / "other"), head_commit(workspace)) == (third, second)
    git(workspace, "checkout", "--quiet", first)
    assert head_commit(workspace) == first


@pytest.mark.parametrize(
    "head", ["ref: ../../../etc/passwd", "ref: refs/../../x", "ref: HEAD", "", "\0", "é"]
)
def test_what_is_no_repository_says_nothing(workspace: Path, head: str) -> None:
    (workspace / ".git").mkdir()
    (workspace / ".git" / "HEAD").write_text(head, encoding="latin-1")
    assert head_commit(workspace) is None
    (workspace / ".git" / "HEAD").unlink()
    # Nobody would ever write into it.
    os.mkfifo(workspace / ".git" / "HEAD")
    assert head_commit(workspace) is None


async def test_events_of_runs_have_their_commit_and_their_tags(workspace: Path) -> None:
    git(workspace, "init", "--quiet")
    at = commit(workspace, "one")
    bench = await Bench.open(workspace)
    run = await bench.command("true", tags=["nightly", "nightly", " ci "])
    await bench.ended(run.id)
    other = await bench.ended((await bench.command("true")).id)
    body = Body(bench.store, workspace, workspace / ".descartes")
    kept = await body.keep("start", "a test")
    spawned = (await bench.events(run.id, "run.spawned"))[0]
    assert (spawned.git_commit, kept.event.git_commit) == (at, at)
    assert (await History(bench.store.reader).statistics()).commits == 1
    tagged = (await bench.store.reader.events(EventQuery(tags=["nightly", "ci"], order="asc"))).events
    assert {each.run for each in tagged} == {run.id}
    assert tagged[0].name == "run.spawned" and len(tagged) >= 4
    assert (await bench.events(other.id, "run.spawned"))[0].tags == []
    with pytest.raises(InvalidParams, match="tags"):
        await bench.command("true", tags=[""])
    assert (await state_at(bench.store.reader, run.id, None)).context["tags"] == ["nightly", "ci"]
    await bench.close()
