"""What a change takes away and what it brings: `moving` does one kind of change after the other."""

from __future__ import annotations

from descartes_core.timetravel.manifest import Entry
from descartes_core.timetravel.plan import Change


def had_bytes(change: Change) -> bool:
    """Return whether a file or link is there that does not stay."""
    return change.before is not None and not _is_folder(change.before) and change.kind != "mode"


def brings_bytes(change: Change) -> bool:
    """Return whether a file or link comes."""
    return change.after is not None and not _is_folder(change.after) and change.kind != "mode"


def goes(change: Change) -> bool:
    """Return whether a file or link goes and none comes to its place."""
    return had_bytes(change) and not brings_bytes(change)


def comes(change: Change) -> bool:
    """Return whether there will be a file or link, new or with another mode."""
    return change.after is not None and not _is_folder(change.after)


def folder_goes(change: Change) -> bool:
    """Return whether a folder goes."""
    return _is_folder(change.before) and not _is_folder(change.after)


def folder_comes(change: Change) -> bool:
    """Return whether a folder comes."""
    return _is_folder(change.after) and not _is_folder(change.before)


def is_folder_after(change: Change) -> bool:
    """Return whether there will be a folder."""
    return _is_folder(change.after)


def was_folder(change: Change) -> bool:
    """Return whether a folder is there."""
    return _is_folder(change.before)


def _is_folder(entry: Entry | None) -> bool:
    return entry is not None and entry.kind == "folder"
