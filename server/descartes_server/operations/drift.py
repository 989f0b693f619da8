"""`lisp.drift`, `lisp.loadChanged`: each definition's text against what the image has loaded.

What a definition's text is, is `ide.drift`'s to say; what the image has, the marks in it say.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import descartes_swank as swank
from descartes_core.errors import DescartesError
from descartes_core.model import Shape
from descartes_server.ide import drift as ide
from descartes_server.ide.drift import State, Unit
from descartes_server.ide.index import FILE_LIMIT, is_lisp_file
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations import texts
from descartes_server.operations.context import Context
from descartes_server.operations.loaded_texts import real, units_of
from descartes_server.operations.registry import Params, operation
from descartes_server.operations.texts import SourceText

States = Callable[[Path, Sequence[Unit]], Awaitable[swank.FileState | None]]
_SKIPPED = frozenset(["node_modules", "__pycache__"])


class OpenDocument(Shape, frozen=True, kw_only=True):
    """The sender's own text of the file URI; it counts before the disk's."""

    uri: str
    version: int
    text: str


class DriftParams(Params, frozen=True, kw_only=True):
    """The file URI; without it every file of the workspace that the image has anything of."""

    uri: str | None = None
    document: shapes.Document | None = None
    documents: list[OpenDocument] = []
    """What the sender has open, where no file is named."""
    use_disk: bool = False


class DriftForm(Shape, frozen=True, kw_only=True):
    """A definition of a file and its STATE; SIGNATURE is a method's qualifiers and specializers."""

    uri: str
    range: shapes.Range
    name: str
    state: State
    kind: str
    signature: str | None = None


class RemovedForm(Shape, frozen=True, kw_only=True):
    """A definition that the image has from a file whose text has it no more."""

    uri: str
    name: str
    kind: str
    package: str | None = None
    signature: str | None = None


class Drift(Shape, frozen=True, kw_only=True):
    """The definitions in the order of their files and places."""

    forms: list[DriftForm]
    removed: list[RemovedForm] = []


@dataclass(frozen=True)
class FileDrift:
    """The units of SOURCE with their states, and what the image has that the text has no more."""

    source: SourceText
    found: list[tuple[Unit, State]]
    there: swank.FileState

    @property
    def anything(self) -> bool:
        """Whether the image has anything of this file."""
        return self.there.seen or any(state != "missing" for _, state in self.found)


async def _without_hub(context: Context, params: DriftParams) -> Drift:
    """Ask the image's own service, where an image outlived its hub."""
    record = await asyncio.to_thread(swank.read_record, context.services.workspace.runtime)
    if record is None or not record.service_socket:
        return await _drift(context, params, _nothing, None)
    try:
        service = await swank.ServiceQuestions.open(record.service_socket)
    except swank.LispLost:
        return await _drift(context, params, _nothing, None)
    try:
        return await _drift(
            context,
            params,
            lambda path, units: service.drift(real(path), [u.description() for u in units]),
            None,
        )
    finally:
        await service.close()


@operation("lisp.drift", kind="ask", for_agents=True, positional=("uri",), without_hub=_without_hub)
async def drift(context: Context, params: DriftParams) -> Drift:
    """Say of each definition whether the image has its text, an older one, or none."""
    image = context.services.image
    await image.texts.settled()
    states = _nothing if image.status().state != "ready" else asked(context)
    return await _drift(context, params, states, context.services.editors)


def asked(context: Context) -> States:
    """Return what asks the hub's image. Errors of it: `LispNotRunning`, `LispLost`."""
    image = context.services.image
    return lambda path, units: image.ask(image.texts.states(path, units))


async def _nothing(path: Path, units: Sequence[Unit]) -> None:
    return None


async def _drift(
    context: Context, params: DriftParams, states: States, editors: texts.Editors | None
) -> Drift:
    if params.uri is not None:
        source = await read(params.uri, params.document, editors, use_disk=params.use_disk)
        return _shape([await file_drift(source, states)])
    if states is _nothing:
        return Drift(forms=[])
    root = context.services.workspace.root
    return _shape([each for each in await workspace_drift(root, params.documents, states) if each.anything])


async def read(
    uri: str, document: shapes.Document | None, editors: texts.Editors | None, *, use_disk: bool
) -> SourceText:
    """Return the text that counts for URI; without EDITORS nobody can have changed it unsaved."""
    if editors is not None:
        return await texts.read(editors, uri, document, use_disk=use_disk)
    path = texts.path_of(uri)
    return SourceText(path, document.text) if document is not None else await texts.read_file(path)


async def file_drift(source: SourceText, states: States) -> FileDrift:
    """Return the drift of SOURCE, a system definition has none."""
    units = [] if source.path.suffix == ".asd" else await units_of(source)
    there = await states(source.path, units) or swank.FileState(tuple(swank.UnitState(False) for _ in units))
    has = {unit.identity: state for unit, state in zip(units, there.units, strict=True)}
    return FileDrift(source, ide.states(units, has), there)


async def workspace_drift(root: Path, documents: Sequence[OpenDocument], states: States) -> list[FileDrift]:
    """Return the drift of every Lisp file below ROOT by path; DOCUMENTS count before the disk."""
    own = {real(texts.path_of(each.uri)): each.text for each in documents}
    found = []
    for path in await asyncio.to_thread(lambda: list(lisp_files(root))):
        try:
            text = own.get(real(path))
            source = await texts.read_file(path) if text is None else SourceText(path, text)
        except DescartesError:
            continue
        found.append(await file_drift(source, states))
    return found


def lisp_files(root: Path, *, systems: bool = False) -> Iterator[Path]:
    """Yield the Lisp source files below ROOT by path, or its system definitions; nothing that is hidden."""
    count = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each not in _SKIPPED)
        for name in sorted(names):
            if is_lisp_file(name) and name.endswith(".asd") == systems:
                yield Path(folder, name)
                count += 1
        if count > FILE_LIMIT:
            return


def _shape(files: Sequence[FileDrift]) -> Drift:
    return Drift(
        forms=[
            DriftForm(
                uri=each.source.uri,
                range=each.source.range(unit.start, unit.end),
                name=unit.name,
                state=state,
                kind=unit.kind,
                signature=_signature(unit.identity[4], unit.identity[5]) if unit.kind == "method" else None,
            )
            for each in files
            for unit, state in each.found
        ],
        removed=[
            RemovedForm(
                uri=each.source.uri,
                name=name,
                kind=_kind(space, operator),
                package=package,
                signature=_signature(qualifiers, specializers) if space == "method" else None,
            )
            for each in files
            for space, operator, name, package, qualifiers, specializers in each.there.removed
        ],
    )


def _kind(space: str, operator: str) -> str:
    return ide.kind_of(operator) or space


def _signature(qualifiers: Sequence[str], specializers: Sequence[str]) -> str:
    return f"({' '.join((*qualifiers, *specializers))})"
