"""The tests of a workspace, from the text of its files; no image is asked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from descartes_server.ide.index import FILE_LIMIT, package_name
from descartes_server.ide.syntax import parse
from descartes_server.ide.tests import TestForm, find_tests, may_define
from descartes_server.operations.source_files import read_source
from descartes_server.operations.texts import SourceText
from descartes_server.operations.workspace_systems import SKIPPED, WorkspaceSystem, system_of


@dataclass(frozen=True)
class FoundTest:
    """A test that FORM in SOURCE defines; SYSTEM is what the file belongs to."""

    form: TestForm
    source: SourceText
    system: str | None


def tests_of_text(source: SourceText, systems: list[WorkspaceSystem]) -> list[FoundTest]:
    """Return the tests in SOURCE, a file of one of SYSTEMS. Parses; for a thread."""
    if not may_define(source.text):
        return []
    system = system_of(systems, source.path)
    forms = find_tests(parse(source.text), frameworks_used(systems, system))
    return [FoundTest(form, source, system) for form in forms]


def frameworks_used(systems: list[WorkspaceSystem], system: str | None) -> frozenset[str]:
    """Return the test frameworks that SYSTEM depends on; when it names none, those of the whole workspace."""
    own = {each for one in systems if one.name == system for each in one.definition.frameworks}
    return frozenset(own or {each for one in systems for each in one.definition.frameworks})


def tests_of_files(paths: Iterable[Path], systems: list[WorkspaceSystem]) -> list[FoundTest]:
    """Return the tests in the files PATHS, in that order. Blocks; for a thread."""
    found: list[FoundTest] = []
    for path in paths:
        text = read_source(path)
        if text is not None:
            found += tests_of_text(SourceText(path, text), systems)
    return found


def packages_of_files(paths: Iterable[Path]) -> list[str]:
    """Return the packages that the files PATHS are in. Blocks; for a thread."""
    names: dict[str, None] = {}
    for path in paths:
        text = read_source(path)
        forms = parse(text).forms if text is not None else ()
        names |= {package_name(form.name): None for form in forms if form.operator.lower() == "in-package"}
    return list(names)


def lisp_files(root: Path) -> Iterator[Path]:
    """Yield the Lisp files of the workspace at ROOT, at most `FILE_LIMIT`."""
    count = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each not in SKIPPED)
        for name in sorted(names):
            if name.lower().endswith((".lisp", ".lsp", ".cl")):
                if count >= FILE_LIMIT:
                    return
                count += 1
                yield Path(folder, name)
