"""File URIs as editors write them to paths and back; every spelling of one file is one path."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit


def path_of(uri: str) -> Path | None:
    """Return the path that URI names, None for anything but a file.

    Example: path_of("file:///tmp/a%20b.lisp") -> Path("/tmp/a b.lisp")
    """
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or "\0" in unquote(parts.path):
        return None
    return Path(unquote(parts.path))


def uri_of(path: Path | str) -> str:
    """Return the file: URI of PATH, an absolute path."""
    return "file://" + quote(os.fsencode(path), safe="/~!$&'()*+,;=:@")


def real(path: Path | str) -> str:
    """Return the real path of PATH, which need not exist: what leases and notes are compared by."""
    return os.path.realpath(path)
