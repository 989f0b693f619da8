"""Where the trees are kept: the workspace's git repository, or one of its own under `.descartes/`.

Only objects and refs under `refs/descartes/` are written there. The index that trees are made with is ours.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from descartes_core.errors import NotFound
from descartes_core.timetravel.git import Git, GitFailed, ignored, names, quoted
from descartes_core.timetravel.manifest import Manifest, describe, understand

REFS = "refs/descartes/"
PRIVATE = "body.git"
IN_PROGRESS = {
    "MERGE_HEAD": "a merge",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
}
_AUTHOR = {
    "GIT_AUTHOR_NAME": "Descartes",
    "GIT_AUTHOR_EMAIL": "",
    "GIT_COMMITTER_NAME": "Descartes",
    "GIT_COMMITTER_EMAIL": "",
}


class Repository:
    """The objects and refs of the workspace at ROOT; STATE is its `.descartes/`."""

    def __init__(self, root: Path, state: Path) -> None:
        if root in (home := Path.home(), *home.parents):
            raise GitFailed(
                f"expected a project, got {str(root)!r}, in which a whole home folder would be kept;"
                " work in a folder of its own"
            )
        self.root = root
        self._work = state / "body"
        self._work.mkdir(mode=0o700, parents=True, exist_ok=True)
        git_dir = git_dir_of(root)
        self.private = git_dir is None
        self.git_dir = git_dir or self._made(state / PRIVATE)
        self._index = self._work / "index"
        self.git = Git(root, self.git_dir, GIT_INDEX_FILE=str(self._index), **_AUTHOR)
        self.plain = Git(root, self.git_dir) if self.private else Git(root)
        """Git with the person's own index, which is only read."""

    def _made(self, folder: Path) -> Path:
        if not (folder / "HEAD").exists():
            Git(self.root).run("init", "--quiet", "--bare", str(folder))
        return folder

    def store_files(self, paths: Sequence[str]) -> list[str]:
        """Keep the bytes of the files PATHS, as they are on disk, and return git's names for them.

        Errors: `GitFailed`, and then nothing is known of any of them.
        """
        if not paths:
            return []
        given = b"".join(quoted(path) + b"\n" for path in paths)
        found = self.git.run("hash-object", "-w", "--no-filters", "--stdin-paths", given=given).split()
        if len(found) != len(paths):
            raise GitFailed(f"git kept {len(found)} of {len(paths)} files; try again")
        return [each.decode() for each in found]

    def store_bytes(self, contents: Sequence[bytes]) -> list[str]:
        """Keep each of CONTENTS and return git's names for them."""
        folder = self._work / "new"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            for number, content in enumerate(contents):
                (folder / str(number)).write_bytes(content)
            return self.store_files([str(folder / str(number)) for number in range(len(contents))])
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def commit(self, manifest: Manifest, changed: Mapping[str, bool] | None) -> str:
        """Return the commit that holds MANIFEST; CHANGED says what is there and what is not since the last.

        Without CHANGED the private index is made anew.
        """
        tree = self._tree(manifest, changed)
        # Equal trees at different times are equal commits: the time is not part of what is kept.
        message = describe(manifest).encode()
        dated = Git(
            self.root, self.git_dir, **_AUTHOR, GIT_AUTHOR_DATE="@0 +0000", GIT_COMMITTER_DATE="@0 +0000"
        )
        return dated.run("commit-tree", "--no-gpg-sign", tree, given=message).decode().strip()

    def _tree(self, manifest: Manifest, changed: Mapping[str, bool] | None) -> str:
        if changed is not None:
            try:
                return self._updated(manifest, changed)
            except GitFailed:
                pass  # an index that was left locked or broken by a process that was killed
        for name in ("index", "index.lock"):
            (self._work / name).unlink(missing_ok=True)
        return self._updated(manifest, dict.fromkeys(manifest.entries, True))

    def _updated(self, manifest: Manifest, changed: Mapping[str, bool]) -> str:
        gone = [path for path, there in changed.items() if not there]
        there = [path for path, there in changed.items() if there and manifest.entries[path].kind != "folder"]
        lines = [b"0 %s\t%s" % (b"0" * 40, os.fsencode(path)) for path in gone]
        for path in there:
            entry = manifest.entries[path]
            lines.append(f"{entry.git_mode} {entry.digest}\t".encode() + os.fsencode(path))
        if lines:
            self.git.run("update-index", "-z", "--index-info", given=b"\0".join(lines) + b"\0")
        return self.git.run("write-tree").decode().strip()

    def manifest(self, commit: str) -> Manifest:
        """Return the tree that COMMIT holds. Errors: `NotFound` when it is kept no longer."""
        try:
            message = self.git.run("cat-file", "commit", commit).partition(b"\n\n")[2]
            listed = self.git.run("ls-tree", "-r", "-z", "--full-tree", commit)
        except GitFailed:
            raise NotFound(
                f"The files of the snapshot {commit[:10]} are kept no longer; restore to a later point"
            ) from None
        files: dict[str, tuple[str, str]] = {}
        for line in listed.split(b"\0")[:-1]:
            about, _, path = line.partition(b"\t")
            mode, _, digest = about.decode().split(" ")
            files[os.fsdecode(path)] = mode, digest
        return understand(message.decode(), files)

    def contents(self, digests: Iterable[str], take: Callable[[str, bytes], None]) -> None:
        """Call TAKE(digest, bytes) for each of DIGESTS, in their order.

        Errors: `NotFound` when one is kept no longer; those of TAKE.
        """
        process = self.git.open("cat-file", "--batch")
        assert process.stdin is not None and process.stdout is not None
        try:
            for digest in digests:
                process.stdin.write(digest.encode() + b"\n")
                process.stdin.flush()
                header = process.stdout.readline().split()
                if len(header) != 3:
                    raise NotFound(
                        f"The bytes {digest[:10]} of a file are kept no longer; choose other files"
                    )
                size = int(header[2])
                content = process.stdout.read(size + 1)
                take(digest, content[:size])
        finally:
            process.stdin.close()
            process.stdout.close()
            process.kill()
            process.wait()

    def differing(self, one: str, other: str) -> set[str]:
        """Return the files that are not the same in the commits ONE and OTHER; modes as git knows them."""
        return set(names(self.git.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", one, other)))

    def refs(self, below: str = "") -> dict[str, str]:
        """Return the commit of every ref of ours whose name, without `refs/descartes/`, begins with BELOW."""
        listed = self.git.run("for-each-ref", "--format=%(objectname) %(refname)", REFS + below)
        rows = [line.partition(" ") for line in listed.decode().splitlines()]
        return {name.removeprefix(REFS): commit for commit, _, name in rows}

    def set_ref(self, name: str, commit: str) -> None:
        """Keep COMMIT under `refs/descartes/NAME`."""
        self.git.run("update-ref", REFS + name, commit)

    def drop_refs(self, refs: Iterable[str]) -> None:
        """Drop REFS, names without `refs/descartes/`; git collects what they alone kept when it likes."""
        given = "".join(f"delete {REFS}{name}\n" for name in refs)
        if given:
            self.git.run("update-ref", "--stdin", given=given.encode())

    def ignored(self, rules: Mapping[str, str], paths: Sequence[str]) -> set[str]:
        """Return those of PATHS that are ignored where RULES, digests of `.gitignore` files by path, hold."""
        if not paths:
            return set()
        # Several may ask at once, each about rules of its own.
        with tempfile.TemporaryDirectory(prefix="rules-", dir=self._work) as name:
            folder, targets = Path(name), list(rules)

            def put(digest: str, content: bytes) -> None:
                file = folder / targets.pop(0)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)

            self.contents([rules[path] for path in rules], put)
            return ignored(Git(folder, self.git_dir), paths)

    def in_progress(self) -> str | None:
        """Return what git is in the middle of here, `a merge`, or None."""
        if self.private:
            return None
        return next((what for name, what in IN_PROGRESS.items() if (self.git_dir / name).exists()), None)

    def head(self) -> str | None:
        """Return the commit that is checked out, None where there is none yet."""
        if self.private:
            return None
        found = self.plain.run("rev-parse", "--verify", "--quiet", "HEAD", allowed=(0, 1)).decode().strip()
        return found or None


def git_dir_of(root: Path) -> Path | None:
    """Return the git folder whose work tree ROOT lies in; None when there is none, or it ignores ROOT."""
    git = Git(root)
    found = git.run(
        "rev-parse", "--is-inside-work-tree", "--absolute-git-dir", "--show-prefix", allowed=(0, 128)
    )
    lines = os.fsdecode(found).split("\n")
    if lines[0] != "true":
        return None
    if lines[2] and git.succeeds("check-ignore", "--quiet", "."):
        return None
    return Path(lines[1])
