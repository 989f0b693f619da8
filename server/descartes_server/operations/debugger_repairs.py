"""The operations that mend a stopped function: compile what was corrected and go on with it."""

from __future__ import annotations

import re

from descartes_core.errors import InvalidParams, NotFound
from descartes_core.model import Shape
from descartes_server.ide.syntax import Syntax
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations import texts
from descartes_server.operations.context import Context
from descartes_server.operations.debugger import FrameParams, StopParams, leave
from descartes_server.operations.lisp import compile_span, form_at
from descartes_server.operations.parsed import parsed
from descartes_server.operations.registry import operation
from descartes_server.operations.stops import Places, frame_shapes

FULL_DEBUG = {"debug": 3}
SEARCHED = 50
"""How many of the innermost frames are looked through for the function that was corrected."""


class RetryParams(StopParams, frozen=True, kw_only=True):
    """The form of the file URI at POSITION, and the FRAME to call again, by default the one that it defines.

    ARGUMENTS are Lisp text, evaluated in the frame; without them the call is the same as before.
    """

    uri: str
    position: shapes.Position
    frame: int | None = None
    arguments: list[str] | None = None
    document: shapes.Document | None = None
    use_disk: bool = False


class RecompileParams(FrameParams, frozen=True, kw_only=True):
    """A frame; URI: the file of its definition, when the sender's own text of it is to count."""

    uri: str | None = None
    document: shapes.Document | None = None
    use_disk: bool = False


class Retried(Shape, frozen=True, kw_only=True):
    """How the form was compiled and, when that succeeded, where calling the frame again has led."""

    success: bool
    compilation: shapes.Compilation
    debugger: shapes.Debugger | None = None
    evaluation: shapes.Evaluation | None = None


@operation("debugger.retryWithFix", kind="effect", needs_trust=True, for_agents=True)
async def retry_with_fix(context: Context, params: RetryParams) -> Retried:
    """Compile the form as it is now and call its frame again; when it does not compile, stay stopped."""
    context.services.image.debuggers.get(params.thread, params.level)
    source = await texts.read(context.services.editors, params.uri, params.document, use_disk=params.use_disk)
    offset = source.offset(params.position)
    span, package = await form_at(source, offset, "toplevel")
    frame = await _frame_to_call(context, params, _defined(await parsed(source), span[0]))
    compilation = await compile_span(context, source, span, package)
    if not compilation.success:
        return Retried(success=False, compilation=compilation)
    left = await leave(
        context,
        params,
        lambda lisp: lisp.restart_frame(params.thread, params.level, frame, params.arguments),
    )
    return Retried(success=True, compilation=compilation, debugger=left.debugger, evaluation=left.evaluation)


@operation("debugger.recompile", kind="effect", needs_trust=True, for_agents=True)
async def recompile(context: Context, params: RecompileParams) -> shapes.Compilation:
    """Compile the function of a frame again with full debug: from its next call all is seen and stepped."""
    image = context.services.image
    image.debuggers.get(params.thread, params.level)
    detail = await image.ask(image.running().frame(params.thread, params.level, params.frame))
    where = await Places().locate(detail.location)
    if where is None:
        raise NotFound(
            f"expected frame {params.frame} to be of a function whose source is in a file; "
            "choose a frame with a location, or compile the function from its file with policy debug 3"
        )
    given = params.document if params.uri is not None and _same(params.uri, where.uri) else None
    source = await texts.read(context.services.editors, where.uri, given, use_disk=params.use_disk)
    span, package = await form_at(source, source.offset(where.range.start), "toplevel")
    return await compile_span(context, source, span, package, FULL_DEBUG)


def _same(one: str, other: str) -> bool:
    return texts.path_of(one) == texts.path_of(other)


def _defined(syntax: Syntax, start: int) -> str:
    """Return the name that the top-level form at START defines, in the spelling of frames; else the empty."""
    found = next((form for form in syntax.forms if form.start == start), None)
    return found.name.rpartition(":")[2].upper() if found is not None else ""


async def _frame_to_call(context: Context, params: RetryParams, name: str) -> int:
    """Return the frame that PARAMS mean, else the innermost of the function NAME, else the innermost.

    Errors: `InvalidParams` when it cannot be called again, before anything is compiled.
    """
    image = context.services.image
    start, end = (0, SEARCHED) if params.frame is None else (params.frame, params.frame + 1)
    found = await image.ask(image.running().frames(params.thread, params.level, max(start, 0), max(end, 0)))
    frames = await frame_shapes(found, Places())
    if not frames:
        raise InvalidParams(f"expected a frame of the stop, there is no frame {start}; see debugger.frames")
    of_name = (frame for frame in frames if name and _called(frame) == name)
    chosen = frames[0] if params.frame is not None else next(of_name, frames[0])
    if not chosen.restartable:
        raise InvalidParams(_not_again(context, params, chosen))
    return chosen.index


_CALLED = re.compile(r"\(+(?::METHOD |:INTERNAL |SETF )?(?:[^\s()]*:)?([^\s():]+)")


def _called(frame: shapes.Frame) -> str:
    """Return the name of the function of FRAME: "(PKG::AREA 2 3)" and "((:METHOD AREA (T)) 2)" -> "AREA"."""
    match = _CALLED.match(frame.description)
    return match[1] if match else ""


def _not_again(context: Context, params: RetryParams, frame: shapes.Frame) -> str:
    stop = context.services.image.debuggers.get(params.thread, params.level)
    names = [each.name for each in stop.restarts]
    retry = "use the restart RETRY after compiling" if "RETRY" in names else f"use one of {', '.join(names)}"
    return (
        f"frame {frame.index} {frame.description:.80} was compiled so that it cannot be called again; "
        f"{retry}, or debugger.recompile it for the next time"
    )
