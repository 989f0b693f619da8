"""Git's hooks with which the guard is called: put in behind those that are there, and taken out again.

Where the repository uses its own folder of hooks, an earlier hook is kept beside ours and called first.
Where it uses another folder (`core.hooksPath`: shared by repositories, or tracked, as husky's), that folder
stays as it is: ours lies in the git directory, calls every hook of the other, and `core.hooksPath` of this
one repository names it.
"""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from descartes_core.errors import InvalidParams, NotFound
from descartes_server.operations.guarding import HOOKS

MARK = "# descartes guard"
KEPT = ".before-descartes"
OWN_FOLDER = "descartes-hooks"
SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash"})
OTHER_HOOKS = (
    "applypatch-msg", "pre-applypatch", "post-applypatch", "pre-merge-commit", "prepare-commit-msg",
    "commit-msg", "post-commit", "pre-rebase", "post-checkout", "post-merge", "post-rewrite",
    "post-index-change", "push-to-checkout", "pre-auto-gc", "sendemail-validate", "reference-transaction",
)  # fmt: skip
"""The hooks of a client that we only pass on."""

Mode = Literal["block", "warn"]


@dataclass(frozen=True)
class Repository:
    """The git repository around FOLDER, as far as its hooks go."""

    folder: Path
    common: Path
    """The git directory that all its worktrees share."""
    hooks: Path
    """Where git looks for hooks now."""

    @classmethod
    def of(cls, folder: Path) -> Repository:
        """Return the repository of FOLDER. Errors: `NotFound` when there is none."""
        found = _git(folder, "rev-parse", "--path-format=absolute", "--git-common-dir", "--git-path", "hooks")
        if found is None:
            raise NotFound(
                f"expected a git repository at {str(folder)!r}, there is none; `git init` makes one"
            )
        common, hooks = found.splitlines()
        return cls(folder, Path(common), Path(os.path.normpath(hooks)))

    @property
    def own(self) -> Path:
        return self.common / OWN_FOLDER

    @property
    def is_shared(self) -> bool:
        """Whether the hooks lie in a folder that is not this repository's alone to change."""
        return self.hooks != self.own and not self.hooks.is_relative_to(self.common)

    def mode(self, hook: str) -> Mode | None:
        """Return how the guard is called from HOOK, None when it is not."""
        # Other programs put such a hook aside under a name of theirs and call it, as `pre-commit` does.
        for name in (hook, f"{hook}.legacy"):
            text = _text(self.hooks / name)
            if MARK in text:
                return "warn" if " --warn " in text else "block"
        return None

    def earlier(self, hook: str) -> Path | None:
        """Return the hook that is called before ours."""
        kept = self.hooks / f"{hook}{KEPT}"
        if kept.exists():
            return kept
        before = _text(self.own / "before").strip()
        there = Path(self.folder, before, hook) if self.hooks == self.own and before else None
        return there if there is not None and there.exists() else None


def install(repository: Repository, mode: Mode) -> None:
    """Let git call the guard from both hooks in MODE; a second call only changes the mode.

    Errors: `InvalidParams` when git looks for hooks elsewhere all the same.
    """
    if repository.is_shared:
        _go_own_way(repository)
        folder, before = repository.own, _text(repository.own / "before").strip()
    else:
        folder = repository.hooks
        before = _text(repository.own / "before").strip() if folder == repository.own else ""
    folder.mkdir(parents=True, exist_ok=True)
    for hook in HOOKS:
        earlier = _passing_on(before, hook) if before else _kept(folder, hook)
        _write(folder / hook, _script(hook, mode, earlier))
    for hook in OTHER_HOOKS if before else ():
        _write(folder / hook, f"#!/bin/sh\n{MARK}: only passes on\n{_passing_on(before, hook)}")
    if Repository.of(repository.folder).hooks != folder:
        raise InvalidParams(
            f"expected git to look for hooks in {str(folder)!r}, it does not; unset core.hooksPath"
        )


def uninstall(repository: Repository) -> bool:
    """Take the guard out again and put back what was there; returns whether there was one."""
    was_there = any(repository.mode(hook) for hook in HOOKS)
    if repository.hooks == repository.own:
        _git(repository.folder, "config", "--local", "--unset-all", "core.hooksPath")
        own_setting = _text(repository.own / "setting").strip()
        if own_setting:
            _git(repository.folder, "config", "--local", "core.hooksPath", own_setting)
    if repository.own.is_dir():
        for file in sorted(repository.own.iterdir()):
            file.unlink()
        repository.own.rmdir()
    if repository.hooks != repository.own:
        for hook in HOOKS:
            _take_out(repository.hooks, hook)
    return was_there


def _go_own_way(repository: Repository) -> None:
    """Let this one repository use hooks of its own, which pass everything on to those it has used."""
    configured = _git(repository.folder, "config", "--get", "core.hooksPath")
    local = _git(repository.folder, "config", "--local", "--get", "core.hooksPath")
    repository.own.mkdir(exist_ok=True)
    # A relative one is meant from the top of each worktree, which is where git calls hooks.
    (repository.own / "before").write_text((configured or str(repository.hooks)).strip(), encoding="utf-8")
    (repository.own / "setting").write_text((local or "").strip(), encoding="utf-8")
    _git(repository.folder, "config", "--local", "core.hooksPath", str(repository.own))


def _kept(folder: Path, hook: str) -> str:
    """Put an earlier HOOK aside and return the lines of a script that call it; none when there was none."""
    file, kept = folder / hook, folder / f"{hook}{KEPT}"
    if file.exists() and MARK not in _text(file):
        file.replace(kept)
    if not kept.exists():
        return ""
    return _calling(kept, file)


def _calling(kept: Path, name: Path) -> str:
    """Return the lines that call KEPT, which a shell script believes to be called NAME."""
    first = _text(kept).partition("\n")[0]
    words = shlex.split(first.removeprefix("#!")) if first.startswith("#!") else []
    words = words[1:] if words and Path(words[0]).name == "env" else words
    call = '"$before" "$@"'
    if words and Path(words[0]).name in SHELLS:
        # Many scripts look at $0 to find out what they are and what lies beside them.
        call = f'{shlex.join(words)} -c \'. "$DESCARTES_BEFORE"\' {shlex.quote(str(name))} "$@"'
    return _called(str(kept), f'DESCARTES_BEFORE="$before" {call}')


def _passing_on(before: str, hook: str) -> str:
    folder = Path(before).expanduser() if before.startswith("~") else Path(before)
    return _called(str(folder / hook), '"$before" "$@"')


def _called(before: str, call: str) -> str:
    with_input = f'printf %s "$input" | {call}' if before.rpartition("/")[2].startswith("pre-push") else call
    return f'before={shlex.quote(before)}\nif [ -x "$before" ]; then {with_input} || exit $?; fi\n'


def _script(hook: str, mode: Mode, earlier: str) -> str:
    warn = " --warn" if mode == "warn" else ""
    own = f'"$python" -P -m descartes_server.operations.guarding{warn} {hook} "$@"'
    other = f'descartes guard check{warn} {hook} "$@"'
    reads = "input=$(cat; echo .); input=${input%.}\n" if hook == "pre-push" else ""
    fed = 'printf %s "$input" | ' if hook == "pre-push" else ""
    return (
        "#!/bin/sh\n"
        f"{MARK}: what others have leased is not changed; `descartes guard uninstall` takes this out\n"
        f"{reads}{earlier}"
        f"python={shlex.quote(sys.executable)}\n"
        f'if [ -x "$python" ]; then {fed}{own}\n'
        f"elif command -v descartes >/dev/null 2>&1; then {fed}{other}\n"
        'else echo "descartes: $python is gone, leases were not checked; run descartes guard install" >&2\n'
        "fi\n"
    )


def _take_out(folder: Path, hook: str) -> None:
    kept = folder / f"{hook}{KEPT}"
    for file in (folder / hook, folder / f"{hook}.legacy"):
        if MARK in _text(file):
            file.unlink()
            if kept.exists():
                kept.replace(file)


def _write(file: Path, text: str) -> None:
    made = file.with_name(f"{file.name}.descartes-new")
    made.write_text(text, encoding="utf-8")
    made.chmod(made.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    made.replace(file)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _git(folder: Path, *words: str) -> str | None:
    """Return what git says in FOLDER, None when it refuses. What an outer git set does not count."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_DIR")}
    for name in ("GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_COMMON_DIR"):
        environment.pop(name, None)
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(folder), *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise InvalidParams(f"expected git to answer, it did not: {problem}; install git") from None
    return done.stdout if done.returncode == 0 else None
