"""The settings of a workspace: its file, the user's file and the editor, merged by `config.loading`."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from descartes_core.config import loading
from descartes_core.config.loading import Loaded, Problem, Source
from descartes_core.config.table import LispSettings, PathPair, Settings
from descartes_server.operations import workspace

if TYPE_CHECKING:
    from descartes_core.store.redaction import Redactor

SETTLED_NS = 100_000_000
"""So long after its last change a file that changes again is told by its times."""
MOST_KEPT = 16

__all__ = ["LispSettings", "Loaded", "PathPair", "Problem", "Settings"]


class Stamp(NamedTuple):
    """A file as the system knows it."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def files(root: Path) -> tuple[Path, Path]:
    """Return the user's settings file and that of the workspace at ROOT; either may be missing."""
    return workspace.home() / "config.toml", root / workspace.SETTINGS


@dataclass(frozen=True)
class _Kept:
    """What was LOADED when the files had STAMPS and this process ENVIRONMENT."""

    stamps: tuple[Stamp | None, ...]
    environment: Mapping[str, str]
    loaded: Loaded


_kept: dict[tuple[Path, bool, bytes], _Kept] = {}


def load(root: Path, *, trusted: bool, editor: Mapping[str, Any] | None = None) -> Loaded:
    """Return the settings of the workspace at ROOT, with EDITOR's own over those of the files.

    It is the same object for as long as nothing changed, and not to be changed; asking again costs two looks
    at the files.
    """
    key = root, trusted, msgspec.msgpack.encode(editor or {})
    stamps, environment = tuple(map(_stamp, files(root))), dict(os.environ)
    kept = _kept.get(key)
    if kept is not None and (kept.stamps, kept.environment) == (stamps, environment):
        return kept.loaded
    latest_ns = time.time_ns() - SETTLED_NS
    loaded = _read(root, trusted=trusted, editor=editor)
    if len(_kept) >= MOST_KEPT:
        _kept.clear()
    # A file that changed only now may change again and look the same.
    if all(stamp is None or stamp.changed_ns < latest_ns for stamp in stamps):
        _kept[key] = _Kept(stamps, environment, loaded)
    return loaded


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return the groups of settings UNDER with those of OVER, setting by setting."""
    found = dict(under)
    for name, value in over.items():
        below = found.get(name)
        groups = isinstance(below, Mapping) and isinstance(value, Mapping)
        found[name] = merged(found[name], value) if groups else value
    return found


def _stamp(file: Path) -> Stamp | None:
    """Return what tells FILE from what it was before; None where there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _read(root: Path, *, trusted: bool, editor: Mapping[str, Any] | None) -> Loaded:
    user, own = files(root)
    ours, theirs = _names(root, trusted=True), _names(root, trusted=trusted)
    return loading.load(
        [
            loading.from_file(user, may_name_programs=True, names=ours),
            loading.from_file(own, may_name_programs=trusted, names=theirs),
            Source("editor", may_name_programs=True, values=editor or {}, names=ours),
        ]
    )


def protect_keys(redactor: Redactor, found: Settings) -> None:
    """Have REDACTOR mask the keys of providers that FOUND has, wherever they would be written or shown."""
    for name, provider in found.providers.items():
        if provider.api_key:
            redactor.protect(f"providers.{name}", provider.api_key)


def problems_in(root: Path, file: Path, text: str, *, trusted: bool) -> list[Problem]:
    """Return what is wrong in TEXT, which is or will be that of FILE, the user's or the workspace's."""
    trusted = trusted or file == files(root)[0]
    return loading.problems_in(file, text, may_name_programs=trusted, names=_names(root, trusted=trusted))


def _names(root: Path, *, trusted: bool) -> dict[str, Any]:
    """Return what `${…}` in settings knows: the workspace, and the environment where it is TRUSTED."""
    names: dict[str, Any] = {"workspace": {"name": root.name, "root": str(root)}}
    return names | {"env": dict(os.environ)} if trusted else names
