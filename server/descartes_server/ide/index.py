"""Every definition of a workspace's Lisp files, by name: for definition, completion and workspace symbols.

Static and approximate: what a macro of the program defines by other names is not seen.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakKeyDictionary

from descartes_server.ide.fitting import Typed
from descartes_server.ide.forms import Definition, definitions_of
from descartes_server.ide.relations import Relation, Relations
from descartes_server.ide.roles import base_name, symbol_of
from descartes_server.ide.syntax import Syntax, parse

SUFFIXES = (".lisp", ".lsp", ".cl", ".asd")
FILE_LIMIT = 20_000

Read = Callable[[str], str | None]
"""Gives the text of a file; None for one that is to be left out."""

_LINE_END = re.compile(r"[\r\n]")
_KEPT = 1000
"""Code points before a name on its line that are kept; there are no lines like that in texts of people."""
_INITARG = re.compile(r":initarg\s+'?([^\s()]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One definition. Offsets are code points of the file; NAME_LINE and NAME_COLUMN 0-based code points."""

    path: str
    name: str
    kind: str
    detail: str
    documentation: str
    package: str
    """The designator in force there, in upper case and without `#:`, `:` and quotes."""
    start: int
    end: int
    name_start: int
    name_end: int
    name_line: int
    name_column: int
    initargs: tuple[str, ...] = ()
    container: str | None = None
    """The definition that a slot belongs to."""
    name_text: str = ""
    """The text from the start of the name's line to its end; empty where that is ASCII in one line."""
    related: Relations = ()
    """The names beside its own, as they are written."""


@dataclass(frozen=True, slots=True)
class FileDefinitions:
    """What one file defines; can be pickled, so that another process may read the files."""

    path: str
    entries: tuple[Entry, ...]


def package_name(designator: str) -> str:
    """Return the name that the package DESIGNATOR means.

    Example: package_name("#:foo") -> "FOO"
    """
    text = designator.removeprefix("#")
    if text.startswith('"'):
        return text.strip('"')
    text = text.removeprefix(":")
    return text.strip("|") if text.startswith("|") else text.upper()


def is_lisp_file(path: str) -> bool:
    """Return whether PATH has the name of a Lisp source file."""
    return path.lower().endswith(SUFFIXES)


def definitions_in(path: str, syntax: Syntax) -> FileDefinitions:
    """Return what SYNTAX, the text of PATH, defines, slots included."""
    entries: list[Entry] = []
    for base, segment in zip(syntax.bases, syntax.segments, strict=True):
        for definition in definitions_of(segment):
            package = package_name(syntax.package_at(base))
            entry = _entry(path, syntax, definition, base, package, None)
            entries.append(entry)
            entries.extend(
                _entry(path, syntax, part, base, package, definition.name) for part in definition.children
            )
    return FileDefinitions(path, tuple(entries))


def definitions_of_text(syntax: Syntax) -> tuple[Entry, ...]:
    """Return what SYNTAX, a text of no path, defines; looked for once for each state of the text."""
    entries = _OF_TEXTS.get(syntax)
    if entries is None:
        entries = _OF_TEXTS[syntax] = definitions_in("", syntax).entries
    return entries


_OF_TEXTS: WeakKeyDictionary[Syntax, tuple[Entry, ...]] = WeakKeyDictionary()


def scan(paths: Iterable[str], read: Read, limit: int = FILE_LIMIT) -> Iterator[FileDefinitions]:
    """Yield what each Lisp file of PATHS defines, at most LIMIT files. READ gives their texts.

    Concurrency: touches nothing shared; for a worker thread or process.
    """
    count = 0
    for path in paths:
        if not is_lisp_file(path):
            continue
        if count >= limit:
            return
        count += 1
        text = read(path)
        if text is not None:
            yield definitions_in(path, parse(text))


class WorkspaceIndex:
    """Definitions by name. Concurrency: every method may be called from any thread."""

    def __init__(self) -> None:
        self.complete = False
        """Whether every file of the workspace has been looked at."""
        self._lock = threading.Lock()
        self._files: dict[str, tuple[Entry, ...]] = {}
        self._names: dict[str, tuple[Entry, ...]] = {}
        self._related: dict[tuple[Relation, str], tuple[Entry, ...]] = {}

    def update(self, path: str, text: str) -> None:
        """Index TEXT as the contents of PATH in place of what was there."""
        self.install(definitions_in(path, parse(text)))

    def install(self, found: FileDefinitions) -> None:
        """Put FOUND in place of what was known of its file."""
        with self._lock:
            self._forget(found.path)
            self._files[found.path] = found.entries
            for entry in found.entries:
                _add(self._names, key_of(entry.name), entry)
                for related in _related_keys(entry):
                    _add(self._related, related, entry)

    def remove(self, path: str) -> None:
        """Forget the file PATH."""
        with self._lock:
            self._forget(path)

    def scan(self, paths: Iterable[str], read: Read, limit: int = FILE_LIMIT) -> Iterator[FileDefinitions]:
        """Index the Lisp files of PATHS, yielding each after it is in; see `scan` for the bounds."""
        for found in scan(paths, read, limit):
            self.install(found)
            yield found

    def lookup(self, name: str, package: str | None = None) -> tuple[Entry, ...]:
        """Return the definitions of NAME, those of its own package prefix or of PACKAGE first.

        Best effort: use and import are not followed, so other packages' definitions come after.
        """
        prefix, _, _ = name.partition(":")
        wanted = package_name(prefix) if prefix and ":" in name else package and package_name(package)
        found = self._names.get(key_of(name), ())
        return tuple(sorted(found, key=lambda entry: entry.package != wanted)) if wanted else found

    def related(self, relation: Relation, name: str) -> tuple[Entry, ...]:
        """Return the definitions that have NAME, of any package, in RELATION to them."""
        return self._related.get((relation, key_of(name)), ())

    def in_file(self, path: str) -> tuple[Entry, ...]:
        """Return the definitions of the file PATH, in its order."""
        return self._files.get(path, ())

    def entries(self) -> Iterator[Entry]:
        """Yield every definition of every file, in no order that is promised."""
        with self._lock:
            files = list(self._files.values())
        for entries in files:
            yield from entries

    def named(self, typed: Typed) -> Iterator[Entry]:
        """Yield the definitions whose name, without package, fits what is TYPED, in no promised order."""
        for _, entries in self.fitting(typed):
            yield from entries

    def fitting(self, typed: Typed) -> Iterator[tuple[float, tuple[Entry, ...]]]:
        """Yield for each name, without package, that fits what is TYPED: how well, and what has it."""
        with self._lock:
            names = self._names.copy()
        for name in typed.likely(names):
            if fit := typed.fit(name):
                yield fit, names[name]

    def paths(self) -> tuple[str, ...]:
        """Return the files that are indexed."""
        with self._lock:
            return tuple(self._files)

    def _forget(self, path: str) -> None:
        for entry in self._files.pop(path, ()):
            _take_out(self._names, key_of(entry.name), path)
            for related in _related_keys(entry):
                _take_out(self._related, related, path)


def key_of(name: str) -> str:
    """Return what NAME is found under; definitions of `(setf name)` stand under `name` as well."""
    return base_name(symbol_of(name))


Key = TypeVar("Key")


def _related_keys(entry: Entry) -> set[tuple[Relation, str]]:
    return {(relation, key_of(name)) for relation, name in entry.related}


def _add(found: dict[Key, tuple[Entry, ...]], key: Key, entry: Entry) -> None:
    found[key] = (*found.get(key, ()), entry)


def _take_out(found: dict[Key, tuple[Entry, ...]], key: Key, path: str) -> None:
    left = tuple(other for other in found.get(key, ()) if other.path != path)
    if left:
        found[key] = left
    else:
        found.pop(key, None)


def _entry(
    path: str, syntax: Syntax, definition: Definition, base: int, package: str, container: str | None
) -> Entry:
    line, column = syntax.lines.position(base + definition.name_start)
    slots = definition.children if definition.kind in ("class", "condition") else ()
    return Entry(
        path,
        definition.name,
        definition.kind,
        definition.detail,
        definition.documentation,
        package,
        base + definition.start,
        base + definition.end,
        base + definition.name_start,
        base + definition.name_end,
        line,
        column,
        tuple(name for slot in slots for name in _INITARG.findall(slot.detail)),
        container,
        _name_text(syntax.text, base + definition.name_start, base + definition.name_end, column),
        definition.related,
    )


def _name_text(text: str, start: int, end: int, column: int) -> str:
    broken = _LINE_END.search(text, start, end) is not None
    if column > _KEPT or (text.isascii() and not broken):
        return ""
    kept = text[start - column : end]
    return kept if broken or not kept.isascii() else ""
