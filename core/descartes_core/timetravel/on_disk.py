"""What is at a path, exactly, and the ways to put something there that never lose what is."""

from __future__ import annotations

import ctypes
import errno
import functools
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from descartes_core.errors import RestoreConflict
from descartes_core.timetravel.manifest import Entry, shown

CHUNK = 1 << 20
_HERE, _EXCHANGE = -100, 2
"""`AT_FDCWD` and `RENAME_EXCHANGE` of Linux."""


def digest_of_bytes(data: bytes, like: str) -> str:
    """Return git's name for DATA, the bytes of a file, in the format of LIKE."""
    algorithm = hashlib.sha256() if len(like) == 64 else hashlib.sha1(usedforsecurity=False)
    algorithm.update(b"blob %d\0" % len(data))
    algorithm.update(data)
    return algorithm.hexdigest()


def digest_of(path: Path, like: str) -> str:
    """Return git's name for the bytes of the file PATH, or the target of the link, in the format of LIKE."""
    algorithm = hashlib.sha256() if len(like) == 64 else hashlib.sha1(usedforsecurity=False)
    if path.is_symlink():
        target = os.fsencode(path.readlink())
        algorithm.update(b"blob %d\0%s" % (len(target), target))
        return algorithm.hexdigest()
    with path.open("rb") as file:
        algorithm.update(b"blob %d\0" % os.fstat(file.fileno()).st_size)
        while chunk := file.read(CHUNK):
            algorithm.update(chunk)
    return algorithm.hexdigest()


def entry_at(path: Path, like: Entry | None) -> Entry | None:
    """Return what is at PATH, with a digest in the format of LIKE; None when nothing is there."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(mode):
        return Entry("folder", stat.S_IMODE(mode))
    digest = digest_of(path, like.digest if like is not None else "")
    return Entry("link", 0, digest) if stat.S_ISLNK(mode) else Entry("file", stat.S_IMODE(mode), digest)


def link_in(new: Path, path: Path, name: str) -> None:
    """Give NEW the name PATH too, never in the place of anything."""
    try:
        os.link(new, path, follow_symlinks=False)
    except FileExistsError:
        raise changed(name) from None
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
            raise
        if os.path.lexists(path):
            raise changed(name) from None
        _copy(new, path)


def exchange(one: Path, other: Path) -> bool:
    """Let ONE and OTHER change places in one step, so that neither path is ever without one.

    Returns False, with nothing changed, where system or file system cannot, or one of them is not there.
    Source: renameat2(2).
    """
    rename = _renameat2()
    return rename is not None and rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


@functools.cache
def _renameat2() -> Callable[..., int] | None:
    try:
        return ctypes.CDLL(None).renameat2
    except (AttributeError, OSError):
        return None


def is_same(one: Path, other: Path) -> bool:
    """Return whether ONE and OTHER are names of one file or of one link, which is not followed."""
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except FileNotFoundError:
        return False


def _copy(new: Path, path: Path) -> None:
    """Make PATH what NEW is, where the file system has no links."""
    if new.is_symlink():
        path.symlink_to(new.readlink())
        return
    with new.open("rb") as source, path.open("xb") as target:
        shutil.copyfileobj(source, target, CHUNK)
    path.chmod(stat.S_IMODE(new.stat().st_mode))


def sync_folders(folders: Iterable[Path]) -> None:
    """Have the disk know the names in FOLDERS, as far as they are there."""
    for folder in folders:
        with suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def is_real_folder(path: Path) -> bool:
    """Return whether PATH is a folder and no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def changed(path: str) -> RestoreConflict:
    """Return the error for a file that is not what it was."""
    return RestoreConflict(
        f"{shown(path)!r} was changed meanwhile; look at the preview again", paths=[shown(path)]
    )
