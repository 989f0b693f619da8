"""What a text may lead to: pages of the web, files beside it, and the definitions of systems it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from posixpath import basename, isabs, join, normpath

from descartes_server.ide.index import WorkspaceIndex
from descartes_server.ide.lexer import Lexeme
from descartes_server.ide.roles import base_name
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import Syntax

LIMIT = 2000
"""Links of each sort in one text."""

_URL = re.compile(r"\b(?:https?|ftp)://\w[^\s\"<>|\\^`{}]+", re.IGNORECASE)
_PAIRS = {")": "(", "]": "["}
_QUOTED = re.compile(r"\\(.)")
_LONGEST = 255
_LOADING = frozenset(("load", "compile-file"))
_PATHNAME = re.compile(r"#\d*[pP]")


@dataclass(frozen=True, slots=True)
class Link:
    """A stretch of the text and where it leads: to the page URL, else to the first of PATHS that exists."""

    start: int
    end: int
    tooltip: str
    url: str = ""
    paths: tuple[str, ...] = ()
    """Absolute paths of files, or, where FOLDER says so, of folders."""
    folder: bool = False


def links(syntax: Syntax, path: str | None, index: WorkspaceIndex) -> list[Link]:
    """Return the links of SYNTAX in order, those to files whether they exist or not.

    PATH is the text's own, absolute; without one it links to pages only. INDEX knows the systems.
    """
    found = list(islice(_pages(syntax), LIMIT))
    if path is not None:
        folder = path.rpartition("/")[0] or "/"
        parts = list(_parts_of_systems(syntax, path, folder, index)) if _is_systems(path) else []
        taken = {each.start for each in parts}
        found += parts[:LIMIT]
        found += islice((each for each in _files(syntax, folder) if each.start not in taken), LIMIT)
    return sorted(found, key=lambda each: each.start)


def _pages(syntax: Syntax) -> Iterator[Link]:
    for base, segment in zip(syntax.bases, syntax.segments, strict=True):
        for kind, start, end in segment.lexemes if "://" in segment.text else ():
            if kind not in ("comment", "block", "string", "broken"):
                continue
            for match in _URL.finditer(segment.text, start, end):
                url, at = _without_stop(match[0]), base + match.start()
                yield Link(at, at + len(url), "Opens this page.", url)


def _without_stop(url: str) -> str:
    """Return URL without what ends the sentence or closes the parenthesis around it."""
    while url[-1] in ".,;:!?'*~" or (url[-1] in _PAIRS and url.count(url[-1]) > url.count(_PAIRS[url[-1]])):
        url = url[:-1]
    return url


def _files(syntax: Syntax, folder: str) -> Iterator[Link]:
    for base, segment in zip(syntax.bases, syntax.segments, strict=True):
        before: list[Lexeme] = []
        for lexeme in segment.lexemes:
            kind, start, end = lexeme
            if kind == "string":
                paths = tuple(_candidates(segment, before, lexeme, folder))
                if paths:
                    yield Link(base + start + 1, base + end - 1, "Opens this file.", paths=paths)
            if kind not in ("comment", "block"):
                before = [*before[-2:], lexeme]


def _candidates(segment: Segment, before: list[Lexeme], string: Lexeme, folder: str) -> Iterator[str]:
    """Yield the paths that STRING may mean, BEFORE being the words before it."""
    name = segment.text[string[1] + 1 : string[2] - 1]
    if not 0 < len(name) <= _LONGEST or "\n" in name or "://" in name:
        return
    name = _QUOTED.sub(r"\1", name)
    words = [segment.text[start:end] for _, start, end in before]
    pathname = bool(words) and _PATHNAME.fullmatch(words[-1]) is not None
    calling = words[:-1] if pathname else words
    loads = len(calling) > 1 and calling[-2] == "(" and base_name(calling[-1]) in _LOADING
    if isabs(name) and not (pathname or loads):
        return
    if pathname or loads or "." in name or "/" in name:
        yield normpath(join(folder, name))
    if loads and "." not in basename(name):
        yield normpath(join(folder, name + ".lisp"))


def _is_systems(path: str) -> bool:
    return path.lower().endswith(".asd")


def _parts_of_systems(syntax: Syntax, path: str, folder: str, index: WorkspaceIndex) -> Iterator[Link]:
    from descartes_server.ide.systems import systems_of  # most texts define no system

    for system in systems_of(syntax):
        for part in system.components:
            place = (normpath(join(folder, part.path)),)
            if part.kind == ":module":
                yield Link(part.start, part.end, "Shows this folder.", paths=place, folder=True)
            else:
                yield Link(part.start, part.end, "Opens this file.", paths=place)
        for reference in system.references:
            defining = tuple(_defining(index, reference.name))
            if defining:
                tooltip = "Opens the file that defines this system."
                yield Link(reference.start, reference.end, tooltip, paths=defining)


def _defining(index: WorkspaceIndex, name: str) -> list[str]:
    """Return the files that define the system NAME, the one that has its name first, as ASDF finds it."""
    primary = name.lower().partition("/")[0]
    found = [
        each.path
        for each in index.lookup(name)
        if each.kind == "system" and each.name.lower() == name.lower() and _is_systems(each.path)
    ]
    return sorted(found, key=lambda path: (basename(path).lower() != f"{primary}.asd", len(path), path))
