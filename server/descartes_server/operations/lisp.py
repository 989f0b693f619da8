"""The operations `lisp.*`: the image's life, evaluations, compilations and loads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Literal

import msgspec

import descartes_swank as swank
from descartes_core.errors import InvalidParams, NotFound, TimedOut
from descartes_core.ports import new_id
from descartes_server.ide import drift
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations import texts
from descartes_server.operations.context import Context
from descartes_server.operations.evaluations import Kind, Record
from descartes_server.operations.parsed import parsed
from descartes_server.operations.registry import Empty, NoParams, Params, operation

Scope = Literal["last", "toplevel", "enclosing"]
Load = Literal["always", "onSuccess", "never"]
LOADING: dict[Load, bool | Literal["always"]] = {"always": "always", "onSuccess": True, "never": False}
NOT_LOADED = "the compiler is not content with {}, which was not loaded; to load it anyway say `load: always`"
SEVERITIES: dict[str, shapes.Severity] = {
    "error": "error",
    "read-error": "error",
    "warning": "warning",
    "style-warning": "warning",
    "redefinition": "information",
    "early-deprecation-warning": "warning",
    "late-deprecation-warning": "warning",
    "final-deprecation-warning": "warning",
    "note": "information",
}


class StartParams(Params, frozen=True, kw_only=True):
    """IMPLEMENTATION is the command to start instead of the configured one, one word."""

    implementation: str | None = None


class EvalParams(Params, frozen=True, kw_only=True):
    """CODE to evaluate, in PACKAGE, else in the package of the file URI at POSITION.

    REPL: the name of one of this client's REPLs, which has a package, `*` and numbered results of its own.
    """

    code: str
    package: str | None = None
    repl: str | None = None
    uri: str | None = None
    position: shapes.Position | None = None
    document: shapes.Document | None = None
    on_stop: Literal["return", "wait"] = "return"
    timeout_ms: int | None = None


class FormParams(Params, frozen=True, kw_only=True):
    """A form of the file URI at POSITION."""

    uri: str
    position: shapes.Position
    document: shapes.Document | None = None
    use_disk: bool = False


class EvalFormParams(FormParams, frozen=True, kw_only=True):
    """SCOPE: the form that ends before the position, the top-level one or the innermost around it."""

    scope: Scope = "toplevel"


class CompileFormParams(FormParams, frozen=True, kw_only=True):
    """POLICY: optimization qualities for this compilation, such as `{"debug": 3}`."""

    policy: dict[str, int] | None = None


class FileParams(Params, frozen=True, kw_only=True):
    """The file URI, as the sender has it or as it is on disk."""

    uri: str
    document: shapes.Document | None = None
    use_disk: bool = False


class CompileFileParams(FileParams, frozen=True, kw_only=True):
    """LOAD: what is compiled is loaded always, when the compiler is content with it, or never."""

    load: Load = "onSuccess"


class EvaluationParams(Params, frozen=True, kw_only=True):
    """WAIT_MS: how long to wait for the evaluation to stop or end."""

    id: str
    wait_ms: int = 0


class InterruptParams(Params, frozen=True, kw_only=True):
    """An evaluation or a thread; neither: this client's newest running evaluation, or its REPL's."""

    evaluation: str | None = None
    repl: str | None = None
    thread: int | None = None


async def _recorded(context: Context, params: NoParams) -> shapes.LispStatus:
    """Answer what the record of an image says; one that outlived its hub is ready for the next."""
    record = await asyncio.to_thread(swank.read_record, context.services.workspace.runtime)
    if record is None:
        return shapes.LispStatus(state="stopped")
    return shapes.LispStatus(
        state="ready",
        implementation=record.implementation,
        version=record.version,
        pid=record.pid,
        host=record.host,
        port=record.port,
    )


async def _no_image(context: Context, params: EvaluationParams) -> shapes.Evaluation:
    raise NotFound(f"expected the id of an evaluation, got {params.id!r}; no image of this workspace runs")


@operation("lisp.start", kind="effect", needs_trust=True, for_agents=True)
async def start(context: Context, params: StartParams) -> shapes.LispStatus:
    """Start the image, or answer the status of the one that runs."""
    return await context.services.image.start(context.caller.environment, params.implementation)


@operation("lisp.stop", kind="effect")
async def stop(context: Context, params: NoParams) -> shapes.LispStatus:
    """End the image; one that was only attached to is left running."""
    return await context.services.image.stop()


@operation("lisp.restart", kind="effect", needs_trust=True)
async def restart(context: Context, params: NoParams) -> shapes.LispStatus:
    """End the image and start a fresh one."""
    await context.services.image.stop()
    return await context.services.image.start(context.caller.environment)


@operation("lisp.status", kind="ask", for_agents=True, without_hub=_recorded)
async def status(context: Context, params: NoParams) -> shapes.LispStatus:
    """Answer the state of the image."""
    return context.services.image.status()


@operation("lisp.eval", kind="effect", needs_trust=True, for_agents=True, positional=("code",))
async def evaluate(context: Context, params: EvalParams) -> shapes.Evaluation:
    """Evaluate code; answers when it is done or has stopped in the debugger."""
    source, at = None, 0
    if params.uri is not None:
        source = await texts.read(context.services.editors, params.uri, params.document)
        at = source.offset(params.position) if params.position else len(source.text)
    package = params.package
    if package is None and source is not None:
        package = (await parsed(source)).package_at(at)
    record = add(context, "eval", params.code)
    record.source, record.repl = source, params.repl
    client = record.client if params.repl is None else context.caller.owner
    image = context.services.image
    await image.begin(
        record,
        lambda lisp: lisp.start_evaluation(
            params.code, id=record.id, client=client, package=package, repl=params.repl
        ),
        context.caller.environment,
    )
    wait = image.settled if params.on_stop == "wait" else image.paused_or_settled
    return (await within(params.timeout_ms, record, wait(record))).wire()


@operation("lisp.evalForm", kind="effect", needs_trust=True, for_agents=True, positional=("uri",))
async def evaluate_form(context: Context, params: EvalFormParams) -> shapes.Evaluation:
    """Evaluate the form at a position of a file; a top-level `defvar` gives its value anew."""
    source = await _source(context, params)
    span, package = await form_at(source, source.offset(params.position), params.scope)
    top = params.scope == "toplevel"
    variable = drift.variable_of_form(await parsed(source), *span) if top else None
    code = source.text[slice(*span)]
    if variable is not None:  # as SLIME does
        code = f"(progn (makunbound '{variable.name}) {code})"
    record = add(context, "eval", code, source, span)
    if variable is not None:
        record.makes = [replace(variable, keeps=False)]
    image = context.services.image
    await image.begin(
        record,
        lambda lisp: lisp.start_evaluation(code, id=record.id, client=record.client, package=package),
        context.caller.environment,
    )
    return (await image.paused_or_settled(record)).wire()


@operation("lisp.evaluation", kind="ask", for_agents=True, positional=("id",), without_hub=_no_image)
async def evaluation(context: Context, params: EvaluationParams) -> shapes.Evaluation:
    """Answer what became of an evaluation, after waiting for it if asked to."""
    image = context.services.image
    record = image.evaluations.find(params.id)
    if params.wait_ms > 0 and record.running():
        try:
            await asyncio.wait_for(image.paused_or_settled(record), params.wait_ms / 1000)
        except TimeoutError:
            return record.wire()
    return (await image.known(record)).wire()


@operation("lisp.interrupt", kind="effect", for_agents=True)
async def interrupt(context: Context, params: InterruptParams) -> Empty:
    """Stop an evaluation in the debugger, with a condition of type `interrupt`."""
    image = context.services.image
    lisp = image.running()
    if params.thread is not None:
        await image.ask(lisp.interrupt(thread=params.thread))
        return Empty()
    if params.evaluation is not None:
        record = image.evaluations.find(params.evaluation)
    else:
        record = image.evaluations.newest_of(context.caller.client_id, params.repl, image.masks.text)
    await image.ask(lisp.interrupt(evaluation=record.id))
    return Empty()


@operation("lisp.compileForm", kind="effect", needs_trust=True, for_agents=True, positional=("uri",))
async def compile_form(context: Context, params: CompileFormParams) -> shapes.Compilation:
    """Compile and load the top-level form at a position of a file."""
    source = await _source(context, params)
    span, package = await form_at(source, source.offset(params.position), "toplevel")
    return await compile_span(context, source, span, package, params.policy)


@operation("lisp.compileFile", kind="effect", needs_trust=True, for_agents=True, positional=("uri",))
async def compile_file(context: Context, params: CompileFileParams) -> shapes.Compilation:
    """Compile and load a file; where the sender's text differs from the disk's, the sender's is compiled."""
    source = await texts.read(context.services.editors, params.uri, params.document, use_disk=params.use_disk)
    if params.document is not None and not await _is_on_disk(source):
        if params.load == "never":
            raise InvalidParams(
                f"expected {source.path.name} to be saved: other text is compiled by loading it"
            )
        return await compile_span(context, source, (0, len(source.text)), None)
    record = add(context, "compile", "", source)
    path, load = str(source.path), LOADING[params.load]
    shape = await compiled(
        context,
        record,
        lambda lisp: lisp.compile_file(path, id=record.id, client=record.client, load=load),
    )
    if shape.success or shape.state != "done" or params.load != "onSuccess":
        return shape
    return msgspec.structs.replace(shape, message=NOT_LOADED.format(source.path.name))


@operation("lisp.loadFile", kind="effect", needs_trust=True, for_agents=True, positional=("uri",))
async def load_file(context: Context, params: FileParams) -> shapes.Compilation:
    """Load the source of a file; where the sender's text differs from the disk's, the sender's counts."""
    source = await texts.read(context.services.editors, params.uri, params.document, use_disk=params.use_disk)
    if params.document is not None and not await _is_on_disk(source):
        return await compile_span(context, source, (0, len(source.text)), None)
    record = add(context, "load", "", source)
    path = str(source.path)
    return await compiled(
        context, record, lambda lisp: lisp.load_file(path, id=record.id, client=record.client)
    )


def add(
    context: Context,
    kind: Kind,
    code: str,
    source: texts.SourceText | None = None,
    span: tuple[int, int] | None = None,
) -> Record:
    """Return a new record of work that CONTEXT's caller asks for."""
    caller = context.caller
    record = context.services.image.evaluations.add(
        kind, new_id("eval"), code, caller.client_id, caller.principal, caller.run
    )
    record.source, record.span = source, span
    return record


async def compile_span(
    context: Context,
    source: texts.SourceText,
    span: tuple[int, int],
    package: str | None,
    policy: dict[str, int] | None = None,
) -> shapes.Compilation:
    """Compile and load the forms in SPAN of SOURCE so that they are found there again."""
    code = source.text[slice(*span)]
    record = add(context, "compile", code, source, span)
    file, start_offset = str(source.path), span[0]
    return await compiled(
        context,
        record,
        lambda lisp: lisp.compile_string(
            code,
            id=record.id,
            client=record.client,
            file=file,
            position=start_offset,
            package=package,
            policy=policy,
        ),
    )


async def compiled(
    context: Context, record: Record, ask: Callable[[swank.Lisp], Awaitable[swank.Evaluation]]
) -> shapes.Compilation:
    """Do the compilation or load RECORD by ASK; answers when it has ended or stopped."""
    image = context.services.image
    await image.begin(record, ask, context.caller.environment)
    await image.paused_or_settled(record)
    return await compilation_shape(record)


async def compilation_shape(record: Record) -> shapes.Compilation:
    """Return RECORD, a compilation or load, with its notes placed in the file."""
    live = record.live
    assert live is not None
    wire = record.wire()
    return shapes.Compilation(
        # A load has no success of its own: it ends, or it stops.
        success=live.success is not False and live.state == "done",
        duration_ms=live.duration_ms or 0,
        notes=[await _note(note, record.source) for note in live.notes],
        state=live.state,
        debugger=wire.debugger,
        condition=wire.condition,
        evaluation=record.id,
        output=wire.output,
    )


async def within(timeout_ms: int | None, record: Record, work: Awaitable[Record]) -> Record:
    """Return what WORK gives. Errors: `TimedOut` after TIMEOUT_MS; the evaluation goes on."""
    if timeout_ms is None:
        return await work
    try:
        return await asyncio.wait_for(asyncio.ensure_future(work), timeout_ms / 1000)
    except TimeoutError:
        raise TimedOut(
            f"the evaluation {record.id} has not ended within {timeout_ms} ms and goes on;"
            " wait for it with lisp.evaluation, or stop it with lisp.interrupt",
            evaluation=record.id,
        ) from None


async def _source(context: Context, params: FormParams) -> texts.SourceText:
    return await texts.read(context.services.editors, params.uri, params.document, use_disk=params.use_disk)


async def form_at(source: texts.SourceText, offset: int, scope: Scope) -> tuple[tuple[int, int], str]:
    """Return where the form at OFFSET is and the package there. Errors: `NotFound` when there is no form."""
    syntax = await parsed(source)
    span = syntax.form_at(offset, scope)
    if span is None:
        position = source.position(offset)
        raise NotFound(f"expected a form at line {position.line} of {source.path.name}, there is none")
    return (span.start, span.end), syntax.package_at(offset)


async def _is_on_disk(source: texts.SourceText) -> bool:
    try:
        return (await texts.read_file(source.path)).text == source.text
    except (NotFound, InvalidParams):
        return False


async def _note(note: swank.Note, source: texts.SourceText | None) -> shapes.Note:
    severity = SEVERITIES.get(note.severity, "warning")
    references = list(note.references)
    if note.file is None or note.start is None:
        return shapes.Note(severity=severity, message=note.message, references=references)
    if source is None or str(source.path) != note.file:
        try:
            source = await texts.read_file(texts.path_of(note.file))
        except (NotFound, InvalidParams):
            return shapes.Note(severity=severity, message=note.message, references=references)
    end = note.end if note.end is not None else note.start
    return shapes.Note(
        severity=severity,
        message=note.message,
        uri=source.uri,
        range=source.range(note.start, end),
        references=references,
    )
