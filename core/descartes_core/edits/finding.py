"""The files that a bulk edit would change, read and searched. Blocks: for threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from descartes_core.agents.tools.texts import BINARY_SAMPLE, Text, decode
from descartes_core.edits.places import Edit, FileText, applied
from descartes_core.edits.searching import Find, Symbols, searching
from descartes_core.edits.shapes import EditRequest
from descartes_core.errors import InvalidParams, TooLarge
from descartes_core.timetravel.manifest import Manifest, shown
from descartes_core.timetravel.on_disk import digest_of_bytes

LARGEST_BYTES = 10_000_000
MOST_FILES = 10_000
MOST_PLACES = 200_000


@dataclass(frozen=True)
class FoundFile:
    """A file with what would change in it: EDITS of CONTENT give AFTER. DIGEST is that of what was read."""

    path: str
    content: str
    edits: list[Edit]
    after: bytes
    digest: str


@dataclass
class Found:
    """The FILES that would change, in COUNT places, and those LEFT alone with the reason, by path."""

    files: list[FoundFile] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    count: int = 0


def find(
    root: Path, tree: Manifest, request: EditRequest, fits: Callable[[str], bool], symbols: Symbols
) -> Found:
    """Return what REQUEST would change in the files of TREE below ROOT that FITS lets through.

    Binary files and links are passed over. Errors: `InvalidParams`, `TimedOut`, `TooLarge`.
    """
    found = Found()
    is_search = request.changes is None
    with searching(request, symbols) as finds:
        for path, digest in _files(tree, fits):
            data = _read(root / path)
            if data is None:
                continue
            if reason := _unfit(data):
                if not is_search:
                    raise InvalidParams(f"{shown(path)!r} cannot be edited: {reason}", path=shown(path))
                if len(data) > LARGEST_BYTES:
                    found.left[path] = reason
                continue
            _take(found, path, data, digest, finds)
    return found


def _take(found: Found, path: str, data: bytes, like: str, finds: Find) -> None:
    text = decode(data, shown(path))
    file = FileText(text)
    edits = file.in_file(finds(shown(path), file.plain))
    if not edits:
        return
    content = applied(text.content, edits)
    if not _holds(text, content):
        found.left[path] = f"it is in {text.encoding}, which cannot hold the new text"
        return
    after = text.encode(content)
    found.files.append(FoundFile(path, text.content, edits, after, digest_of_bytes(data, like)))
    found.count += len(edits)
    if len(found.files) > MOST_FILES or found.count > MOST_PLACES:
        raise TooLarge(
            f"Expected at most {MOST_FILES:,} files and {MOST_PLACES:,} places in one bulk edit, there are"
            " more; narrow the pattern, or name `paths`"
        )


def _files(tree: Manifest, fits: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    for path, entry in sorted(tree.entries.items()):
        if entry.kind == "file" and fits(path):
            yield path, entry.digest


def _read(path: Path) -> bytes | None:
    try:
        return None if path.is_symlink() else path.read_bytes()
    except OSError:
        return None  # it has just gone, and the next look finds no trace of it


def _unfit(data: bytes) -> str | None:
    if len(data) > LARGEST_BYTES:
        return f"it has more than {LARGEST_BYTES:,} bytes"
    return "it is a binary file" if b"\0" in data[:BINARY_SAMPLE] else None


def _holds(text: Text, content: str) -> bool:
    try:
        content.encode(text.encoding)
    except UnicodeEncodeError:
        return False
    return True
