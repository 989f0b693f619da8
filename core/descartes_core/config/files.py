"""Changing settings files: a value set, a version migrated; comments and order stay, nothing is half done.

A link (a person's files often are) is followed: what it points to is changed, and it stays a link.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from descartes_core.config import versions
from descartes_core.config.table import Setting
from descartes_core.errors import InvalidParams
from descartes_core.replacement import Replacement, prepare

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


def read(file: Path) -> str:
    """Return the text of FILE, empty when there is none. Errors: `InvalidParams` when it is no text."""
    try:
        return file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidParams(f"expected the settings in {str(file)!r} to be UTF-8 text: {error}") from None


def backup(file: Path) -> Path:
    """Return the path of a copy of FILE that was made beside it, on disk before this returns.

    It is named after the version and the content, so that a second copy of the same is the same file.
    Errors: `InvalidParams`; `OSError`.
    """
    data = file.read_bytes()
    version = versions.shown(versions.version_of(data.decode("utf-8")))
    digest = hashlib.sha256(data).hexdigest()[:8]
    copy = file.with_name(f"{file.name}.{version}.{digest}.bak")
    if not copy.exists():
        replacement = prepare(copy, data)
        replacement.temporary.chmod(file.stat().st_mode & 0o7777)
        replacement.put()
        _sync(copy.parent)
    return copy


def put(file: Path, text: str) -> Replacement:
    """Return TEXT ready to take the place of FILE. Errors: `OSError`."""
    return prepare(file.resolve(), text.encode("utf-8"))


def with_value(text: str, setting: Setting, value: Any) -> str:
    """Return TEXT with VALUE for SETTING, None to leave it out; everything else stays as it is written.

    Errors: `InvalidParams` when TEXT is no TOML; as of `versions.version_of`.
    """
    import tomlkit

    text = versions.migrate(text).text
    document: TOMLDocument = tomlkit.parse(text)
    group, _, key = setting.name.rpartition(".")
    table: Any = document
    if group:
        if group not in document:
            if value is None:
                return text
            document[group] = tomlkit.table()
        table = document[group]
    old = setting.snake.rpartition(".")[2]
    written = old if old in table else key
    if value is not None:
        table[written] = _toml(value)
    elif written in table:
        del table[written]
    made = tomlkit.dumps(document)
    versions.version_of(made)
    return made


def _toml(value: Any) -> Any:
    """Return VALUE without the nulls inside it, which TOML cannot write."""
    if isinstance(value, Mapping):
        return {key: _toml(each) for key, each in value.items() if each is not None}
    return [_toml(each) for each in value] if isinstance(value, list) else value


def _sync(folder: Path) -> None:
    """See to it that the names in FOLDER are on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
