"""The operations on systems: which there are, loading and compiling them with the notes of every file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

import descartes_swank as swank
from descartes_core.errors import InvalidParams, NotFound
from descartes_core.model import Shape
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations import workspace_systems
from descartes_server.operations.context import Context
from descartes_server.operations.evaluations import Kind, Record
from descartes_server.operations.install_hints import how_to_get
from descartes_server.operations.lisp import add, compilation_shape
from descartes_server.operations.registry import Params, operation
from descartes_server.operations.texts import uri_of
from descartes_server.operations.workspace_systems import WorkspaceSystem, find_systems

Load = Literal["always", "onSuccess"]
NOTE_LIMIT = 1000
LONGEST_NAME = 200
_NO_SYSTEM_HAS = frozenset('*?[]\\:"') | {chr(code) for code in range(32)} | {"\x7f"}


class System(Shape, frozen=True, kw_only=True):
    """A system; URI and RANGE are where it is defined, TESTS whether testing it is likely to do something."""

    name: str
    uri: str | None = None
    range: shapes.Range | None = None
    loaded: bool = False
    tests: bool = False
    depends_on: list[str] = []


class SystemList(Shape, frozen=True, kw_only=True):
    """Systems by name."""

    systems: list[System]


class SystemsParams(Params, frozen=True, kw_only=True):
    """ALL: also the systems outside the workspace that the image has or could find."""

    all: bool = False


class SystemParams(Params, frozen=True, kw_only=True):
    """SYSTEM by name; LOAD `always`: also files that the compiler warns of; INSTALL: what is missing may be
    fetched by Quicklisp or ocicl; FORCE: compile also what has not changed."""

    system: str
    force: bool = False
    load: Load = "onSuccess"
    install: bool = False


class ReloadParams(Params, frozen=True, kw_only=True):
    """SYSTEM by name; without it every system of the workspace that is loaded."""

    system: str | None = None
    load: Load = "onSuccess"


async def _from_text(context: Context, params: SystemsParams) -> SystemList:
    found = await asyncio.to_thread(find_systems, context.services.workspace.root)
    return SystemList(systems=_listed(found, {}))


@operation("lisp.systems", kind="ask", for_agents=True, without_hub=_from_text)
async def systems(context: Context, params: SystemsParams) -> SystemList:
    """List the systems of the workspace, and whether the image has loaded them."""
    image = context.services.image
    found = await asyncio.to_thread(find_systems, context.services.workspace.root)
    if image.status().state != "ready":
        return SystemList(systems=_listed(found, {}))
    lisp = image.running()
    await image.ask(image.serve_workspace(lisp))
    known = {each.name: each for each in await image.ask(lisp.known_systems(all=params.all))}
    listed = _listed(found, known)
    if params.all:
        own = {each.name for each in listed}
        others = (each for name, each in sorted(known.items()) if name not in own)
        listed += [
            System(name=each.name, uri=each.file and uri_of(each.file), loaded=each.loaded) for each in others
        ]
    return SystemList(systems=listed)


@operation("lisp.loadSystem", kind="effect", needs_trust=True, for_agents=True, positional=("system",))
async def load_system(context: Context, params: SystemParams) -> shapes.Compilation:
    """Load a system and what it needs, compiling what has changed."""
    return await _operated(context, params, "load-op")


@operation("lisp.compileSystem", kind="effect", needs_trust=True, for_agents=True, positional=("system",))
async def compile_system(context: Context, params: SystemParams) -> shapes.Compilation:
    """Compile a system without loading it; what it needs is loaded."""
    return await _operated(context, params, "compile-op")


@operation("lisp.reloadSystem", kind="effect", needs_trust=True, for_agents=True, positional=("system",))
async def reload_system(context: Context, params: ReloadParams) -> shapes.Compilation:
    """Load again what has changed in a system and what it needs, or in all that are loaded, in order."""
    if params.system is not None:
        return await _operated(context, SystemParams(system=params.system, load=params.load), "load-op")
    done: list[shapes.Compilation] = []
    for name in await _loaded_here(context):
        done.append(await _operated(context, SystemParams(system=name, load=params.load), "load-op"))
        if not done[-1].success:
            break
    return _together(done)


@dataclass(frozen=True)
class Operated:
    """Work on a system that has ended or stopped."""

    shape: shapes.Compilation
    report: swank.SystemReport


async def load_for_tests(context: Context, name: str, load: Load = "onSuccess") -> Operated:
    """Load what testing the system NAME is about. Errors: those of `lisp.loadSystem`."""
    return await _operate(context, SystemParams(system=name, load=load), "test-op")


async def _operated(
    context: Context, params: SystemParams, verb: swank.SystemOperation
) -> shapes.Compilation:
    return (await _operate(context, params, verb)).shape


async def _operate(context: Context, params: SystemParams, verb: swank.SystemOperation) -> Operated:
    name = checked_name(params.system)
    root = context.services.workspace.root
    systems = await asyncio.to_thread(find_systems, root)
    own = workspace_systems.named(systems, name)
    function = "compile-system" if verb == "compile-op" else "load-system"
    kind: Kind = "compile" if verb == "compile-op" else "load"
    image, paths = context.services.image, swank.Paths()

    async def ask(lisp: swank.Lisp) -> swank.Evaluation:
        nonlocal paths
        paths = lisp.paths
        await image.serve_workspace(lisp)
        return await lisp.operate_on_system(
            name,
            verb,
            id=record.id,
            client=record.client,
            definition=own.source.path if own else None,
            force=params.force,
            load_faulty=params.load == "always",
            install=params.install,
        )

    async with image.loading:  # until it ends or stops: what is stopped may need another system
        record = add(context, kind, f'(asdf:{function} "{name}")')
        await image.begin(record, ask, context.caller.environment)
        await image.paused_or_settled(record)
    assert record.live is not None
    report = swank.system_report(record.live.report, paths)
    if report.missing is not None:
        raise NotFound(await how_to_get(report, name), system=report.missing, required_by=report.required_by)
    shape = await _outcome(record, report, own.name if own else name, root)
    if shape.success:
        left = _unsaved(context.services.editors.unsaved(), workspace_systems.needed(systems, name), kind)
        shape = msgspec.structs.replace(shape, message=left)
    return Operated(shape, report)


def _unsaved(unsaved: list[tuple[str, str]], systems: list[WorkspaceSystem], kind: Kind) -> str | None:
    """Return the sentence about files of SYSTEMS that are UNSAVED, paths and editors: ASDF reads the disk."""
    left = [
        (path, editor)
        for path, editor in sorted(unsaved)
        if any(each.system_of(Path(path)) or path == str(each.source.path) for each in systems)
    ]
    if not left:
        return None
    (first, *others), editors = dict(left), " and ".join(sorted({editor for _, editor in left}))
    name, done = Path(first).name, "compiled" if kind == "compile" else "loaded"
    if not others:
        return f"{name} has unsaved changes in {editors}, and its text on disk was {done}"
    more = "another file" if len(others) == 1 else f"{len(others)} other files"
    return f"{name} and {more} have unsaved changes in {editors}, and their text on disk was {done}"


async def _outcome(record: Record, report: swank.SystemReport, name: str, root: Path) -> shapes.Compilation:
    """Return how RECORD, work on the system NAME that REPORT is about, went."""
    shape = await compilation_shape(record)
    notes = [note for note in shape.notes if not shape.success or _is_in(root, note)]
    message = None
    if shape.state == "done" and not shape.success:
        message = (
            f"the compiler warns of a file of {name!r}, which was not loaded;"
            " correct it, or load it anyway with `load: always`"
        )
    files = [uri_of(file) for file in report.files]
    return msgspec.structs.replace(shape, notes=notes[:NOTE_LIMIT], files=files, system=name, message=message)


def _is_in(root: Path, note: shapes.Note) -> bool:
    """What is said of files that were installed elsewhere is not the person's to correct."""
    return note.uri is not None and note.uri.startswith(f"{uri_of(root)}/")


def _together(done: list[shapes.Compilation]) -> shapes.Compilation:
    """Return several compilations as one: how the last one ended, with the notes and files of all."""
    if not done:
        return shapes.Compilation(success=True, duration_ms=0)
    notes = [note for each in done for note in each.notes]
    files = list(dict.fromkeys(file for each in done for file in each.files))
    duration = sum(each.duration_ms for each in done)
    message = done[-1].message or next((each.message for each in done if each.message), None)
    return msgspec.structs.replace(
        done[-1], notes=notes[:NOTE_LIMIT], files=files, duration_ms=duration, message=message
    )


async def _loaded_here(context: Context) -> list[str]:
    """Return the systems of the workspace that the image has loaded. Errors: `LispNotRunning`."""
    image = context.services.image
    lisp = image.running()
    await image.ask(image.serve_workspace(lisp))
    loaded = {each.name for each in await image.ask(lisp.known_systems()) if each.loaded}
    found = await asyncio.to_thread(find_systems, context.services.workspace.root)
    return list(dict.fromkeys(each.name for each in found if each.name in loaded))


def _listed(found: list[WorkspaceSystem], known: dict[str, swank.KnownSystem]) -> list[System]:
    listed: dict[str, System] = {}
    for each in found:
        own = workspace_systems.named(found, each.name)
        if own is not each:
            continue
        definition, place = each.definition, each.location
        listed[each.name] = System(
            name=each.name,
            uri=place.uri,
            range=place.range,
            loaded=each.name in known and known[each.name].loaded,
            tests=definition.has_tests,
            depends_on=list(definition.depends_on),
        )
    return [listed[name] for name in sorted(listed)]


def checked_name(name: str) -> str:
    """Return NAME as ASDF knows it. Errors: `InvalidParams` when no system can have such a name."""
    plain = name.strip().removeprefix("#").removeprefix(":").strip('"').lower()
    if not plain or len(plain) > LONGEST_NAME or _NO_SYSTEM_HAS & set(plain):
        raise InvalidParams(f"expected the name of a system, such as alexandria, got {name[:80]!r}")
    return plain
