"""The text that an operation is about: the sender's own where it came along, else the disk's.

Converts between offsets (code points, 0-based) and the 1-based lines and columns of the wire. Decides nothing
about what is done with the text.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit

from descartes_core.errors import InvalidParams, NotFound, UnsavedChanges
from descartes_server.ide.text import LineIndex
from descartes_server.operations.lisp_shapes import Document, Location, Position, Range
from descartes_server.operations.workspace import possible


class Editors(Protocol):
    """What the hub knows of the attached editors' buffers."""

    def unsaved_in(self, path: Path) -> str | None:
        """Return the name of an editor that has unsaved changes in PATH, or None."""
        ...


def path_of(uri: str) -> Path:
    """Return the path that URI names; a plain path is taken as it is.

    Errors: `InvalidParams` for any scheme but `file`, and for a name that no file can have.
    Example: path_of("file:///a%20b.lisp") -> Path("/a b.lisp")
    """
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise InvalidParams(f"expected a file: URI or a path, got {uri[:200]!r}: {error}") from None
    if parts.scheme == "file":
        return Path(possible(unquote(parts.path)))
    if parts.scheme and "://" in uri:
        raise InvalidParams(f"expected a file: URI or a path, got {uri[:200]!r}")
    return Path(possible(uri))


def uri_of(path: Path | str) -> str:
    """Return the file: URI of PATH, an absolute path."""
    return "file://" + quote(str(path), safe="/~!$&'()*+,;=:@")


@dataclass(frozen=True)
class SourceText:
    """TEXT of the file at PATH; offsets are code points into it."""

    path: Path
    text: str

    @property
    def uri(self) -> str:
        """Return the file: URI of the path."""
        return uri_of(self.path)

    @cached_property
    def lines(self) -> LineIndex:
        """Return the index of line starts, made once."""
        return LineIndex(self.text)

    def offset(self, position: Position) -> int:
        """Return the offset of POSITION; beyond a line's end is its end, beyond the text its end."""
        return self.lines.offset(max(position.line - 1, 0), max(position.column - 1, 0))

    def position(self, offset: int) -> Position:
        """Return the position of OFFSET, clamped to the text."""
        line, column = self.lines.position(min(max(offset, 0), len(self.text)))
        return Position(line=line + 1, column=column + 1)

    def range(self, start: int, end: int) -> Range:
        """Return the range from offset START up to, not including, END."""
        return Range(start=self.position(start), end=self.position(end))

    def location(self, start: int, end: int) -> Location:
        """Return the range as a location in this file."""
        return Location(uri=self.uri, range=self.range(start, end))


def _load(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise NotFound(f"expected a file at {str(path)!r}, there is none") from None
    except OSError as error:
        raise InvalidParams(f"expected a readable file at {str(path)!r}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise InvalidParams(
            f"expected UTF-8 text in {str(path)!r}, found byte 0x{byte:02x} at {error.start}"
        ) from None


async def read_file(path: Path) -> SourceText:
    """Return the text of PATH as it is on disk, line ends kept.

    Errors: `NotFound`; `InvalidParams` when it is no UTF-8 text.
    """
    return SourceText(path, await asyncio.to_thread(_load, path))


async def read(
    editors: Editors, uri: str, document: Document | None, *, use_disk: bool = False
) -> SourceText:
    """Return the text that counts for URI: DOCUMENT's where the sender gave one, else the disk's.

    Errors: `UnsavedChanges` when an editor has unsaved changes and USE_DISK is false; those of `read_file`.
    """
    path = path_of(uri)
    if document is not None:
        return SourceText(path, document.text)
    editor = None if use_disk else editors.unsaved_in(path)
    if editor is not None:
        raise UnsavedChanges(
            f"{path.name} has unsaved changes in {editor}; save it there, or say useDisk",
            editor=editor,
        )
    return await read_file(path)
