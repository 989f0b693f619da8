"""Plain git as it may be called in anybody's repository: no hook, no filter, no lock of theirs.

Nothing here blocks a loop by itself, but everything here takes milliseconds: call it in a thread.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from descartes_core.errors import Unsupported

SAFE = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.untrackedCache=false",
    "core.splitIndex=false",
    "core.logAllRefUpdates=false",
    "core.protectNTFS=false",
    "core.protectHFS=false",
    "core.bigFileThreshold=32m",
    "index.threads=1",
    "gc.auto=0",
)
"""Settings that win over the repository's: a repository can name a program in some of them."""
TIMEOUT_S = 600
"""How long git may take to keep a whole work tree."""
ASKING_S = 60
"""How long it may take to answer a question."""


class GitFailed(Unsupported):
    """Git refused; the message is its own first line."""


class Git:
    """Calls git with the work tree ROOT and the git folder GIT_DIR; None: the one that ROOT lies in."""

    def __init__(self, root: Path, git_dir: Path | None = None, **environment: str) -> None:
        self.root = root
        self.git_dir = git_dir
        settings = [word for setting in SAFE for word in ("-c", setting)]
        self._command = ["git", *settings]
        if git_dir is not None:
            self._command += [f"--git-dir={git_dir}", f"--work-tree={root}"]
        # What a hook or another git left in our environment would lead us to their index.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        self._environment = inherited | {
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
            **environment,
        }

    def run(
        self,
        *words: str | bytes,
        given: bytes = b"",
        allowed: Sequence[int] = (0,),
        timeout_s: float = TIMEOUT_S,
    ) -> bytes:
        """Return what `git WORDS` prints, with GIVEN on its standard input.

        Errors: `GitFailed` for an exit status that is not ALLOWED, after TIMEOUT_S, or when there is no git.
        """
        done = self._run(words, given, timeout_s)
        if done.returncode not in allowed:
            said = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0] or "no reason given"
            raise GitFailed(f"git {os.fsdecode(words[0])} failed in {str(self.root)!r}: {said}")
        return done.stdout

    def succeeds(self, *words: str | bytes, given: bytes = b"") -> bool:
        """Return whether `git WORDS` exits with 0."""
        return self._run(words, given, ASKING_S).returncode == 0

    def open(self, *words: str) -> subprocess.Popen[bytes]:
        """Return `git WORDS` running, with pipes for input and output."""
        return subprocess.Popen(
            [*self._command, *words],
            cwd=self.root,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def _run(
        self, words: Iterable[str | bytes], given: bytes, timeout_s: float
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                [*self._command, *words],
                cwd=self.root,
                env=self._environment,
                input=given,
                capture_output=True,
                timeout=timeout_s,
                check=False,
            )
        except FileNotFoundError:
            raise GitFailed(
                "expected git on the PATH, which keeps the files for a restore; it is not there"
            ) from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise GitFailed(f"git could not be run in {str(self.root)!r}: {error}") from None


def names(output: bytes) -> list[str]:
    """Return the names that OUTPUT, of a command with `-z`, consists of."""
    return [os.fsdecode(each) for each in output.split(b"\0") if each]


def ignored(git: Git, paths: Sequence[str]) -> set[str]:
    """Return those of PATHS, seen from the root of GIT, that it ignores."""
    # A name may look like pathspec magic, which check-ignore refuses: `:(top)`.
    given = b"".join(b"./" + os.fsencode(path) + b"\0" for path in paths)
    words = ("check-ignore", "-z", "--stdin", "--no-index")
    found = names(git.run(*words, given=given, allowed=(0, 1), timeout_s=ASKING_S))
    return {path.removeprefix("./") for path in found}


def quoted(path: str) -> bytes:
    """Return PATH as one line of a list that git reads: in double quotes where it has to be."""
    raw = os.fsencode(path)
    if not any(each in raw for each in b'\n"\\') and raw.isascii() and raw == raw.strip():
        return raw
    inside = raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + inside + b'"'
