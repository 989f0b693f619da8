"""`Snapshots`: the work tree as it is now, kept as a commit; what did not change is known by its stat."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from descartes_core.timetravel.git import GitFailed
from descartes_core.timetravel.manifest import Entry, Manifest
from descartes_core.timetravel.repository import Repository
from descartes_core.timetravel.scan import Scan, scan

LARGEST_BYTES = 100 * 1024 * 1024
UNSURE_NS = 50_000_000
"""A file that changed this short before it was looked at may change again and keep its times."""

Stamp = tuple[int, int, int, int, int, int]


class Known(msgspec.Struct, frozen=True, array_like=True):
    """What a file was when its bytes were kept: its STAMP, and what stands in the manifest."""

    stamp: Stamp
    entry: Entry


@dataclass(frozen=True)
class Snapshot:
    """A work tree that is kept: COMMIT, and what is in it. FRESH: it differs from the one before."""

    commit: str
    manifest: Manifest
    fresh: bool
    repositories: tuple[str, ...] = ("",)


class Snapshots:
    """The snapshots of the workspace at ROOT, whose state folder is STATE.

    Concurrency: blocks; call it in threads. One object for a workspace, at most one snapshot at a time.
    """

    def __init__(self, root: Path, state: Path, *, largest_bytes: int = LARGEST_BYTES) -> None:
        self.root = root
        self.state = state
        self.largest_bytes = largest_bytes
        self._lock = threading.Lock()
        self._repository: Repository | None = None
        self._known: dict[str, Known] | None = None
        self._last: Snapshot | None = None
        self._taken: Snapshot | None = None
        """The last one of the work tree; `_last`, which the private index has, may be an altered one."""

    @property
    def repository(self) -> Repository:
        """Where the trees are kept. Errors: `GitFailed`."""
        if self._repository is None or not self._repository.git_dir.exists():
            self._repository = Repository(self.root, self.state)
            self._last = self._taken = None
        return self._repository

    def take(self, also: Iterable[str] = ()) -> Snapshot:
        """Keep the work tree as it is now and return it.

        The paths ALSO are kept even when they are ignored or too large. Only what changed since the last
        snapshot is read.
        Errors: `GitFailed`; `OSError` where the disk is full.
        """
        with self._lock:
            repository = self.repository
            wanted = frozenset(also)
            found = scan(repository, wanted)
            entries = self._entries(found, repository, wanted)
            manifest = Manifest(entries, found.left)
            taken = self._taken
            if taken is not None and taken.manifest == manifest:
                self._taken = replace(taken, fresh=False, repositories=tuple(found.repositories))
                return self._taken
            commit, fresh = self._committed(manifest, repository)
            self._last = self._taken = Snapshot(commit, manifest, fresh, tuple(found.repositories))
            return self._taken

    def altered(self, snapshot: Snapshot, contents: Mapping[str, bytes]) -> Snapshot:
        """Return SNAPSHOT with other CONTENTS of some of its files, kept without being in the work tree.

        Errors: `GitFailed`; `OSError` where the disk is full.
        """
        with self._lock:
            digests = self.repository.store_bytes(list(contents.values()))
            entries = dict(snapshot.manifest.entries)
            for path, digest in zip(contents, digests, strict=True):
                entries[path] = Entry("file", entries[path].mode, digest)
            manifest = Manifest(entries, snapshot.manifest.left)
            commit, fresh = self._committed(manifest, self.repository)
            self._last = altered = Snapshot(commit, manifest, fresh, snapshot.repositories)
            return altered

    def manifest(self, commit: str) -> Manifest:
        """Return what COMMIT holds. Errors: `NotFound` when it is kept no longer."""
        last = self._last
        if last is not None and last.commit == commit:
            return last.manifest
        return self.repository.manifest(commit)

    def keep(self, ref: str, commit: str) -> None:
        """Keep COMMIT under `refs/descartes/REF`."""
        with self._lock:
            self.repository.set_ref(ref, commit)

    def _committed(self, manifest: Manifest, repository: Repository) -> tuple[str, bool]:
        last = self._last
        if last is not None and last.manifest == manifest:
            return last.commit, False
        changed = _changed(last.manifest, manifest) if last is not None else None
        # Until this one is whole nobody knows what the private index has.
        self._last = None
        commit = repository.commit(manifest, changed)
        self._save(manifest)
        return commit, last is None or last.commit != commit

    def _entries(self, found: Scan, repository: Repository, wanted: frozenset[str]) -> dict[str, Entry]:
        known, now_ns = self._load(), time.time_ns()
        entries = {path: Entry("folder", mode) for path, mode in found.modes.items()}
        files: list[str] = []
        links: list[str] = []
        for path, status in found.stats.items():
            before = known.get(path)
            if before is not None and before.stamp == _stamp(status):
                # The very object of the last time: equal manifests are then found equal at once.
                entries[path] = before.entry
            elif stat.S_ISLNK(status.st_mode):
                links.append(path)
            elif status.st_size > self.largest_bytes and path not in wanted:
                found.left[path] = _too_large(status)
            else:
                files.append(path)
        kept = [*self._kept(files, found, repository), *self._kept_links(links, repository)]
        for path, digest in kept:
            status = found.stats[path]
            entries[path] = _entry(status, digest)
            if _is_settled(status, now_ns) and _same(self.root, path, status):
                known[path] = Known(_stamp(status), entries[path])
            else:
                known.pop(path, None)
        return entries

    def _kept(self, files: list[str], found: Scan, repository: Repository) -> list[tuple[str, str]]:
        """Return the digests of FILES; what cannot be read, or has just gone, is noted in FOUND."""
        readable = [path for path in files if os.access(self.root / path, os.R_OK)]
        for path in set(files) - set(readable):
            if os.path.lexists(self.root / path):
                found.left[path] = "it cannot be read"
        try:
            return list(zip(readable, repository.store_files(readable), strict=True))
        except GitFailed:
            # One of them went while it was read; the others are kept one by one.
            return [pair for path in readable for pair in self._kept_alone(path, found, repository)]

    def _kept_alone(self, path: str, found: Scan, repository: Repository) -> list[tuple[str, str]]:
        try:
            return [(path, repository.store_files([path])[0])]
        except GitFailed:
            if os.path.lexists(self.root / path):
                raise
            return []

    def _kept_links(self, links: list[str], repository: Repository) -> list[tuple[str, str]]:
        targets: dict[str, bytes] = {}
        for path in links:
            with suppress(OSError):
                targets[path] = os.fsencode((self.root / path).readlink())
        return list(zip(targets, repository.store_bytes(list(targets.values())), strict=True))

    def _load(self) -> dict[str, Known]:
        if self._known is None:
            try:
                raw = (self.state / "body" / "known").read_bytes()
                self._known = msgspec.msgpack.decode(raw, type=dict[str, Known])
            except (OSError, msgspec.MsgspecError):
                self._known = {}
        return self._known

    def _save(self, manifest: Manifest) -> None:
        """Write down what is known, for the next hub. Names that are no UTF-8 are looked at again then."""
        there = manifest.entries
        self._known = {path: each for path, each in self._load().items() if path in there}
        known = {path: each for path, each in self._known.items() if _is_text(path)}
        place = self.state / "body" / "known"
        beside = place.with_suffix(".new")
        with suppress(OSError):
            beside.write_bytes(msgspec.msgpack.encode(known))
            beside.replace(place)


def kept_of(snapshots: Snapshots, runs: Iterable[str]) -> list[str]:
    """Return the refs that keep snapshots of RUNS, by id; makes nothing where no snapshot was ever taken.

    What a restore needs that can still be undone is under refs of its own.
    """
    if not (snapshots.state / "body").exists():
        return []
    wanted = {each.removeprefix("run_") for each in runs}
    return [name for name in snapshots.repository.refs() if name.split("/")[0] in wanted]


def collect(snapshots: Snapshots, runs: Iterable[str]) -> list[str]:
    """Drop the snapshots of RUNS and return their refs. Git collects the files when it likes."""
    dropped = kept_of(snapshots, runs)
    if dropped:
        snapshots.repository.drop_refs(dropped)
    return dropped


def _changed(before: Manifest, after: Manifest) -> dict[str, bool]:
    """Return which files the private index must learn of: True when they are there, False when gone."""
    old, new = before.entries, after.entries
    changed = {path: False for path, each in old.items() if each.kind != "folder" and path not in new}
    for path, each in new.items():
        was = old.get(path)
        # What did not change is the very object of the last time.
        if was is each:
            continue
        if each.kind == "folder":
            changed |= {path: False} if was is not None and was.kind != "folder" else {}
        elif was is None or (was.git_mode, was.digest) != (each.git_mode, each.digest):
            changed[path] = True
    return changed


def _entry(status: os.stat_result, digest: str) -> Entry:
    if stat.S_ISLNK(status.st_mode):
        return Entry("link", 0, digest)
    return Entry("file", stat.S_IMODE(status.st_mode), digest)


def _stamp(status: os.stat_result) -> Stamp:
    return (
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_size,
        status.st_ino,
        status.st_mode,
        status.st_dev,
    )


def _same(root: Path, path: str, status: os.stat_result) -> bool:
    try:
        return _stamp(os.lstat(root / path)) == _stamp(status)
    except OSError:
        return False


def _is_settled(status: os.stat_result, now_ns: int) -> bool:
    """Return whether the file changed long enough ago; a time to come, of a clock set back, is not."""
    return max(status.st_mtime_ns, status.st_ctime_ns) < now_ns - UNSURE_NS


def _too_large(status: os.stat_result) -> str:
    megabytes = status.st_size / 1024 / 1024
    return f"it has {megabytes:,.0f} MB, more than restore.largestMegabytes ({status.st_mtime_ns})"


def _is_text(path: str) -> bool:
    return path.isascii() or not any("\ud800" <= character <= "\udfff" for character in path)
