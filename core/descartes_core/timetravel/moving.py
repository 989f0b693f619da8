"""Putting other files in the place of those there are, so that it can be undone at any instant.

What is to come is written beside first (`new/`), what is there is put aside (`old/`) and looked at again, and
only then the new one gets its name: it changes places with the old one, which is thus never missing, or is
linked where there is none. Neither ever takes the place of something else: a file that somebody changed
meanwhile is noticed and put back. A journal on disk says what was intended; whoever finds one that is not
closed rolls it back, or finishes it when everything had its place.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec

from descartes_core.errors import RestoreConflict
from descartes_core.timetravel import change_kinds as kinds
from descartes_core.timetravel.manifest import Entry, parents, shown
from descartes_core.timetravel.on_disk import (
    changed,
    entry_at,
    exchange,
    is_real_folder,
    is_same,
    link_in,
    sync_folders,
)
from descartes_core.timetravel.plan import Change
from descartes_core.timetravel.repository import Repository

Phase = Literal["staging", "moving", "moved", "done"]


class Move(msgspec.Struct, frozen=True):
    """One change of the journal; PATH as in a URL, because a name need not be text."""

    path: str
    before: Entry | None
    after: Entry | None


class Intent(msgspec.Struct, frozen=True):
    """What the journal says: the restore ID, its MOVES and its KIND."""

    id: str
    moves: list[Move]
    kind: str = "restore"


class Moving:
    """One restore of files below ROOT; PLACE, on the same file system, holds its journal.

    AT(name) is called between any two changes, so that a test can end it all there.
    Concurrency: blocks; call it in a thread.
    """

    def __init__(self, root: Path, place: Path, at: Callable[[str], None] = lambda name: None) -> None:
        self._root = root
        self._place = place
        self._at = at
        self._changes: list[Change] = []
        self.kind = "restore"
        """The kind of work that the journal is about, after `stage` or `read`."""

    @property
    def is_open(self) -> bool:
        """Whether there is a journal that is not closed."""
        return (self._place / "journal").exists() or (self._place / "phase").exists()

    def stage(
        self, intent_id: str, changes: Sequence[Change], repository: Repository | None, kind: str = "restore"
    ) -> None:
        """Write down what is intended and write the new files beside. Nothing of the tree changes.

        REPOSITORY has their bytes; None where there are no changes.
        """
        if self.is_open:
            raise RestoreConflict(
                "An earlier restore or bulk edit was interrupted; run `descartes doctor --fix` first"
            )
        self._discard()
        for name in ("new", "old"):
            (self._place / name).mkdir(mode=0o700, parents=True)
        self._changes, self.kind = list(changes), kind
        moves = [Move(_quoted(each.path), each.before, each.after) for each in changes]
        self._write("journal", msgspec.json.encode(Intent(intent_id, moves, kind)))
        self._phase("staging")
        self._at("staging")
        self._stage_files(repository)
        self._at("staged")

    def swap(self) -> None:
        """Let the new files take the place of those there are.

        Errors: `RestoreConflict` when one of them is not what it was; `OSError`. Then call `roll_back`.
        """
        self._phase("moving")
        self._at("moving")
        for number, change in self._numbered(kinds.goes):
            self._aside(number, change)
        for _, change in reversed(list(self._numbered(kinds.folder_goes))):
            self._remove_folder(change)
        for _, change in self._numbered(kinds.folder_comes):
            self._make_folder(change)
        for number, change in self._numbered(kinds.comes):
            self._put(number, change)
        for _, change in reversed(list(self._numbered(kinds.is_folder_after))):
            self._set_mode(change.path, change.after)
        self._at("swapped")

    def commit(self, about: dict[str, Any]) -> None:
        """Write down that every file has its place, and ABOUT; what is left now is to be finished.

        Errors: `RestoreConflict` when a file was written to after it was put aside; then call `roll_back`.
        """
        self._check_asides()
        self._sync()
        self._write("about", msgspec.json.encode(about))
        self._phase("moved")
        self._at("moved")

    def moved_in(self) -> None:
        """Write down that what else had to move after `commit` did."""
        self._phase("done")
        self._at("in")

    def close(self) -> None:
        """Forget what was there before: it is kept in the snapshot that was taken first."""
        self._discard()
        self._at("closed")

    def read(self) -> tuple[str, Phase, dict[str, Any]]:
        """Return what an open journal says: the id, how far it came, and what `commit` wrote.

        A broken one says that nothing was done.
        """
        try:
            intent = msgspec.json.decode((self._place / "journal").read_bytes(), type=Intent)
            phase: Phase = msgspec.json.decode((self._place / "phase").read_bytes(), type=Phase)
        except (OSError, msgspec.MsgspecError):
            # The journal is whole before its phase is written, and that before the first change.
            intent, phase = Intent("", []), "staging"
        self._changes = [Change(_unquoted(each.path), each.before, each.after) for each in intent.moves]
        self.kind = intent.kind
        if phase not in ("moved", "done"):
            return intent.id, phase, {}
        return intent.id, phase, msgspec.json.decode((self._place / "about").read_bytes())

    def take_back(self) -> list[str]:
        """Make everything as it was, if there is anything to take back; return what `roll_back` does."""
        if not self.is_open:
            return []
        _, phase, _ = self.read()
        if phase == "staging":
            self._discard()
            return []
        if phase != "moving":
            # From here on whoever finds the journal goes on with this.
            self._phase("moving")
        return self.roll_back()

    def roll_back(self) -> list[str]:
        """Make everything as it was; return what was found changed meanwhile and therefore kept, as text.

        Works from the journal alone, in every state that `stage`, `swap` and `commit` can leave.
        """
        kept: list[str] = []
        for number, change in self._numbered(kinds.comes):
            self._take_back(number, change)
        for _, change in reversed(list(self._numbered(kinds.folder_comes))):
            with suppress(OSError):
                self._at_path(change.path).rmdir()
        for _, change in self._numbered(kinds.folder_goes):
            if not os.path.lexists(self._at_path(change.path)):
                self._make_folder(change)
        for number, change in self._numbered(kinds.had_bytes):
            kept += self._put_back(number, change)
        for _, change in reversed(list(self._numbered(kinds.was_folder))):
            self._set_mode(change.path, change.before)
        self._at("rolled back")
        self._discard()
        return kept

    def _stage_files(self, repository: Repository | None) -> None:
        waiting = [(number, change.after) for number, change in self._numbered(kinds.brings_bytes)]
        if repository is None or not waiting:
            return
        entries = iter(waiting)

        def put(digest: str, content: bytes) -> None:
            number, entry = next(entries)
            assert entry is not None
            place = self._new(number)
            if entry.kind == "link":
                place.symlink_to(os.fsdecode(content))
                return
            with place.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            place.chmod(entry.mode)

        repository.contents([entry.digest for _, entry in waiting if entry is not None], put)

    def _aside(self, number: int, change: Change) -> None:
        assert change.before is not None
        path, aside = self._at_path(change.path), self._place / "old" / str(number)
        self._check_way(change.path)
        try:
            path.rename(aside)
        except FileNotFoundError:
            raise changed(change.path) from None
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise RestoreConflict(
                    f"{shown(change.path)!r} lies on another file system than .descartes; leave it out"
                ) from None
            raise
        self._at(f"aside {number}")
        if entry_at(aside, change.before) != change.before:
            raise changed(change.path)

    def _put(self, number: int, change: Change) -> None:
        assert change.after is not None
        if change.kind == "mode":
            if entry_at(self._at_path(change.path), change.after) != change.before:
                raise changed(change.path)
            self._set_mode(change.path, change.after)
            self._at(f"mode {number}")
            return
        if change.before is not None and change.before.kind != "folder":
            if self._exchanged(number, change):
                return
            self._aside(number, change)
        self._check_way(change.path)
        link_in(self._new(number), self._at_path(change.path), change.path)
        self._at(f"put {number}")

    def _exchanged(self, number: int, change: Change) -> bool:
        """Let the new file change places with what is there; False where that cannot be done in one step."""
        path, new, aside = self._at_path(change.path), self._new(number), self._place / "old" / str(number)
        self._check_way(change.path)
        try:
            os.link(path, aside, follow_symlinks=False)
        except FileNotFoundError:
            raise changed(change.path) from None
        except OSError:
            return False
        self._at(f"aside {number}")
        if entry_at(aside, change.before) != change.before:
            raise changed(change.path)
        if not exchange(new, path):
            aside.unlink()
            return False
        self._at(f"put {number}")
        if not is_same(new, aside):
            # Somebody put another file there at the last moment: it gets its place back.
            exchange(new, path)
            raise changed(change.path)
        return True

    def _take_back(self, number: int, change: Change) -> None:
        """Remove what was put at the place of CHANGE, if it was and is still that."""
        path = self._at_path(change.path)
        assert change.after is not None
        if change.kind == "mode":
            if entry_at(path, change.after) == change.after:
                self._set_mode(change.path, change.before)
            return
        new, aside = self._new(number), self._place / "old" / str(number)
        was_there = change.before is not None and change.before.kind != "folder"
        if was_there and not os.path.lexists(aside):
            return
        if not self._way_is_free(change.path) or entry_at(path, change.after) != change.after:
            return
        if was_there and entry_at(new, change.after) not in (None, change.after) and not is_same(new, aside):
            # It ended when somebody's file had just changed places with ours.
            exchange(new, path)
        else:
            path.unlink()

    def _put_back(self, number: int, change: Change) -> list[str]:
        aside, path = self._place / "old" / str(number), self._at_path(change.path)
        if not os.path.lexists(aside):
            return []
        try:
            if not self._way_is_free(change.path):
                raise FileNotFoundError
            if is_real_folder(aside) and not os.path.lexists(path):
                aside.rename(path)
                return []
            if entry_at(path, change.before) != entry_at(aside, change.before):
                link_in(aside, path, change.path)
        except (FileNotFoundError, RestoreConflict, NotADirectoryError):
            keep = self._place.parent / "kept" / change.path
            while os.path.lexists(keep):
                keep = keep.with_name(f"{keep.name}~")
            keep.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            aside.rename(keep)
            return [f"{shown(change.path)} was changed meanwhile; what it was before lies in {keep}"]
        aside.unlink()
        return []

    def _make_folder(self, change: Change) -> None:
        path = self._at_path(change.path)
        self._check_way(change.path)
        if not is_real_folder(path):
            try:
                # Its own mode comes last: files have yet to be put into it.
                path.mkdir(mode=0o700)
            except FileExistsError:
                raise changed(change.path) from None
        self._at(f"folder {change.path!a}")

    def _remove_folder(self, change: Change) -> None:
        try:
            self._at_path(change.path).rmdir()
        except OSError as error:
            if change.after is not None or error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                raise RestoreConflict(
                    f"{shown(change.path)!r} cannot be replaced, it holds files that are not kept;"
                    " move them away"
                ) from None
        self._at(f"folder {change.path!a} gone")

    def _set_mode(self, path: str, entry: Entry | None) -> None:
        if entry is not None and self._way_is_free(path) and not self._at_path(path).is_symlink():
            with suppress(FileNotFoundError):
                self._at_path(path).chmod(entry.mode)

    def _check_asides(self) -> None:
        """Refuse to go on when a file was written through a handle that was open before it was put aside."""
        for number, change in self._numbered(kinds.had_bytes):
            aside = self._place / "old" / str(number)
            if os.path.lexists(aside) and entry_at(aside, change.before) != change.before:
                raise changed(change.path)

    def _check_way(self, path: str) -> None:
        if not self._way_is_free(path):
            raise RestoreConflict(
                f"{shown(path)!r} cannot be reached through real folders any more; look at it"
            )

    def _way_is_free(self, path: str) -> bool:
        """Return whether every folder above PATH is a real one, so that nothing outside is touched."""
        return all(is_real_folder(self._at_path(each)) for each in parents(path))

    def _numbered(self, fits: Callable[[Change], bool]) -> Iterator[tuple[int, Change]]:
        return ((number, each) for number, each in enumerate(self._changes) if fits(each))

    def _at_path(self, path: str) -> Path:
        return self._root / path

    def _new(self, number: int) -> Path:
        return self._place / "new" / str(number)

    def _sync(self) -> None:
        """Have the disk know the new names before anything old is forgotten."""
        sync_folders({self._at_path(each.path).parent for each in self._changes})

    def _phase(self, phase: Phase) -> None:
        self._write("phase", msgspec.json.encode(phase))

    def _write(self, name: str, content: bytes) -> None:
        beside = self._place / f"{name}.new"
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._place / name)

    def _discard(self) -> None:
        # The journal first: what remains without it is only rubbish.
        for name in ("journal", "phase"):
            (self._place / name).unlink(missing_ok=True)
        shutil.rmtree(self._place, ignore_errors=True)


def _quoted(path: str) -> str:
    return quote_from_bytes(os.fsencode(path))


def _unquoted(text: str) -> str:
    return os.fsdecode(unquote_to_bytes(text))
