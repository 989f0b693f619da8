"""The systems of a workspace, from the text of its `.asd` files; no image is asked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from descartes_server.ide.systems import SystemDefinition, systems_in
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations.texts import SourceText

SKIPPED = frozenset(["node_modules", "__pycache__"])
FOLDER_LIMIT = 20_000
SIZE_LIMIT = 1_000_000


@dataclass(frozen=True)
class WorkspaceSystem:
    """A system that the text SOURCE, a `.asd` file, defines."""

    definition: SystemDefinition
    source: SourceText

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def files(self) -> list[Path]:
        """Return the paths of its source files, whether they exist or not."""
        folder = self.source.path.parent
        return [Path(os.path.normpath(folder / each)) for each in self.definition.files]

    @property
    def location(self) -> shapes.Location:
        """Return the place of its definition's name."""
        return self.source.location(self.definition.name_start, self.definition.name_end)

    def system_of(self, path: Path) -> str | None:
        """Return the name of the system that PATH, a source file, belongs to by this definition."""
        if path in self.files:
            return self.name
        top = self.source.path.parent / self.definition.folder
        if self.definition.inferred and path.suffix == ".lisp" and path.is_relative_to(top):
            return f"{self.name}/{path.relative_to(top).with_suffix('').as_posix()}"
        return None


def find_systems(root: Path) -> list[WorkspaceSystem]:
    """Return the systems of the workspace at ROOT, those nearest to it first. Blocks; for a thread."""
    found = []
    for path in sorted(_definition_files(root), key=lambda path: (len(path.parts), path)):
        text = _read(path)
        if text is not None:
            source = SourceText(path, text)
            found += [WorkspaceSystem(definition, source) for definition in systems_in(text)]
    return found


def named(systems: list[WorkspaceSystem], name: str) -> WorkspaceSystem | None:
    """Return the one of SYSTEMS that NAME means, as ASDF finds it: where its file has its name, that one."""
    same = [each for each in systems if each.name == name.lower()]
    primary = name.lower().partition("/")[0]
    return next(
        (each for each in same if each.source.path.stem.lower() == primary), same[0] if same else None
    )


def needed(systems: list[WorkspaceSystem], name: str) -> list[WorkspaceSystem]:
    """Return the one of SYSTEMS that NAME means and those of them that it depends on, each once."""
    found: dict[str, WorkspaceSystem] = {}
    pending = [name]
    while pending:
        own = named(systems, pending.pop())
        if own is not None and own.name not in found:
            found[own.name] = own
            pending += own.definition.depends_on
    return list(found.values())


def system_of(systems: list[WorkspaceSystem], path: Path) -> str | None:
    """Return the system that PATH belongs to; one that has tests before one that has none."""
    found = [(each, name) for each in systems if (name := each.system_of(path)) is not None]
    found.sort(key=lambda pair: not pair[0].definition.has_tests)
    return found[0][1] if found else None


def _definition_files(root: Path) -> Iterator[Path]:
    for count, (folder, folders, names) in enumerate(os.walk(root)):
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each not in SKIPPED)
        yield from (Path(folder, name) for name in sorted(names) if name.lower().endswith(".asd"))
        if count >= FOLDER_LIMIT:
            return


def _read(path: Path) -> str | None:
    try:
        if path.stat().st_size > SIZE_LIMIT:
            return None
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return None
