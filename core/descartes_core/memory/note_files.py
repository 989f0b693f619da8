"""Notes as files: what stands in one, and how one is written without ever losing another.

Knows no index and no log. Paths are relative to the folder of thoughts: `research/2026-11-21-a.md`.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

from descartes_core.errors import InvalidParams, NotFound, TooLarge
from descartes_core.memory import front_matter
from descartes_core.memory.front_matter import Head
from descartes_core.memory.shapes import KINDS, Thought, ThoughtKind
from descartes_core.store.times import iso, milliseconds

ARCHIVE = "archive"
FOLDERS = (*KINDS, *(f"{ARCHIVE}/{kind}" for kind in KINDS))
SUFFIX = ".md"
READ_BYTES = 1 << 20
"""What is read of one note; of a longer file this is the beginning."""
SLUG_LENGTH = 60
TITLE_LENGTH = 200
_SAME_MOMENT_MS = 2000


class Stamp(NamedTuple):
    """What tells that a file is as it was: equal stamps, equal bytes (but for `NoteIndex`'s caution)."""

    mtime_ns: int
    ctime_ns: int
    size: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        return cls(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)

    @property
    def newest_ns(self) -> int:
        return max(self.mtime_ns, self.ctime_ns)


@dataclass(frozen=True)
class NoteFile:
    """One note as it was read: what is told of it, and its head for whoever changes it."""

    thought: Thought
    head: Head
    whole: bool
    """Whether all of it was read as text, so that it can be written back."""


def make_folders(root: Path) -> None:
    """Make ROOT, the folder of thoughts, and those in it, for this user alone."""
    root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in (root, root / ARCHIVE, *(root / name for name in FOLDERS)):
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)


def scan(root: Path) -> Iterator[tuple[str, Stamp]]:
    """Yield every note below ROOT with its stamp.

    Links are not followed: they are no notes. Neither is a file whose name is no UTF-8.
    """
    for folder in FOLDERS:
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    name = entry.name
                    if not name.endswith(SUFFIX) or name[0] == "." or not (name.isascii() or _is_text(name)):
                        continue
                    # Ten thousand of these are most of what a question costs: nothing here is for looks.
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if stat.S_ISREG(status.st_mode):
                        yield (
                            f"{folder}/{name}",
                            Stamp(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino),
                        )
        except (FileNotFoundError, NotADirectoryError):
            continue


def read(root: Path, path: str) -> tuple[NoteFile, Stamp]:
    """Return the note PATH below ROOT and the stamp of what was read.

    Errors: `NotFound` when the file is gone; `OSError` when it cannot be read.
    """
    try:
        descriptor = os.open(root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise NotFound(f"There is no note {path!r} any more; look at the list") from None
    with os.fdopen(descriptor, "rb") as file:
        stamp = Stamp.of(os.fstat(file.fileno()))
        data = file.read(READ_BYTES)
    text, problem = _decode(data, stamp.size)
    head = front_matter.parse(text)
    whole = problem is None
    thought = _thought(root, path, head, stamp, problem or head.problem)
    return NoteFile(thought, head, whole and head.problem is None), stamp


def unreadable(root: Path, path: str, error: OSError) -> Thought:
    """Return what is told of the note PATH, which cannot be read because of ERROR."""
    return _thought(root, path, Head((), ""), Stamp(0, 0, 0, 0), f"it cannot be read: {error.strerror}")


def create(root: Path, kind: ThoughtKind, day: date, title: str, text: str) -> str:
    """Write TEXT into a new file of KIND, named by DAY and TITLE, and return its path.

    A name that is taken gets a number; nothing is ever overwritten.
    """
    make_folders(root)
    stem = f"{day:%Y-%m-%d}-{slug(title)}"
    for number in range(1, 10_000):
        path = f"{kind}/{stem}{'' if number == 1 else f'-{number}'}{SUFFIX}"
        if not _taken(root, path) and _put(root / path, text):
            return path
    raise InvalidParams(f"Expected a title that fewer than 10,000 notes of one day have, got {title!r}")


def replace(root: Path, path: str, text: str, before: Stamp) -> None:
    """Replace the note PATH, which was read at the stamp BEFORE, by TEXT at once.

    Errors: `InvalidParams` when somebody has written it since.
    """
    file = root / path
    new = _beside(file)
    try:
        _write_new(new, text)
        if Stamp.of(file.lstat()) != before:
            raise InvalidParams(f"{path!r} was changed by somebody else in this moment; look at it again")
        new.replace(file)
    except FileNotFoundError:
        raise NotFound(f"There is no note {path!r} any more; look at the list") from None
    finally:
        new.unlink(missing_ok=True)


def move(root: Path, path: str, *, archived: bool) -> str:
    """Move the note PATH into the archive, or out of it, and return where it is now."""
    make_folders(root)
    bare = path.removeprefix(f"{ARCHIVE}/")
    target = f"{ARCHIVE}/{bare}" if archived else bare
    if target == path:
        return path
    if (root / target).exists():
        raise InvalidParams(f"There is a note {target!r} already; give one of the two another name first")
    try:
        (root / path).rename(root / target)
    except FileNotFoundError:
        raise NotFound(f"There is no note {path!r} any more; look at the list") from None
    return target


def slug(title: str) -> str:
    """Return TITLE as part of a file's name: `Çok güzel: API!` -> `cok-guzel-api`."""
    plain = unicodedata.normalize("NFKD", title)
    kept = "".join(each for each in plain if not unicodedata.combining(each)).casefold()
    words = re.findall(r"\w+", kept)
    text = "-".join(words)
    # Names are limited to 255 bytes, not characters.
    while len(text) > SLUG_LENGTH or len(text.encode()) > 200:
        text = text[:-1]
    return text.strip("-") or "note"


def check_size(text: str) -> None:
    """Refuse a note longer than what is read of one. Errors: `TooLarge`."""
    size = len(text.encode(errors="surrogatepass"))
    if size > READ_BYTES:
        raise TooLarge(f"A note may have {READ_BYTES:,} bytes, this one has {size:,}; make several of it")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _taken(root: Path, path: str) -> bool:
    return any((root / each).exists() for each in (path, f"{ARCHIVE}/{path}"))


def _put(file: Path, text: str) -> bool:
    """Have TEXT in FILE at once; returns whether there was no such file before."""
    new = _beside(file)
    try:
        _write_new(new, text)
        try:
            os.link(new, file)
        except FileExistsError:
            return False
        except OSError:
            # A file system without hard links, where whoever reads now may see the beginning alone.
            with suppress(FileExistsError):
                _write_new(file, text)
                return True
            return False
        return True
    finally:
        new.unlink(missing_ok=True)


def _beside(file: Path) -> Path:
    return file.with_name(f".{file.name[:180]}.{uuid.uuid4().hex[:8]}.new")


def _write_new(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def _decode(data: bytes, size: int) -> tuple[str, str | None]:
    if b"\0" in data[:8192]:
        return "", "it is no text, but binary"
    cut = size > len(data)
    # The end of what was read may be in the middle of a character.
    text = data.decode("utf-8", "ignore" if cut else "replace")
    if cut:
        return text, f"it has {size:,} bytes, and only the first {len(data):,} are shown and searched"
    if "\ufffd" in text and b"\xef\xbf\xbd" not in data:
        return text, "it is not UTF-8, and what could not be read is shown as \ufffd"
    return text, None


def _thought(root: Path, path: str, head: Head, stamp: Stamp, problem: str | None) -> Thought:
    archived = path.startswith(f"{ARCHIVE}/")
    kind: ThoughtKind = "plans" if "plans" in path.split("/")[:-1] else "research"
    changed_ms = stamp.mtime_ns // 1_000_000
    created = _time(head.text("created_at")) or _named_day(path) or changed_ms
    updated = _time(head.text("updated_at")) or created
    # Whoever edits by hand leaves the time in the head as it was.
    if abs(changed_ms - updated) > _SAME_MOMENT_MS:
        updated = max(updated, changed_ms)
    file = root / path
    return Thought(
        id=head.text("id") or str(uuid.uuid5(uuid.NAMESPACE_URL, path.removeprefix(f"{ARCHIVE}/"))),
        title=head.text("title") or _heading(head.body) or _named_title(path),
        content=head.body,
        tags=head.texts("tags"),
        created_at=iso(created),
        updated_at=iso(updated),
        agent_id=head.text("agent_id"),
        session_id=head.text("session_id"),
        kind=kind,
        path=str(file),
        uri=file.as_uri(),
        archived=archived,
        problem=problem,
    )


def _time(text: str | None) -> int | None:
    if text is None:
        return None
    with suppress(InvalidParams, OverflowError):
        return max(milliseconds(text), 0)
    return None


def _named_day(path: str) -> int | None:
    found = re.search(r"/(\d{4}-\d\d-\d\d)-[^/]*$", path)
    return _time(found[1]) if found else None


def _named_title(path: str) -> str:
    stem = Path(path).name.removesuffix(SUFFIX)
    return re.sub(r"^\d{4}-\d\d-\d\d-", "", stem).replace("-", " ").strip().capitalize() or stem


def _heading(body: str) -> str | None:
    found = re.search(r"^#[ \t]+(.+?)[ \t#]*$", body[:4000], re.MULTILINE)
    return found[1][:TITLE_LENGTH] if found else None
