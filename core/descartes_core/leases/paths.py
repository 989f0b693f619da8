"""What a lease is about: a file, a folder, a glob or one top-level form, under one name each.

Two spellings of one file give one path: links are followed, `./a/../b` is `b`, and on a file system that
ignores case the spelling on disk counts. Nothing here needs the file to exist.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from descartes_core.errors import InvalidParams

LONGEST_PATH, LONGEST_NAME = 4096, 255
"""Bytes; more, no system we know can open."""
_WILD = re.compile(r"[*?\[]")
_FORM = re.compile(r"(.+?\.\w+)#(.+)", re.DOTALL)
_TOKENS = re.compile(r"\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)
_ANY_DEPTH = ("**",)


def leased_form(path: str, uri: str) -> str | None:
    """Return the form that the lease of PATH is about, None when it is about files; URI is the file's.

    Example: leased_form("a.lisp#FOO", "file:///w/a.lisp") -> "FOO"; leased_form("x/#1.lisp", …) -> None
    """
    found = _FORM.fullmatch(path)
    return None if found is None or unquote(uri).endswith(path) else found[2]


@dataclass(frozen=True)
class LeasePath:
    """A thing that can be leased. TEXT is its one name: `src/a.lisp`, `src/*.lisp`, `src/a.lisp#FOO`."""

    text: str
    file: str
    """TEXT without the form; relative to the workspace, absolute outside it; `.` is the workspace."""
    form: str | None = None
    glob: bool = False
    folder: bool = False
    """An existing folder: the lease covers everything in it."""

    @property
    def pattern(self) -> bool:
        """Whether it covers more than one file."""
        return self.glob or self.folder


class Paths:
    """Names the files of the workspace WORKSPACE."""

    def __init__(self, workspace: Path, *, ignores_case: bool | None = None) -> None:
        self.root = os.path.realpath(workspace)
        self._ignores_case = _ignores_case(self.root) if ignores_case is None else ignores_case

    def of(self, path: str | Path) -> LeasePath:
        """Return what PATH means: a `file:` URI, or a path from the workspace with an optional glob or form.

        Errors: `InvalidParams` when it is no path that can stand in JSON.
        Example: of("./a/../src/f.lisp") -> LeasePath("src/f.lisp", …); of("src/*.lisp") -> a glob;
        of("src/f.lisp#FOO") -> the form FOO, unless there is a file of that whole name.
        """
        text = str(path)
        _check(text)
        if text.startswith("file:"):
            return self._of_uri(text)
        found = self._plain(text)
        if os.path.lexists(Path(self.root, text)):
            return found
        if _WILD.search(text):
            return self._glob(text)
        form = _FORM.fullmatch(text)
        return self._form(form[1], form[2]) if form else found

    def covering(self, path: str | Path) -> LeasePath:
        """Return what a change of the file or folder PATH can change, whatever characters its name has.

        That is the whole workspace for a folder that contains it. Errors: as of `of`.
        """
        text = str(path)
        _check(text)
        real = os.path.realpath(Path(self.root, text))
        return self._plain(self.root if self.root.startswith(real.rstrip("/") + "/") else text)

    def coverings(self, files: Iterable[str | Path]) -> list[LeasePath]:
        """Return `covering` of each of FILES but those that no lease can have; many calls of the system."""
        found: list[LeasePath] = []
        for file in files:
            with suppress(InvalidParams):
                found.append(self.covering(file))
        return found

    def uri(self, path: LeasePath) -> str:
        """Return the `file:` URI of PATH; for a form that of its file."""
        return Path(self.root, path.file).as_uri()

    def _of_uri(self, text: str) -> LeasePath:
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            raise InvalidParams(f"Expected the URI of a file on this machine, got {text!r}; give file:///…")
        file = unquote(parts.path)
        _check(file)
        return self._form(file, unquote(parts.fragment)) if parts.fragment else self._plain(file)

    def _plain(self, text: str) -> LeasePath:
        real = os.path.realpath(Path(self.root, text))
        if self._ignores_case:
            real = _spelling_on_disk(real)
        file, folder = self._relative(real), Path(real).is_dir()
        if folder and self.root.startswith(real.rstrip("/") + "/"):
            # Names inside the workspace are relative, those outside absolute: no pattern may span both.
            raise InvalidParams(
                f"Expected a path that does not contain the workspace, got {real!r}; lease '.'"
            )
        return LeasePath(file, file, folder=folder)

    def _form(self, file: str, form: str) -> LeasePath:
        whole = self._plain(file)
        return LeasePath(f"{whole.file}#{form}", whole.file, form=form)

    def _glob(self, text: str) -> LeasePath:
        segments = text.split("/")
        first = next(index for index, segment in enumerate(segments) if _WILD.search(segment))
        base, rest = "/".join(segments[:first]) or ("/" if first else "."), segments[first:]
        rest = [segment for segment in rest if segment not in ("", ".")]
        if ".." in rest:
            raise InvalidParams(f"Expected no '..' behind a wildcard, got {text!r}; name the folder directly")
        folder = self._plain(base).file
        file = "/".join(rest) if folder == "." else "/".join([folder.rstrip("/"), *rest])
        return LeasePath(file, file, glob=True)

    def _relative(self, real: str) -> str:
        if real == self.root:
            return "."
        prefix = self.root.rstrip("/") + "/"
        return real[len(prefix) :] if real.startswith(prefix) else real


def overlap(one: LeasePath, other: LeasePath) -> bool:
    """Return whether a change to ONE can be a change to OTHER.

    Two globs overlap when some name fits both; character classes are taken to fit one another.
    """
    if not one.pattern and not other.pattern:
        return one.file == other.file and (one.form is None or other.form is None or _same(one, other))
    return _meet(_segments(one), _segments(other), _ANY_DEPTH, _names_meet)


def _same(one: LeasePath, other: LeasePath) -> bool:
    """Whether both are one form: in the languages that we know case tells no two definitions apart."""
    return (one.form or "").casefold() == (other.form or "").casefold()


T = TypeVar("T")


def _meet(one: Sequence[T], other: Sequence[T], star: T, same: Callable[[T, T], bool]) -> bool:
    """Return whether some sequence fits both patterns; STAR in them stands for any number of elements."""
    waiting, seen = [(0, 0)], {(0, 0)}
    while waiting:
        i, j = waiting.pop()
        if i == len(one) and j == len(other):
            return True
        steps: list[tuple[int, int]] = []
        if i < len(one) and one[i] == star:
            steps += [(i + 1, j), (i, j + 1)]
        if j < len(other) and other[j] == star:
            steps += [(i, j + 1), (i + 1, j)]
        if not steps and i < len(one) and j < len(other) and same(one[i], other[j]):
            steps = [(i + 1, j + 1)]
        fresh = {(a, b) for a, b in steps if a <= len(one) and b <= len(other)} - seen
        seen |= fresh
        waiting += fresh
    return False


Name = tuple[str, ...]
"""A file name or a pattern of one: `*`, `?`, `[…]`, or `=c` for the character c itself."""


@lru_cache(maxsize=4096)
def _segments(path: LeasePath) -> tuple[Name, ...]:
    names = [] if path.file == "." else path.file.split("/")
    if path.glob:
        return tuple(_ANY_DEPTH if name == "**" else _pattern(name) for name in names)
    exact = tuple(tuple(f"={character}" for character in name) for name in names)
    return (*exact, _ANY_DEPTH) if path.folder else exact


def _pattern(name: str) -> Name:
    tokens = _TOKENS.findall(name)
    return tuple(token if token in "*?" or len(token) > 1 else f"={token}" for token in tokens)


def _names_meet(one: Name, other: Name) -> bool:
    return one == other or _meet(one, other, "*", _characters_meet)


def _characters_meet(one: str, other: str) -> bool:
    if one[0] == "=" and other[0] == "=":
        return one == other
    if "?" in (one, other) or (one[0] == "[" and other[0] == "["):
        return True
    group, character = (one, other[1:]) if one[0] == "[" else (other, one[1:])
    inside = re.sub(r"([\\\[^&~|])", r"\\\1", group[1:-1].removeprefix("!"))
    negated = "^" if group.startswith("[!") else ""
    try:
        return re.fullmatch(f"[{negated}{inside}]", character, re.DOTALL) is not None
    except re.error:
        # `[z-a]`: not a class anybody can mean; better one refusal too many than two holders.
        return True


def _check(text: str) -> None:
    if not text or "\0" in text:
        raise InvalidParams(f"Expected a path, got {text!r}; give the path of a file")
    try:
        if len(text.encode()) > LONGEST_PATH or max(len(n.encode()) for n in text.split("/")) > LONGEST_NAME:
            raise InvalidParams(f"Expected the path of a file, got a longer one, {text[:80]!r}…")
    except UnicodeEncodeError:
        raise InvalidParams(f"Expected a path in UTF-8, got {text!a}; rename the file") from None


def _ignores_case(root: str) -> bool:
    swapped = root.swapcase()
    try:
        return swapped != root and Path(root).samefile(swapped)
    except OSError:
        return False


def _spelling_on_disk(real: str) -> str:
    """Return REAL with each part spelled as its folder lists it."""
    spelled = Path("/")
    for part in real.split("/")[1:]:
        try:
            names = [each.name for each in spelled.iterdir()]
        except OSError:
            names = []
        wanted = _folded(part)
        same = next((name for name in names if _folded(name) == wanted), part)
        spelled /= part if part in names else same
    return str(spelled)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
