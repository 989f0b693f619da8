"""The operations on tests: which there are, running them, and what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

import descartes_swank as swank
from descartes_core.errors import InvalidParams, NotFound
from descartes_core.model import Shape
from descartes_server.ide.drift import State, Unit
from descartes_server.ide.tests import RUNNABLE, full_name, innermost
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations import texts, workspace_systems
from descartes_server.operations.context import Context
from descartes_server.operations.drift import asked, file_drift
from descartes_server.operations.lisp import compile_span
from descartes_server.operations.lisp_systems import Load, checked_name, load_for_tests
from descartes_server.operations.registry import Params, operation
from descartes_server.operations.test_results import TestResult, TestRun
from descartes_server.operations.test_run import Run, located
from descartes_server.operations.texts import SourceText
from descartes_server.operations.workspace_systems import WorkspaceSystem, find_systems
from descartes_server.operations.workspace_tests import (
    FoundTest,
    lisp_files,
    packages_of_files,
    tests_of_files,
    tests_of_text,
)


class Test(Shape, frozen=True, kw_only=True):
    """A test by its id NAME, `package::test`; RANGE is its whole form."""

    __test__ = False

    name: str
    framework: str
    uri: str
    range: shapes.Range
    system: str | None = None
    suite: str | None = None


class TestList(Shape, frozen=True, kw_only=True):
    """Tests in the order of the text."""

    __test__ = False

    tests: list[Test]


class ResultList(Shape, frozen=True, kw_only=True):
    """The last result of each test, the newest last."""

    results: list[TestResult]


class TestsParams(Params, frozen=True, kw_only=True):
    """The file URI, or SYSTEM by name; neither: the whole workspace."""

    __test__ = False

    system: str | None = None
    uri: str | None = None
    document: shapes.Document | None = None


class TestSystemParams(Params, frozen=True, kw_only=True):
    """SYSTEM by name; ONLY these tests of it; DEBUG: what fails stops in the debugger; LOAD `always`: also
    files that the compiler warns of."""

    __test__ = False

    system: str
    only: list[str] = []
    debug: bool = False
    load: Load = "onSuccess"


class RunTestParams(Params, frozen=True, kw_only=True):
    """The test at POSITION of the file URI, or the one of it called NAME; DEBUG: what fails stops."""

    uri: str
    position: shapes.Position | None = None
    name: str | None = None
    debug: bool = False
    document: shapes.Document | None = None
    use_disk: bool = False


class ResultsParams(Params, frozen=True, kw_only=True):
    """The results of SYSTEM, or of the tests in the file URI; without either all of them."""

    system: str | None = None
    uri: str | None = None


async def _no_results(context: Context, params: ResultsParams) -> ResultList:
    _asked(params)
    return ResultList(results=[])


def _asked(params: ResultsParams) -> tuple[str | None, str | None]:
    """Return the system and the URI that PARAMS name. Errors: `InvalidParams`."""
    uri = texts.uri_of(texts.path_of(params.uri)) if params.uri is not None else None
    return checked_name(params.system) if params.system is not None else None, uri


@operation("lisp.tests", kind="read", for_agents=True, positional=("system",))
async def tests(context: Context, params: TestsParams) -> TestList:
    """List the tests that the text of a file, a system or the workspace defines; no image is needed."""
    root = context.services.workspace.root
    systems = await asyncio.to_thread(find_systems, root)
    if params.uri is not None:
        source = await _text(params.uri, params.document)
        found = await asyncio.to_thread(tests_of_text, source, systems)
    elif params.system is not None:
        own = workspace_systems.named(systems, checked_name(params.system))
        if own is None:
            raise NotFound(f"expected a system of the workspace, there is none named {params.system!r}")
        files = _files_of(own, systems)
        found = await asyncio.to_thread(tests_of_files, files, systems)
    else:
        found = await asyncio.to_thread(lambda: tests_of_files(lisp_files(root), systems))
    return TestList(tests=[_shape(each) for each in found])


@operation("lisp.testResults", kind="ask", for_agents=True, positional=("system",), without_hub=_no_results)
async def test_results(context: Context, params: ResultsParams) -> ResultList:
    """Answer what became of each test when it was last run."""
    return ResultList(results=context.services.image.test_results.of(*_asked(params)))


@operation("lisp.testSystem", kind="effect", needs_trust=True, for_agents=True, positional=("system", "only"))
async def test_system(context: Context, params: TestSystemParams) -> TestRun:
    """Load a system and run its tests, or some of them; answers when they have ended or one has stopped."""
    name = checked_name(params.system)
    loaded = await load_for_tests(context, name, params.load)
    if not loaded.shape.success:
        return _not_loaded(name, loaded.shape)
    systems = await asyncio.to_thread(find_systems, context.services.workspace.root)
    files = [Path(file) for _, files in loaded.report.tested for file in files]
    found = await _told_apart(context, await asyncio.to_thread(tests_of_files, files, systems))
    registered = await _registered(context, found, files)
    chosen = _chosen(registered, params.only, name)
    run = Run(context, name, chosen, found)
    finished = await run.perform(f'(asdf:test-system "{name}")', debug=params.debug)
    return _with_load(context, finished, loaded.shape)


@operation("lisp.runTest", kind="effect", needs_trust=True, for_agents=True, positional=("uri", "name"))
async def run_test(context: Context, params: RunTestParams) -> TestRun:
    """Run one test of a file as its text is now, after loading the system that it belongs to."""
    source = await texts.read(context.services.editors, params.uri, params.document, use_disk=params.use_disk)
    systems = await asyncio.to_thread(find_systems, context.services.workspace.root)
    test = _named_or_at(await asyncio.to_thread(tests_of_text, source, systems), source, params)
    if test.form.framework not in RUNNABLE:
        raise InvalidParams(
            f"tests of {test.form.framework} are run with their whole system, by lisp.testSystem"
        )
    notes: shapes.Compilation | None = None
    if test.system is not None:
        notes = (await load_for_tests(context, test.system)).shape
        if not notes.success:
            return _not_loaded(test.system, notes)
    registered = located_test(await _registered(context, [test], []), test)
    if registered is None or not await _is_loaded(context, source, test):
        form = (test.form.start, test.form.end) if registered else (0, len(source.text))
        package = test.form.package if registered else None
        compiled = await compile_span(context, source, form, package)
        if compiled.state != "done":
            return _not_loaded(test.system, compiled)
        registered = located_test(await _registered(context, [test], []), test)
    if registered is None:
        raise NotFound(f"expected the test {test.form.name!r} to be defined by its form; the image has none")
    run = Run(context, test.system, [registered], [test])
    finished = await run.perform(f"(descartes:run-test {test.form.name})", debug=params.debug)
    return _with_load(context, finished, notes)


def located_test(registered: Sequence[swank.RegisteredTest], test: FoundTest) -> swank.RegisteredTest | None:
    """Return the one of REGISTERED that the text of TEST defines."""
    return next((each for each in registered if located(_id(each), [test]) is not None), None)


def _id(test: swank.RegisteredTest) -> str:
    return full_name(test.package, test.name)


async def _registered(
    context: Context, found: Sequence[FoundTest], files: Sequence[Path]
) -> list[swank.RegisteredTest]:
    """Return the tests in the image of the packages of FOUND and FILES, those in the text in its order."""
    names = await asyncio.to_thread(packages_of_files, files)
    packages = list(dict.fromkeys([*(each.form.package for each in found), *names]))
    image = context.services.image
    lisp = image.running()
    await image.ask(image.serve_workspace(lisp))
    registered = await image.ask(lisp.registered_tests(packages))
    order = {each.form.name: number for number, each in enumerate(found)}
    return sorted(registered, key=lambda test: order.get(_id(test), len(order)))


def _chosen(
    registered: list[swank.RegisteredTest], only: list[str], system: str
) -> list[swank.RegisteredTest]:
    """Return those of REGISTERED that ONLY names. Errors: `InvalidParams` when one is not there."""
    if not only:
        return registered
    chosen: dict[swank.RegisteredTest, None] = {}
    for name in only:
        fitting = [test for test in registered if _means(name, test)]
        if not fitting:
            some = ", ".join(_id(test) for test in registered[:5]) or "none"
            raise InvalidParams(f"expected a test of {system!r}, got {name[:100]!r}; it has {some}")
        chosen |= dict.fromkeys(fitting)
    return [test for test in registered if test in chosen]


def _means(name: str, test: swank.RegisteredTest) -> bool:
    """Return whether NAME, with its package or without, is TEST's; case and bars do not matter."""
    return _names(name, _id(test))


def _names(name: str, full: str) -> bool:
    full = full.lower().replace("|", "")
    return name.lower().replace("|", "") in (full, full.partition("::")[2])


def _named_or_at(found: list[FoundTest], source: SourceText, params: RunTestParams) -> FoundTest:
    """Return the test that PARAMS mean. Errors: `InvalidParams`, `NotFound`."""
    if params.name is not None:
        for each in found:
            if _names(params.name, each.form.name):
                return each
        raise NotFound(f"expected a test of {source.path.name}, there is none named {params.name[:100]!r}")
    if params.position is None:
        raise InvalidParams("lisp.runTest expects `position` or `name`, got neither")
    form = innermost([each.form for each in found], source.offset(params.position))
    if form is None:
        raise NotFound(f"expected a test at line {params.position.line} of {source.path.name}, there is none")
    return next(each for each in found if each.form is form)


def _not_loaded(system: str | None, load: shapes.Compilation) -> TestRun:
    """Return that the tests of SYSTEM were not run because of LOAD."""
    return TestRun(
        success=False,
        system=system,
        output=load.output,
        state=load.state,
        debugger=load.debugger,
        condition=load.condition,
        evaluation=load.evaluation,
        duration_ms=load.duration_ms,
        message=load.message or "the tests were not run, because they could not be loaded",
        notes=load.notes,
        files=load.files,
    )


def _with_load(context: Context, run: TestRun, load: shapes.Compilation | None) -> TestRun:
    """Return RUN with the notes of LOAD, which came before it, and its files in the workspace."""
    if load is None:
        return run
    root = texts.uri_of(context.services.workspace.root)
    files = [file for file in load.files if file.startswith(f"{root}/")]
    return msgspec.structs.replace(run, notes=load.notes, files=files)


def _files_of(system: WorkspaceSystem, systems: list[WorkspaceSystem]) -> list[Path]:
    """Return the files of SYSTEM and of those that test it, by the text."""
    files: dict[Path, None] = {}
    pending, seen = [system], set[str]()
    while pending:
        each = pending.pop()
        if each.name in seen:
            continue
        seen.add(each.name)
        files |= dict.fromkeys(each.files)
        if each.definition.inferred:
            top = each.source.path.parent / each.definition.folder
            files |= dict.fromkeys(path for path in lisp_files(top) if path.suffix == ".lisp")
        names = each.definition.tested_by
        pending += [found for name in names if (found := workspace_systems.named(systems, name)) is not None]
    return list(files)


def _shape(test: FoundTest) -> Test:
    return Test(
        name=test.form.name,
        framework=test.form.framework,
        uri=test.source.uri,
        range=test.source.range(test.form.start, test.form.end),
        system=test.system,
        suite=test.form.suite,
    )


async def _text(uri: str, document: shapes.Document | None) -> SourceText:
    path = texts.path_of(uri)
    return SourceText(path, document.text) if document is not None else await texts.read_file(path)


async def _is_loaded(context: Context, source: SourceText, test: FoundTest) -> bool:
    """Return whether the image has TEST as it stands in SOURCE, and that is known."""
    states = [state for unit, state in await _states(context, source) if _is_in(test, unit)]
    return bool(states) and all(state == "loaded" for state in states)


async def _told_apart(context: Context, found: Sequence[FoundTest]) -> list[FoundTest]:
    """Return FOUND, without the digest of the text where the image has the test otherwise.

    It was evaluated or run unsaved, and ASDF does not know that; its result is none of that text.
    """
    changed: dict[Path, list[Unit]] = {}
    for source in {each.source.path: each.source for each in found}.values():
        states = await _states(context, source)
        changed[source.path] = [unit for unit, state in states if state == "changed"]
    return [
        replace(each, form=replace(each.form, digest=""))
        if any(_is_in(each, unit) for unit in changed[each.source.path])
        else each
        for each in found
    ]


async def _states(context: Context, source: SourceText) -> list[tuple[Unit, State]]:
    """Return how the image has each definition of SOURCE, as far as that can be told."""
    await context.services.image.texts.settled()
    return (await file_drift(source, asked(context))).found


def _is_in(test: FoundTest, unit: Unit) -> bool:
    return unit.form[0] <= test.form.start < unit.form[1]
