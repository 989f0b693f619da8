"""The operations that stop code where it did not fail: breakpoints, stepping, breaking on signals."""

from __future__ import annotations

from typing import Literal

from descartes_core.errors import InvalidParams
from descartes_core.model import Shape
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations import texts
from descartes_server.operations.asking import package_at
from descartes_server.operations.context import Context
from descartes_server.operations.debugger import StopParams, leave
from descartes_server.operations.registry import Empty, NoParams, Params, operation


class BreakpointParams(Params, frozen=True, kw_only=True):
    """A function by its name SYMBOL, or the form of the file URI at POSITION.

    With both, SYMBOL is read in the package that the file is in there, else in CL-USER.
    CONDITION is Lisp text, evaluated with the variables that are visible there.
    """

    symbol: str | None = None
    uri: str | None = None
    position: shapes.Position | None = None
    condition: str | None = None
    document: shapes.Document | None = None
    use_disk: bool = False


class BreakpointKey(Params, frozen=True, kw_only=True):
    """A breakpoint by its id."""

    id: str


class BreakpointList(Shape, frozen=True, kw_only=True):
    """Every breakpoint there is."""

    breakpoints: list[shapes.Breakpoint]


class StepParams(StopParams, frozen=True, kw_only=True):
    """KIND: `into` the call at hand, to the `next` one of this function, or `out` of this function."""

    kind: Literal["into", "next", "out"]


class SignalsParams(Params, frozen=True, kw_only=True):
    """TYPE is a type of conditions, Lisp text; without it nothing stops when it is signalled."""

    type: str | None = None


class Signals(Shape, frozen=True, kw_only=True):
    """The type of conditions at whose signalling the user's code stops; None is off."""

    type: str | None


async def _none(context: Context, params: NoParams) -> BreakpointList:
    return BreakpointList(breakpoints=[])


@operation("debugger.breakpoints.set", kind="effect", needs_trust=True, for_agents=True)
async def set_(context: Context, params: BreakpointParams) -> shapes.Breakpoint:
    """Set a breakpoint at a function, or at the form at a position of a file."""
    breakpoints = context.services.image.breakpoints
    condition = (params.condition or "").strip() or None
    if params.symbol is not None:
        symbol = await _qualified(context, params, params.symbol)
        return await breakpoints.at_function(symbol, condition, context.caller.client_id)
    if params.uri is None or params.position is None:
        raise InvalidParams("expected symbol, or uri and position, got neither")
    source = await texts.read(context.services.editors, params.uri, params.document, use_disk=params.use_disk)
    offset = source.offset(params.position)
    return await breakpoints.at_form(source, offset, condition, context.caller.client_id)


async def _qualified(context: Context, params: BreakpointParams, symbol: str) -> str:
    """Return SYMBOL with the package of the place that PARAMS give, if they do and it has none."""
    if params.uri is None or ":" in symbol or symbol.startswith("("):
        return symbol
    package = await package_at(context, params.uri, params.position, params.document)
    return f"{package.lstrip('#:')}::{symbol}"


@operation("debugger.breakpoints.clear", kind="effect", for_agents=True, positional=("id",))
async def clear(context: Context, params: BreakpointKey) -> Empty:
    """Take a breakpoint away; the form it stood at is compiled plainly again."""
    await context.services.image.breakpoints.clear(params.id)
    return Empty()


@operation("debugger.breakpoints.list", kind="ask", for_agents=True, without_hub=_none, of_image=True)
async def list_(context: Context, params: NoParams) -> BreakpointList:
    """List the breakpoints with how often each was reached."""
    return BreakpointList(breakpoints=await context.services.image.breakpoints.all())


@operation("debugger.step", kind="effect", needs_trust=True, for_agents=True)
async def step(context: Context, params: StepParams) -> shapes.Leaving:
    """Go on to the next call and stop there: into it, to the next one here, or out of this function."""
    return await leave(context, params, lambda lisp: lisp.step(params.thread, params.level, params.kind))


@operation("debugger.breakOnSignals", kind="effect", needs_trust=True, for_agents=True, positional=("type",))
async def break_on_signals(context: Context, params: SignalsParams) -> Signals:
    """Stop code where it signals a condition of a type, handled or not; without a type that ends."""
    image = context.services.image
    lisp = image.running()
    text = (params.type or "").strip() or None
    found = await image.ask(lisp.break_on_signals(text, client=context.caller.client_id))
    image.breakpoints.signals = found
    return Signals(type=found)
