"""The guard in git's hooks: real repositories, real commits and pushes, the program as a person calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import PolicyDenied
from descartes_core.leases import Leases
from descartes_core.model import Principal
from descartes_core.store import EventQuery, Reader, Redactor, Store
from descartes_server.operations import guard_hooks, principals
from descartes_server.operations.guard_hooks import Mode, Repository

Descartes = Callable[..., Awaitable[Any]]
FIXER = Principal(kind="agent", id="fixer", name="fixer")
SHAPES = "(defun area (s) s)\n\n(defun perimeter (s) s)\n"


@pytest.fixture(autouse=True)
def git_of_ann(isolated_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = isolated_environment / "gitconfig"
    config.write_text(
        "[user]\n\tname = Ann Lisper\n\temail = ann@example.org\n[init]\n\tdefaultBranch = main\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("LOGNAME", "ann")
    for name in ("DESCARTES_HOLDER", "DESCARTES_GUARD"):
        monkeypatch.delenv(name, raising=False)


def git(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run git in FOLDER; the program's own folder is not on its PATH."""
    elsewhere = os.environ["PATH"].split(os.pathsep)
    path = os.pathsep.join(each for each in elsewhere if each != str(Path(sys.executable).parent))
    return subprocess.run(
        ["git", *words],
        cwd=folder,
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def install(folder: Path, mode: Mode = "block") -> None:
    """Put the guard into the hooks of FOLDER, as `descartes guard install` does in the hub."""
    guard_hooks.install(Repository.of(folder), mode)


@pytest.fixture
def repository(workspace: Path) -> Path:
    """Return the workspace as a repository with a commit of `a.txt` and `shapes.lisp`."""
    git(workspace, "init")
    (workspace / "a.txt").write_text("one\n")
    (workspace / "shapes.lisp").write_text(SHAPES)
    commit(workspace)
    return workspace


def commit(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Commit everything in FOLDER."""
    git(folder, "add", "-A")
    return git(folder, "commit", "-m", "work", *words, **environment)


async def hold(folder: Path, path: str, holder: Principal = FIXER, **more: Any) -> None:
    """Let HOLDER have PATH; written straight into the log, as no hub is needed."""
    store = await Store.open(folder / ".descartes" / "descartes.db")
    leases = Leases(store, folder)
    await leases.acquire(path, holder, **{"reason": "tidying", **more})
    await leases.close()
    await store.close()


async def decisions(folder: Path) -> list[tuple[str, list[str]]]:
    reader = await Reader.open(folder / ".descartes" / "descartes.db")
    found = (await reader.events(EventQuery(type="guard", order="asc"))).events
    await reader.close()
    return [(event.name, event.data["paths"]) for event in found if "paths" in event.data]


async def test_a_commit_of_what_another_holds_is_refused_and_named(
    repository: Path, descartes: Descartes
) -> None:
    installed = json.loads((await descartes("guard", "install", "--json")).out)
    assert installed["installed"] and [h["mode"] for h in installed["hooks"]] == ["block", "block"]
    assert (await descartes("hub", "stop")).status == 0
    await hold(repository, "a.txt")
    (repository / "a.txt").write_text("two\n")
    (repository / "b.txt").write_text("free\n")
    refused = commit(repository)
    assert refused.returncode == 1
    assert "a.txt  held by fixer (agent) for 'tidying' until" in refused.stderr
    assert "b.txt" not in refused.stderr
    assert commit(repository, DESCARTES_HOLDER="agent:fixer").returncode == 0
    assert await decisions(repository) == [("guard.refused", ["a.txt"])]


async def test_both_names_of_a_rename_and_a_deletion_count(repository: Path) -> None:
    install(repository)
    await hold(repository, "new.txt")
    git(repository, "mv", "a.txt", "new.txt")
    assert "new.txt  held by" in commit(repository).stderr
    git(repository, "mv", "new.txt", "other.txt")
    assert commit(repository).returncode == 0
    await hold(repository, "other.txt")
    git(repository, "mv", "other.txt", "third.txt")
    assert "other.txt  held by" in commit(repository).stderr
    git(repository, "rm", "-f", "third.txt")
    assert "other.txt  held by" in commit(repository).stderr


@pytest.mark.parametrize("leased", ["*.txt", ".", "sub/**"])
async def test_globs_and_folders_are_held_too(repository: Path, leased: str) -> None:
    install(repository)
    await hold(repository, leased)
    (repository / "sub").mkdir()
    (repository / ("sub/x" if "sub" in leased else "a.txt")).write_text("two\n")
    assert commit(repository).returncode == 1


async def test_of_a_leased_form_only_a_change_inside_it_is_refused(repository: Path) -> None:
    install(repository)
    await hold(repository, "shapes.lisp#area")
    file = repository / "shapes.lisp"
    file.write_text(SHAPES.replace("perimeter (s) s", "perimeter (s) (* 4 s)"))
    assert commit(repository).returncode == 0
    file.write_text(file.read_text().replace("area (s) s", "area (s) (* s s)"))
    refused = commit(repository)
    assert refused.returncode == 1 and "shapes.lisp  held by fixer" in refused.stderr
    assert "the form area" in refused.stderr


async def test_a_push_is_refused_also_when_the_commits_came_another_way(repository: Path) -> None:
    git(repository.parent, "init", "--bare", "there.git")
    git(repository, "remote", "add", "origin", "../there.git")
    assert git(repository, "push", "origin", "main").returncode == 0
    install(repository)
    (repository / "a.txt").write_text("two\n")
    assert commit(repository, "--no-verify").returncode == 0
    await hold(repository, "a.txt")
    refused = git(repository, "push", "origin", "main")
    assert refused.returncode == 1 and "this push was refused" in refused.stderr
    assert git(repository, "push", "origin", "main:elsewhere").returncode == 1
    assert git(repository, "push", "origin", "HEAD~1:refs/heads/old").returncode == 0
    assert git(repository, "push", "origin", ":old").returncode == 0
    assert git(repository, "push", "origin", "main", DESCARTES_GUARD="off").returncode == 0
    assert [name for name, _ in await decisions(repository)] == [
        "guard.refused",
        "guard.refused",
        "guard.bypassed",
    ]


async def test_it_may_only_warn_and_be_told_to_look_away_once(repository: Path, descartes: Descartes) -> None:
    await descartes("guard", "install")
    await descartes("guard", "install", "--warn")
    status = json.loads((await descartes("guard", "status", "--json")).out)
    assert [each["mode"] for each in status["hooks"]] == ["warn", "warn"]
    await hold(repository, "a.txt")
    (repository / "a.txt").write_text("two\n")
    warned = commit(repository)
    assert warned.returncode == 0 and "a.txt  held by fixer" in warned.stderr
    await descartes("guard", "install")
    (repository / "a.txt").write_text("three\n")
    assert commit(repository, DESCARTES_GUARD="off").returncode == 0
    (repository / "a.txt").write_text("four\n")
    assert commit(repository).returncode == 1
    assert await decisions(repository) == [
        ("guard.warned", ["a.txt"]),
        ("guard.bypassed", ["a.txt"]),
        ("guard.refused", ["a.txt"]),
    ]


async def test_an_earlier_hook_is_called_first_and_comes_back(repository: Path) -> None:
    hook = repository / ".git" / "hooks" / "pre-push"
    text = '#!/bin/bash -e\nread line; echo "earlier $0 $1 $line" >&2\n[ ! -e veto ]\n'
    hook.write_text(text)
    hook.chmod(0o755)
    git(repository.parent, "init", "--bare", "there.git")
    git(repository, "remote", "add", "origin", "../there.git")
    install(repository)
    install(repository)
    (repository / "a.txt").write_text("two\n")
    commit(repository)
    await hold(repository, "a.txt")
    refused = git(repository, "push", "origin", "main")
    assert refused.returncode == 1
    assert f"earlier {hook} origin refs/heads/main " in refused.stderr and "held by fixer" in refused.stderr
    (repository / "veto").touch()
    vetoed = git(repository, "push", "origin", "main", DESCARTES_HOLDER="agent:fixer")
    assert vetoed.returncode == 1 and "held by" not in vetoed.stderr
    (repository / "veto").unlink()
    assert git(repository, "push", "origin", "main", DESCARTES_HOLDER="agent:fixer").returncode == 0
    assert guard_hooks.uninstall(Repository.of(repository))
    assert hook.read_text() == text
    assert sorted(each.name for each in hook.parent.iterdir() if ".sample" not in each.name) == ["pre-push"]


HUSKY = '#!/usr/bin/env sh\n. "$(dirname "$0")/h"\n'
HUSKY_H = (
    'n=$(basename "$0"); s=$(dirname "$(dirname "$0")")/$n; [ -f "$s" ] || exit 0; sh -e "$s" "$@"; exit $?\n'
)


async def test_hooks_of_the_project_or_of_all_projects_stay_as_they_are(
    repository: Path, descartes: Descartes
) -> None:
    own = repository / ".husky" / "_"
    own.mkdir(parents=True)
    (own / "h").write_text(HUSKY_H)
    for name in ("pre-commit", "commit-msg"):
        (own / name).write_text(HUSKY)
        (own / name).chmod(0o755)
        (repository / ".husky" / name).write_text(f'echo "husky {name} $#" >&2\n')
    git(repository, "config", "core.hooksPath", ".husky/_")
    before = sorted((each, each.read_text()) for each in own.iterdir())
    await descartes("guard", "install")
    await descartes("guard", "install", "--warn")
    await descartes("guard", "install")
    (repository / "a.txt").write_text("two\n")
    done = commit(repository)
    assert done.returncode == 0
    assert "husky pre-commit 0" in done.stderr and "husky commit-msg 1" in done.stderr
    await hold(repository, "a.txt")
    (repository / "a.txt").write_text("three\n")
    assert "held by fixer" in commit(repository).stderr
    status = json.loads((await descartes("guard", "status", "--json")).out)
    assert status["installed"] and status["hooks"][0]["earlier"].endswith(".husky/_/pre-commit")
    await descartes("guard", "uninstall")
    assert git(repository, "config", "core.hooksPath").stdout == ".husky/_\n"
    assert sorted((each, each.read_text()) for each in own.iterdir()) == before
    assert not (repository / ".git" / "descartes-hooks").exists()


async def test_a_linked_worktree_is_guarded_and_its_files_are_its_own(repository: Path) -> None:
    install(repository)
    linked = repository.parent / "linked"
    git(repository, "worktree", "add", str(linked))
    await hold(repository, "a.txt")
    (linked / "a.txt").write_text("two\n")
    assert commit(linked).returncode == 0
    await hold(repository, str(linked / "a.txt"))
    (linked / "a.txt").write_text("three\n")
    assert commit(linked).returncode == 1


async def test_the_first_commit_and_one_of_some_files_are_checked(workspace: Path) -> None:
    git(workspace, "init")
    install(workspace)
    await hold(workspace, "a b.txt")
    for name in ("a b.txt", "c.txt"):
        (workspace / name).write_text("x")
    assert "a b.txt  held by fixer" in commit(workspace).stderr
    assert git(workspace, "commit", "-m", "one", "c.txt").returncode == 0
    assert git(workspace, "commit", "-m", "two", "a b.txt").returncode == 1


async def test_who_commits_is_the_run_whatever_it_says_of_itself(repository: Path) -> None:
    install(repository)
    await hold(repository, "a.txt")
    (repository / "a.txt").write_text("two\n")
    refused = commit(repository, DESCARTES_HOLDER="agent:fixer", DESCARTES_RUN="run_1")
    assert refused.returncode == 1
    nonsense = commit(repository, DESCARTES_HOLDER="fixer")
    assert nonsense.returncode == 1 and "DESCARTES_HOLDER: expected a holder as KIND:NAME" in nonsense.stderr


def test_who_calls_itself_by_an_address_is_known_again() -> None:
    redactor = Redactor()
    ann, bob = (principals.parse(f"agent:{name}@example.org") for name in ("ann", "bob"))
    kept = principals.kept(ann, redactor)
    assert kept.name == "‹email›" and "ann" not in kept.id and principals.kept(kept, redactor) == kept
    assert principals.fits(kept, ann) and principals.fits(kept, kept) and not principals.fits(kept, bob)
    assert not principals.fits(kept, principals.parse("human:ann@example.org"))


async def test_a_guard_that_cannot_look_keeps_nobody_from_working(repository: Path) -> None:
    install(repository)
    (repository / ".descartes").mkdir()
    (repository / ".descartes" / "descartes.db").write_text("no log at all " * 400)
    (repository / "a.txt").write_text("two\n")
    done = commit(repository)
    assert done.returncode == 0 and "the leases were not checked" in done.stderr
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.write_text(hook.read_text().replace(sys.executable, "/nowhere/python"))
    (repository / "a.txt").write_text("three\n")
    done = commit(repository)
    assert done.returncode == 0 and "/nowhere/python is gone" in done.stderr


async def test_where_there_is_no_repository_that_is_said(descartes: Descartes) -> None:
    refused = await descartes("guard", "install")
    assert refused.status == 2 and "expected a git repository" in refused.err
    assert json.loads((await descartes("guard", "status", "--json")).out)["installed"] is False
    assert (await descartes("guard", "check", "post-commit")).status == 1


async def test_an_agent_may_not_take_the_guard_out(repository: Path, client: Any) -> None:
    install(repository)
    with pytest.raises(PolicyDenied):
        await client(principal=FIXER).call("guard.uninstall")
    assert Repository.of(repository).mode("pre-commit") == "block"


@pytest.mark.parametrize("module", ["guarding", "pre_tool"])
def test_what_a_commit_or_a_tool_waits_for_imports_little(module: str) -> None:
    heavy = ("aiosqlite", "asyncio", "click", "git", "tree_sitter", "pygls", "descartes_core.store")
    code = (
        f"import sys, descartes_server.operations.{module}; print([m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
