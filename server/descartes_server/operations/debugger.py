"""The operations `debugger.*`: looking into stopped threads and leaving them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import descartes_swank as swank
from descartes_core.errors import InvalidParams
from descartes_core.model import Shape
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations.context import Context
from descartes_server.operations.exploring import Text
from descartes_server.operations.lisp import add, within
from descartes_server.operations.registry import NoParams, Params, operation
from descartes_server.operations.stops import Places, frame_shapes


class DebuggerList(Shape, frozen=True, kw_only=True):
    """Every stop there is now."""

    debuggers: list[shapes.Debugger]


class FrameList(Shape, frozen=True, kw_only=True):
    """A page of frames."""

    frames: list[shapes.Frame]


class StopParams(Params, frozen=True, kw_only=True):
    """A stop: THREAD at LEVEL. WAIT_MS: how long an operation that leaves it waits for what comes next."""

    thread: int
    level: int
    wait_ms: int = 1000


class FramesParams(StopParams, frozen=True, kw_only=True):
    """Frames from START up to, not including, END."""

    start: int = 0
    end: int = 20


class FrameParams(StopParams, frozen=True, kw_only=True):
    """One frame, counted from the innermost of the user's."""

    frame: int = 0


class FrameDetailParams(FrameParams, frozen=True, kw_only=True):
    """A frame; ALL: its variables that no source can name too, those of the compiler and of macros."""

    all: bool = False


class RestartParams(FrameParams, frozen=True, kw_only=True):
    """A restart by INDEX or NAME; ARGUMENTS are Lisp text, evaluated in FRAME."""

    index: int | None = None
    name: str | None = None
    arguments: list[str] = []


class RestartFrameParams(FrameParams, frozen=True, kw_only=True):
    """ARGUMENTS are Lisp text, evaluated in the frame; without them the call is the same as before."""

    arguments: list[str] | None = None


class CodeParams(FrameParams, frozen=True, kw_only=True):
    """CODE is Lisp text, evaluated in FRAME."""

    code: str


class EvalInFrameParams(CodeParams, frozen=True, kw_only=True):
    """CODE is Lisp text, evaluated in FRAME. TIMEOUT_MS: when to answer that it goes on."""

    timeout_ms: int | None = None


async def _none(context: Context, params: NoParams) -> DebuggerList:
    return DebuggerList(debuggers=[])


@operation("debugger.list", kind="ask", for_agents=True, without_hub=_none, of_image=True)
async def list_(context: Context, params: NoParams) -> DebuggerList:
    """List the stopped threads, each level of each, the newest stop first."""
    return DebuggerList(debuggers=context.services.image.debuggers.all())


@operation("debugger.frames", kind="effect", for_agents=True)
async def frames(context: Context, params: FramesParams) -> FrameList:
    """Answer a page of a stop's frames."""
    image = context.services.image
    image.debuggers.get(params.thread, params.level)
    if params.start < 0 or params.end < params.start:
        raise InvalidParams(f"expected 0 <= start <= end, got {params.start} and {params.end}")
    found = await image.ask(image.running().frames(params.thread, params.level, params.start, params.end))
    return FrameList(frames=await frame_shapes(found, Places()))


@operation("debugger.frame", kind="effect", for_agents=True)
async def frame(context: Context, params: FrameDetailParams) -> shapes.FrameDetail:
    """Answer the locals and catch tags of a frame, and where it is."""
    image = context.services.image
    debugger = image.debuggers.get(params.thread, params.level)
    looked = image.running().frame(params.thread, params.level, params.frame, all=params.all)
    detail = await image.ask(looked)
    found = (shapes.Local(name=each.name, value=each.value, id=each.id) for each in detail.locals)
    return shapes.FrameDetail(
        locals=image.debuggers.visits.with_earlier(debugger, params.frame, found),
        catch_tags=list(detail.catch_tags),
        package=detail.package,
        location=await Places().locate(detail.location),
    )


@operation("debugger.disassemble", kind="effect", for_agents=True)
async def disassemble(context: Context, params: FrameParams) -> Text:
    """Answer the machine code of a frame's function."""
    image = context.services.image
    image.debuggers.get(params.thread, params.level)
    code = image.running().disassemble_frame(params.thread, params.level, params.frame)
    return Text(text=await image.ask(code))


@operation(
    "debugger.restart", kind="effect", needs_trust=True, for_agents=True, positional=("name", "arguments")
)
async def restart(context: Context, params: RestartParams) -> shapes.Leaving:
    """Invoke a restart, by index or name, with arguments evaluated in a frame."""
    chosen = choose(
        context.services.image.debuggers.get(params.thread, params.level), params.index, params.name
    )
    return await leave(
        context,
        params,
        lambda lisp: lisp.invoke_restart(
            params.thread,
            params.level,
            index=chosen.index,
            arguments=params.arguments,
            frame=params.frame,
        ),
    )


@operation("debugger.abort", kind="effect", for_agents=True)
async def abort(context: Context, params: StopParams) -> shapes.Leaving:
    """Leave a stop for the level above it, or give the evaluation up."""
    return await leave(context, params, lambda lisp: lisp.abort(params.thread, params.level))


@operation("debugger.continue", kind="effect", needs_trust=True, for_agents=True)
async def continue_(context: Context, params: StopParams) -> shapes.Leaving:
    """Go on after a stop that has a CONTINUE restart."""
    return await leave(context, params, lambda lisp: lisp.continue_(params.thread, params.level))


@operation("debugger.toplevel", kind="effect", for_agents=True)
async def toplevel(context: Context, params: StopParams) -> shapes.Leaving:
    """Give the evaluation up from whatever level."""
    return await leave(context, params, lambda lisp: lisp.toplevel(params.thread, params.level))


@operation("debugger.evalInFrame", kind="effect", needs_trust=True, for_agents=True, positional=("code",))
async def evaluate_in_frame(context: Context, params: EvalInFrameParams) -> shapes.Evaluation:
    """Evaluate code with the variables of a frame; an error in it is a stop at the next level."""
    image = context.services.image
    image.debuggers.get(params.thread, params.level)
    record = add(context, "eval", params.code)
    await image.begin(
        record,
        lambda lisp: lisp.start_evaluation_in_frame(
            params.thread,
            params.level,
            params.frame,
            params.code,
            id=record.id,
            client=record.client,
        ),
    )
    return (await within(params.timeout_ms, record, image.paused_or_settled(record))).wire()


@operation("debugger.returnFromFrame", kind="effect", needs_trust=True, for_agents=True, positional=("code",))
async def return_from_frame(context: Context, params: CodeParams) -> shapes.Leaving:
    """Return the value of code from a frame, as if its function had returned it."""
    return await leave(
        context,
        params,
        lambda lisp: lisp.return_from_frame(params.thread, params.level, params.frame, params.code),
    )


@operation("debugger.restartFrame", kind="effect", needs_trust=True, for_agents=True)
async def restart_frame(context: Context, params: RestartFrameParams) -> shapes.Leaving:
    """Call the function of a frame again, as it is defined now."""
    return await leave(
        context,
        params,
        lambda lisp: lisp.restart_frame(params.thread, params.level, params.frame, params.arguments),
    )


def choose(debugger: shapes.Debugger, index: int | None, name: str | None) -> shapes.Restart:
    """Return the restart of DEBUGGER that INDEX or NAME means; of several with one name the innermost.

    Errors: `InvalidParams` listing the restarts there are.
    """
    restarts = debugger.restarts
    there = ", ".join(f"{each.index} {each.name}" for each in restarts)
    if index is None and name is None:
        raise InvalidParams(f"expected index or name of a restart; there are {there}")
    wanted = None if name is None else name.upper().lstrip("*")
    for each in restarts:
        if index in (None, each.index) and wanted in (None, each.name.upper()):
            return each
    given = " ".join(str(part) for part in (index, name) if part is not None)
    raise InvalidParams(f"there is no restart {given} here; there are {there}")


async def leave(
    context: Context, params: StopParams, action: Callable[[swank.Lisp], Awaitable[None]]
) -> shapes.Leaving:
    """Leave the stop of PARAMS by ACTION; answers at the next stop, the end, or after its `wait_ms`."""
    image = context.services.image
    lisp = image.running()
    return await image.debuggers.leave(
        params.thread, params.level, lambda: image.ask(action(lisp)), params.wait_ms
    )
