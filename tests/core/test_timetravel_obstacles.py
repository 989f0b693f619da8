"""What stands in the way of a snapshot: odd names, limits, locks, clocks, what cannot be read, a person."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from descartes_core.errors import RestoreConflict
from descartes_core.timetravel import on_disk
from descartes_core.timetravel import plan as plans
from descartes_core.timetravel.git import GitFailed
from descartes_core.timetravel.manifest import Entry, Manifest, shown
from descartes_core.timetravel.moving import Moving
from support.snapshots import FILES, put_back, snapshots_of
from support.trees import clear, git, private_state, repository, tree, write


def test_what_git_is_in_the_middle_of_is_known(workspace: Path) -> None:
    repository(workspace, {"a": "1"})
    snapshots = snapshots_of(workspace)
    assert snapshots.repository.in_progress() is None
    git(workspace, "checkout", "--quiet", "-b", "other")
    write(workspace, {"a": "other"})
    git(workspace, "commit", "--quiet", "-am", "other")
    git(workspace, "checkout", "--quiet", "main")
    write(workspace, {"a": "main"})
    git(workspace, "commit", "--quiet", "-am", "main")
    for words, what, end in (
        (("merge", "other"), "a merge", "merge"),
        (("rebase", "other"), "a rebase", "rebase"),
        (("cherry-pick", "other"), "a cherry-pick", "cherry-pick"),
    ):
        git(workspace, *words, check=False)
        assert snapshots.repository.in_progress() == what
        state = private_state(workspace)
        snapshots.take()
        assert private_state(workspace) == state
        git(workspace, end, "--abort")
        assert snapshots.repository.in_progress() is None


def test_names_that_are_no_text_and_names_that_git_takes_for_something_else(workspace: Path) -> None:
    names = [
        b"caf\xe9.lisp",
        b"new\nline",
        b'"quoted"',
        b"back\\slash",
        b":(top)x",
        b"-n",
        b"tab\there",
        b" ",
    ]
    repository(workspace, {"plain": "p"})
    for name in names:
        (workspace / os.fsdecode(name)).write_bytes(name)
        (workspace / os.fsdecode(b"in " + name)).mkdir()
        (workspace / os.fsdecode(b"in " + name) / os.fsdecode(name)).write_bytes(b"inside")
    before = tree(workspace)
    snapshots = snapshots_of(workspace)
    then = snapshots.take()
    assert snapshots.repository.manifest(then.commit) == then.manifest
    clear(workspace)
    put_back(snapshots, then)
    assert tree(workspace) == before
    assert shown(os.fsdecode(names[0])) == "caf\\xe9.lisp"


def test_a_file_above_the_limit_is_left_alone_and_said(workspace: Path) -> None:
    repository(workspace, {"a": "1"})
    snapshots = snapshots_of(workspace, largest_bytes=1000)
    write(workspace, {"big": "b" * 2000})
    then = snapshots.take()
    assert "big" not in then.manifest.entries and "restore.largestMegabytes" in then.manifest.left["big"]
    assert snapshots.repository.manifest(then.commit) == then.manifest
    write(workspace, {"a": "2"})
    assert put_back(snapshots, then).missing == {}
    assert (workspace / "big").stat().st_size == 2000
    write(workspace, {"big": "c" * 3000, "other": "d" * 3000})
    plan = put_back(snapshots, then)
    assert set(plan.missing) == {"big", "other"} and (workspace / "big").read_text() == "c" * 3000
    # Small then and large now: it is replaced, and what it was is kept first.
    write(workspace, {"a": "e" * 5000})
    large = tree(workspace)
    kept = snapshots.take(["a"])
    put_back(snapshots, then)
    assert (workspace / "a").read_text() == "1"
    put_back(snapshots, kept)
    assert tree(workspace) == large


def test_what_cannot_be_read_is_left_alone_and_said(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository(workspace, {"a": "1", "secret": "s"})
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: "secret" not in str(path) and real(path, mode))
    snapshots = snapshots_of(workspace)
    then = snapshots.take()
    assert then.manifest.left == {"secret": "it cannot be read"} and "a" in then.manifest.entries
    write(workspace, {"a": "2"})
    put_back(snapshots, then)
    assert tree(workspace)["secret"][1] == b"s"


def test_a_pipe_in_the_place_of_a_file_stands_in_the_way(workspace: Path) -> None:
    repository(workspace, {"a": "1", "b": "2"})
    snapshots = snapshots_of(workspace)
    then = snapshots.take()
    (workspace / "a").unlink()
    os.mkfifo(workspace / "a")
    now = snapshots.take()
    plan = plans.compare(now.manifest, then.manifest, snapshots.repository.ignored)
    assert list(plan.blocked) == ["a"] and "pipe" in plan.blocked["a"]
    assert stat.S_ISFIFO((workspace / "a").stat().st_mode)


def test_nothing_is_written_through_a_link(workspace: Path, isolated_environment: Path) -> None:
    outside = isolated_environment / "outside"
    write(outside, {"a": "theirs"})
    repository(workspace, {"folder/a": "ours"})
    snapshots = snapshots_of(workspace)
    then = snapshots.take()
    shutil.rmtree(workspace / "folder")
    (workspace / "folder").symlink_to(outside)
    put_back(snapshots, then)
    assert (workspace / "folder" / "a").read_text() == "ours" and not (workspace / "folder").is_symlink()
    assert (outside / "a").read_text() == "theirs"


def test_two_names_for_one_file_are_found_where_case_is_ignored() -> None:
    then = Manifest({name: Entry("file", 0o644, "1") for name in ("Makefile", "makefile", "other")})
    plan = plans.compare(Manifest(), then, lambda rules, paths: set())
    assert plans.collisions(then, plan) == {"makefile": "this file system takes it for 'Makefile'"}
    same = plans.compare(then, then, lambda rules, paths: set())
    assert plans.collisions(then, same) == {}


@pytest.mark.parametrize("obstacle", ["the person's index", "our index", "a broken index"])
def test_locks_that_others_left_stop_nothing(workspace: Path, obstacle: str) -> None:
    repository(workspace, FILES)
    snapshots = snapshots_of(workspace)
    snapshots.take()
    if obstacle == "the person's index":
        (workspace / ".git" / "index.lock").write_text("")
    elif obstacle == "our index":
        (workspace / ".descartes" / "body" / "index.lock").write_text("")
    else:
        (workspace / ".descartes" / "body" / "index").write_text("nonsense")
    write(workspace, {"a.lisp": "changed"})
    then = snapshots.take()
    assert snapshots.repository.manifest(then.commit) == then.manifest


def test_a_change_within_the_same_moment_is_noticed(workspace: Path) -> None:
    repository(workspace, {"a": "1"})
    snapshots = snapshots_of(workspace)
    seen = set()
    for number in range(20):
        (workspace / "a").write_text(f"{number:04}")
        seen.add(snapshots.take().commit)
    assert len(seen) == 20


def test_a_clock_that_goes_back_hides_no_change(workspace: Path) -> None:
    repository(workspace, {"a": "1"})
    snapshots = snapshots_of(workspace)
    os.utime(workspace / "a", (4_000_000_000, 4_000_000_000))
    first = snapshots.take()
    (workspace / "a").write_text("2")
    os.utime(workspace / "a", (4_000_000_000, 4_000_000_000))
    assert snapshots.take().commit != first.commit


def test_without_git_the_reason_is_said(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(workspace, {"a": "1"})
    monkeypatch.setenv("PATH", str(workspace))
    with pytest.raises(GitFailed, match="expected git on the PATH"):
        snapshots_of(workspace).take()


def test_a_whole_home_folder_is_not_kept(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(workspace / "people" / "ann"))
    with pytest.raises(GitFailed, match="expected a project"):
        snapshots_of(workspace).take()
    assert not (workspace / ".descartes" / "body.git").exists()


Change = Callable[[Path], object]


@pytest.fixture(params=["exchanged", "linked"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Files change places in one step, or the system cannot do that."""
    if request.param == "linked":
        monkeypatch.setattr(on_disk, "_renameat2", lambda: None)
    return str(request.param)


def moving_back(workspace: Path, at: Callable[[str], None] = lambda name: None) -> Moving:
    """Return what is staged to make A what it was, create NEW and remove GONE."""
    write(workspace, {"a": "1", "new": "then"})
    snapshots = snapshots_of(workspace)
    then = snapshots.take()
    (workspace / "new").unlink()
    write(workspace, {"a": "2", "gone": "g"})
    now = snapshots.take()
    plan = plans.compare(now.manifest, then.manifest, snapshots.repository.ignored)
    moving = Moving(workspace, workspace / ".descartes" / "restore" / "current", at)
    moving.stage("evt_1", plan.changes, snapshots.repository)
    return moving


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda root: (root / "a").write_text("a person's"),
        lambda root: (root / "a").unlink(),
        lambda root: (root / "new").write_text("a person's"),
        lambda root: (root / "gone").write_text("a person's"),
        lambda root: (root / "a").chmod(0o600),
    ],
)
def test_a_file_that_a_person_changes_meanwhile_is_theirs(
    workspace: Path, meanwhile: Change, way: str
) -> None:
    moving = moving_back(workspace)
    meanwhile(workspace)
    expected = tree(workspace)
    with pytest.raises(RestoreConflict, match="changed meanwhile"):
        moving.swap()
    assert moving.roll_back() == []
    assert tree(workspace) == expected


def test_a_file_that_is_replaced_is_never_missing(workspace: Path) -> None:
    found: list[str] = []
    moving = moving_back(workspace, lambda name: found.append((workspace / "a").read_text()))
    moving.swap()
    moving.commit({})
    moving.close()
    assert set(found) == {"2", "1"} and found == sorted(found, reverse=True)


class Died(BaseException):
    """What ended the process."""


@pytest.mark.parametrize("dies", [False, True])
def test_a_file_that_an_editor_saves_at_the_last_moment_is_the_persons(workspace: Path, dies: bool) -> None:
    asides: list[str] = []

    def at(name: str) -> None:
        if name.startswith("aside"):
            asides.append(name)
            if len(asides) == 2:  # GONE is gone, A has been looked at
                (workspace / "a~").write_text("a person's")
                (workspace / "a~").replace(workspace / "a")
        elif dies and name.startswith("put"):
            raise Died

    moving = moving_back(workspace, at)
    with pytest.raises(Died if dies else RestoreConflict):
        moving.swap()
    assert (workspace / "a").read_text() == ("1" if dies else "a person's")
    (told,) = Moving(workspace, workspace / ".descartes" / "restore" / "current").take_back()
    assert "a was changed meanwhile" in told
    assert (workspace / "a").read_text() == "a person's"
    assert (workspace / "gone").read_text() == "g" and not (workspace / "new").exists()
    assert (workspace / ".descartes" / "restore" / "kept" / "a").read_text() == "2"
