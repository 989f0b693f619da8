"""What a work tree consists of, as data: every file, link and folder with its mode."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote_from_bytes, unquote_to_bytes

Kind = Literal["file", "link", "folder"]
GIT_MODES: dict[Kind, str] = {"file": "100644", "link": "120000", "folder": "040000"}
KEYS = (("file", False), ("file", True), ("folder", True))
"""What has a usual mode each: files, executable files, folders."""
TITLE = "The files of a workspace, kept by Descartes"


@dataclass(frozen=True)
class Entry:
    """One thing in a tree. DIGEST is git's name for the bytes of a file or the target of a link."""

    kind: Kind
    mode: int = 0
    """The permission bits; 0 for a link, which has none."""
    digest: str = ""

    @property
    def git_mode(self) -> str:
        """Return the mode that git knows."""
        return "100755" if self.kind == "file" and self.mode & 0o100 else GIT_MODES[self.kind]


@dataclass
class Manifest:
    """A work tree: ENTRIES by path from its root, and what was LEFT out of it, with the reason.

    A name that is no UTF-8 is held as Python holds it (`os.fsdecode`); `shown` makes text of it.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


def shown(path: str) -> str:
    """Return PATH as text that JSON can hold: bytes that are no UTF-8 as `\\xe9`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def parents(path: str) -> list[str]:
    """Return the folders PATH lies in, the innermost first."""
    found = []
    while "/" in path:
        path = path.rpartition("/")[0]
        found.append(path)
    return found


def describe(manifest: Manifest) -> str:
    """Return what a git tree cannot hold of MANIFEST, as the message of its commit: `understand` reads it."""
    modes = Counter(map(_kind_and_mode, manifest.entries.values()))
    usual: dict[tuple[str, bool], int] = {}
    lines = [TITLE, ""]
    for key in KEYS:
        of_key = {mode: count for (found, mode), count in modes.items() if found == key}
        usual[key] = max(of_key, key=of_key.__getitem__, default=0)
        lines.append(f"Usual: {usual[key]:o}")
    full = {path.rpartition("/")[0] for path in manifest.entries}
    common = set(usual.items()) | {(("link", False), 0)}
    told = [
        (path, entry)
        for path, entry in manifest.entries.items()
        if (entry.kind == "folder" and path not in full) or _kind_and_mode(entry) not in common
    ]
    for path, entry in sorted(told, key=lambda each: each[0]):
        if entry.kind == "folder" and path not in full:
            lines.append(f"Empty: {_quoted(path)}")
        if _kind_and_mode(entry) not in common:
            lines.append(f"Mode: {entry.mode:o} {_quoted(path)}")
    lines += [f"Left: {_quoted(path)} {reason}" for path, reason in sorted(manifest.left.items())]
    return "\n".join(lines) + "\n"


def understand(message: str, files: Mapping[str, tuple[str, str]]) -> Manifest:
    """Return the manifest of a commit: its MESSAGE, and git's mode and digest of its FILES."""
    found = _Message()
    for line in message.splitlines():
        word, _, rest = line.partition(": ")
        found.take(word, rest)
    usual = dict(zip(KEYS, found.usual, strict=True))
    entries: dict[str, Entry] = {}
    folders = {folder for path in [*files, *found.empty] for folder in parents(path)} | set(found.empty)
    for path in folders:
        entries[path] = Entry("folder", found.modes.get(path, usual["folder", True]))
    for path, (mode, digest) in files.items():
        if mode == GIT_MODES["link"]:
            entries[path] = Entry("link", 0, digest)
        else:
            entries[path] = Entry("file", found.modes.get(path, usual["file", mode == "100755"]), digest)
    return Manifest(entries, found.left)


@dataclass
class _Message:
    usual: list[int] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    modes: dict[str, int] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    def take(self, word: str, rest: str) -> None:
        """Take one line, WORD: REST, into account."""
        first, _, second = rest.partition(" ")
        if word == "Usual":
            self.usual.append(int(first, 8))
        elif word == "Empty":
            self.empty.append(_unquoted(first))
        elif word == "Mode":
            self.modes[_unquoted(second)] = int(first, 8)
        elif word == "Left":
            self.left[_unquoted(first)] = second


def _kind_and_mode(entry: Entry) -> tuple[tuple[str, bool], int]:
    return (entry.kind, entry.kind == "folder" or bool(entry.mode & 0o100)), entry.mode


def _quoted(path: str) -> str:
    return quote_from_bytes(os.fsencode(path))


def _unquoted(text: str) -> str:
    return os.fsdecode(unquote_to_bytes(text))
