"""Snapshots of work trees of every kind: what is kept, what is put back, and that nothing else changes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from descartes_core.timetravel.snapshots import collect
from support.snapshots import FILES, put_back, snapshots_of
from support.trees import clear, git, private_state, repository, tree, write


@pytest.mark.ledger("D-23")
def test_what_a_shell_did_is_put_back_and_git_sees_nothing_of_it(workspace: Path) -> None:
    repository(workspace, FILES)
    write(workspace, {"untracked.txt": "mine", "staged.txt": "in the index"})
    git(workspace, "add", "staged.txt")
    (workspace / "run.sh").chmod(0o755)
    (workspace / "link").symlink_to("src/b.lisp")
    (workspace / "empty" / "inner").mkdir(parents=True)
    snapshots = snapshots_of(workspace)
    before, state, status = tree(workspace), private_state(workspace), git(workspace, "status", "--porcelain")
    then = snapshots.take()
    assert private_state(workspace) == state
    assert git(workspace, "status", "--porcelain") == status
    script = (
        "rm -r src empty untracked.txt; sed -i s/a/b/ a.lisp; echo new > new.txt; mkdir other;"
        "chmod -x run.sh; ln -sf nowhere link"
    )
    subprocess.run(["sh", "-c", script], cwd=workspace, check=True)
    plan = put_back(snapshots, then)
    assert tree(workspace) == before
    assert private_state(workspace) == state
    kinds = {each.path: each.kind for each in plan.changes}
    assert kinds["a.lisp"] == "modify" and kinds["run.sh"] == "mode" and kinds["new.txt"] == "delete"
    assert kinds["empty/inner"] == "create" and kinds["link"] == "modify"


def test_an_unchanged_tree_makes_no_new_commit(workspace: Path) -> None:
    repository(workspace, FILES)
    snapshots = snapshots_of(workspace)
    first = snapshots.take()
    count = git(workspace, "count-objects")
    again = snapshots.take()
    assert (again.commit, again.fresh) == (first.commit, False)
    assert snapshots_of(workspace).take().commit == first.commit
    assert git(workspace, "count-objects") == count


@pytest.mark.parametrize("in_git", [True, False])
def test_bytes_come_back_whatever_attributes_and_filters_say(workspace: Path, in_git: bool) -> None:
    if in_git:
        repository(workspace, {"kept": ""})
        git(workspace, "config", "core.autocrlf", "true")
        git(workspace, "config", "filter.shout.clean", "tr a-z A-Z")
        git(workspace, "config", "filter.shout.smudge", "tr A-Z a-z")
        git(workspace, "config", "filter.lfs.clean", "false")
        git(workspace, "config", "filter.lfs.required", "true")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
    files: dict[str, str | bytes] = {
        ".gitattributes": "* text=auto eol=crlf ident working-tree-encoding=UTF-16\n"
        "*.up filter=shout\n*.big filter=lfs\n",
        "unix.txt": "one\ntwo\n",
        "dos.txt": b"one\r\ntwo\r\n",
        "mixed.txt": b"one\r\ntwo\n$Id$\n",
        "word.up": "MiXed",
        "pointer.big": pointer,
        "smudged.big": "true content",
    }
    write(workspace, files)
    before = tree(workspace)
    snapshots = snapshots_of(workspace)
    then = snapshots.take()
    clear(workspace)
    write(workspace, dict.fromkeys(files, "other"))
    put_back(snapshots, then)
    assert tree(workspace) == before


def test_without_a_repository_the_files_are_kept_in_a_private_one(workspace: Path) -> None:
    write(workspace, {**FILES, ".gitignore": "*.fasl\n", "x.fasl": "ignored"})
    before = tree(workspace)
    snapshots = snapshots_of(workspace)
    then = snapshots.take()
    assert not (workspace / ".git").exists() and (workspace / ".descartes" / "body.git").is_dir()
    assert "x.fasl" not in then.manifest.entries
    shutil.rmtree(workspace / "src")
    write(workspace, {"new": "n"})
    put_back(snapshots, then)
    assert tree(workspace) == before


def test_ignored_files_are_left_alone_also_where_the_rules_changed(workspace: Path) -> None:
    repository(workspace, {".gitignore": "*.log\nbuild/\n", "a": "a"})
    write(workspace, {"x.log": "1", "build/out": "2"})
    snapshots = snapshots_of(workspace)
    then = snapshots.take()
    assert not {"x.log", "build", "build/out"} & set(then.manifest.entries)
    # The rules are gone: what was ignored then looks new now, and is not.
    (workspace / ".gitignore").unlink()
    write(workspace, {"x.log": "mine", "build/out": "mine", "new": "n"})
    put_back(snapshots, then)
    assert (workspace / "x.log").read_text() == "mine" and (workspace / "build" / "out").read_text() == "mine"
    assert not (workspace / "new").exists() and (workspace / ".gitignore").exists()
    # The other way round: what was kept then is ignored now, and is kept before it is replaced.
    write(workspace, {".gitignore": "a\n", "a": "changed and ignored"})
    put_back(snapshots, then)
    assert (workspace / "a").read_text() == "a"


def test_a_tracked_file_that_is_ignored_too_is_kept(workspace: Path) -> None:
    repository(workspace, {"a.log": "1"})
    write(workspace, {".gitignore": "*.log\n"})
    snapshots = snapshots_of(workspace)
    then = snapshots.take()
    assert "a.log" in then.manifest.entries
    (workspace / "a.log").unlink()
    put_back(snapshots, then)
    assert (workspace / "a.log").read_text() == "1"


def test_a_linked_worktree_has_its_own_files(workspace: Path) -> None:
    repository(workspace, FILES)
    git(workspace, "worktree", "add", "--quiet", "linked")
    inside = workspace / "linked"
    write(inside, {"a.lisp": "other"})
    of_main, of_linked = snapshots_of(workspace), snapshots_of(inside)
    main, linked = of_main.take(), of_linked.take()
    assert not any(path.startswith("linked") for path in main.manifest.entries)
    before = tree(inside)
    state = git(inside, "status", "--porcelain"), git(inside, "ls-files", "--stage")
    write(inside, {"a.lisp": "third", "new": "n"})
    put_back(of_main, main)
    assert (inside / "a.lisp").read_text() == "third"
    put_back(of_linked, linked)
    assert tree(inside) == before
    assert (git(inside, "status", "--porcelain"), git(inside, "ls-files", "--stage")) == state


@pytest.mark.parametrize("kind", ["submodule", "nested"])
def test_files_of_submodules_and_nested_repositories_come_back_and_their_git_is_theirs(
    workspace: Path, isolated_environment: Path, kind: str
) -> None:
    repository(workspace, {"a": "a"})
    inner = workspace / "inner"
    if kind == "submodule":
        repository(isolated_environment / "library", {"l.lisp": "(l)", ".gitignore": "*.o\n"})
        git(workspace, "submodule", "--quiet", "add", str(isolated_environment / "library"), "inner")
        git(workspace, "commit", "--quiet", "--message=submodule")
    else:
        repository(inner, {"l.lisp": "(l)", ".gitignore": "*.o\n"})
    write(inner, {"dirty.lisp": "(d)", "x.o": "object"})
    before, status = tree(workspace), git(inner, "status", "--porcelain")
    snapshots = snapshots_of(workspace)
    then = snapshots.take()
    assert "inner/l.lisp" in then.manifest.entries and "inner/x.o" not in then.manifest.entries
    write(inner, {"l.lisp": "changed", "new": "n"})
    (inner / "dirty.lisp").unlink()
    put_back(snapshots, then)
    assert tree(workspace) == before
    assert git(inner, "status", "--porcelain") == status


def test_a_repository_without_a_commit_and_one_with_a_detached_head(workspace: Path) -> None:
    git(workspace, "init", "--quiet")
    write(workspace, {"a": "1"})
    snapshots = snapshots_of(workspace)
    assert snapshots.repository.head() is None
    then = snapshots.take()
    write(workspace, {"a": "2"})
    put_back(snapshots, then)
    assert (workspace / "a").read_text() == "1"
    git(workspace, "add", "--all")
    git(workspace, "commit", "--quiet", "--message=one")
    git(workspace, "checkout", "--quiet", "--detach")
    state = private_state(workspace)
    write(workspace, {"a": "3"})
    put_back(snapshots, then)
    assert (workspace / "a").read_text() == "1" and private_state(workspace) == state


def test_files_folders_and_links_take_one_anothers_places(workspace: Path) -> None:
    repository(workspace, {"file": "f", "folder/inner": "i", "target/x": "x"})
    (workspace / "link").symlink_to("target")
    snapshots = snapshots_of(workspace)
    first, before = snapshots.take(), tree(workspace)
    clear(workspace)
    write(workspace, {"file/now/a/folder": "1", "folder": "2", "link/real": "3", "target/x": "x"})
    second, after = snapshots.take(), tree(workspace)
    put_back(snapshots, first)
    assert tree(workspace) == before
    put_back(snapshots, second)
    assert tree(workspace) == after


def test_modes_of_files_and_folders_come_back(workspace: Path) -> None:
    write(workspace, {"private/key": "k", "shared": "s", "script": "x"})
    for name, mode in {"private": 0o700, "private/key": 0o600, "shared": 0o664, "script": 0o750}.items():
        (workspace / name).chmod(mode)
    before = tree(workspace)
    snapshots = snapshots_of(workspace)
    then = snapshots.take()
    assert snapshots.repository.manifest(then.commit) == then.manifest
    clear(workspace)
    put_back(snapshots, then)
    assert tree(workspace) == before


def test_no_hook_and_no_program_of_the_repository_is_called(workspace: Path) -> None:
    repository(workspace, {"a": "1"})
    trap = workspace / ".git" / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {workspace}/.git/called\n")
    trap.chmod(0o755)
    git(workspace, "config", "core.fsmonitor", str(trap))
    for hook in ("reference-transaction", "post-index-change", "pre-commit"):
        shutil.copy(trap, workspace / ".git" / "hooks" / hook)
    snapshots = snapshots_of(workspace)
    then = snapshots.take()
    snapshots.keep("x/1", then.commit)
    write(workspace, {"a": "2"})
    put_back(snapshots, then)
    assert not (workspace / ".git" / "called").exists()


def test_snapshots_of_old_runs_are_collected(workspace: Path) -> None:
    repository(workspace, {"a": "1"})
    snapshots = snapshots_of(workspace)
    commit = snapshots.take().commit
    for ref in ("11/1", "11/2", "22/1", "undo/evt_1/before"):
        snapshots.keep(ref, commit)
    assert set(collect(snapshots, ["run_11", "run_33"])) == {"11/1", "11/2"}
    assert set(snapshots.repository.refs()) == {"22/1", "undo/evt_1/before"}
    assert "refs/heads/main" in git(workspace, "for-each-ref")
