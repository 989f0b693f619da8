"""The operations that mend a stopped function: compile what was corrected and go on with it."""

from __future__ import annotations

import re

from descartes_core.errors import InvalidParams, NotFound
from descartes_core.model import Shape
from descartes_server.ide.syntax import Syntax, TopLevelForm
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
"""How many frames are looked through for the function that was corrected, the innermost first."""
_CALLABLE = frozenset({"function", "generic", "macro", "method"})


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
    syntax = await parsed(source)
    frame = await _frame_to_call(context, params, syntax, _form_at(syntax, span[0]))
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


def _form_at(syntax: Syntax, start: int) -> TopLevelForm | None:
    return next((form for form in syntax.forms if form.start == start), None)


def _defined(form: TopLevelForm | None) -> str:
    """Return the name that FORM defines, in the spelling of frames; else the empty text."""
    if form is None:
        return ""
    name = re.sub(r"^\(setf\s+([^\s()]+)\s*\)$", r"\1", form.name, flags=re.IGNORECASE)
    return name.rpartition(":")[2].upper()


async def _frame_to_call(
    context: Context, params: RetryParams, syntax: Syntax, form: TopLevelForm | None
) -> int:
    """Return the frame that PARAMS mean, else the innermost of the function of FORM, else the innermost.

    Errors: `InvalidParams` when it cannot be called again or FORM is not what it calls, before anything is
    compiled.
    """
    image = context.services.image
    start = max(params.frame or 0, 0)
    found = await image.ask(image.running().frames(params.thread, params.level, start, start + SEARCHED))
    frames = await frame_shapes(found, Places())
    if not frames:
        raise InvalidParams(f"expected a frame of the stop, there is no frame {start}; see debugger.frames")
    name = _defined(form)
    of_name = [frame for frame in frames if name and _called(frame) == name]
    chosen = of_name[0] if of_name and (params.frame is None or _around(frames[0]) == name) else frames[0]
    if params.frame is not None and _is_another(chosen, syntax, form):
        raise InvalidParams(_not_its_form(chosen, syntax, form))
    if not chosen.restartable:
        raise InvalidParams(_not_again(context, params, chosen))
    return chosen.index


_NAME = r"(?:(?:SB-PCL::FAST-|SB-PCL::SLOW-|:)METHOD |:INTERNAL |SETF )?(?:[^\s()]*:)?([^\s():]+)"
_CALLED = re.compile(rf"\(+{_NAME}")
_LOCAL = re.compile(rf"\(\((?:FLET|LABELS|MACROLET|LAMBDA)\b.*? :IN \(*{_NAME}")


def _called(frame: shapes.Frame) -> str:
    """Return the name of the function of FRAME: "(PKG::AREA 2 3)" and "((:METHOD AREA (T)) 2)" -> "AREA"."""
    match = _CALLED.match(frame.description)
    return match[1] if match else ""


def _around(frame: shapes.Frame) -> str:
    """Return the name of the function that the local one of FRAME is in: "((FLET F :IN G) 2)" -> "G"."""
    match = _LOCAL.match(frame.description)
    return match[1] if match else ""


def _is_another(frame: shapes.Frame, syntax: Syntax, form: TopLevelForm | None) -> bool:
    """Return whether calling FRAME again cannot show what was corrected in FORM.

    A definer of the user's own may name its function otherwise than the form; one of the language does not.
    """
    called, name = _around(frame) or _called(frame), _defined(form)
    if not called or "|" in called + name:
        return False
    if called == name:
        return bool(_around(frame))  # the local function would be called as it was
    others = {_defined(each) for each in syntax.forms if each.kind in _CALLABLE}
    return called in others or (form is not None and form.kind in _CALLABLE)


def _not_its_form(frame: shapes.Frame, syntax: Syntax, form: TopLevelForm | None) -> str:
    called, name = _around(frame) or _called(frame), _defined(form)
    if called == name:
        return (
            f"frame {frame.index} is a local function of {name}, which would be called as it was; "
            f"choose the frame of {name}, or use the restart RETRY after compiling"
        )
    line = syntax.lines.position(form.start)[0] + 1 if form is not None else 1
    defines = f"the form at line {line} defines {name}" if name else f"the form at line {line} does not"
    return (
        f"expected the definition of {called}, which frame {frame.index} calls, {defines}; choose a place "
        f"in {called}, or compile the form with lisp.compileForm and use debugger.restartFrame"
    )


def _not_again(context: Context, params: RetryParams, frame: shapes.Frame) -> str:
    stop = context.services.image.debuggers.get(params.thread, params.level)
    names = [each.name for each in stop.restarts]
    retry = "use the restart RETRY after compiling" if "RETRY" in names else f"use one of {', '.join(names)}"
    return (
        f"frame {frame.index} {frame.description:.80} was compiled so that it cannot be called again; "
        f"{retry}, or debugger.recompile it for the next time"
    )
