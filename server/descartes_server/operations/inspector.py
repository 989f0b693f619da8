"""The operations `inspector.*`: looking into the image's objects, and changing them in place.

An inspection belongs to the client that opened it; several may be open at once.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Literal

import descartes_swank as swank
from descartes_core.errors import InvalidParams
from descartes_core.model import Shape
from descartes_core.ports import new_id
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations.asking import package_at
from descartes_server.operations.context import Context
from descartes_server.operations.registry import NoParams, Params, operation


class Part(Shape, frozen=True, kw_only=True):
    """One line; PART, KEY and ACTION are good until the inspection shows something else."""

    text: str
    part: int | None = None
    key: int | None = None
    action: int | None = None
    action_text: str | None = None
    settable: bool = False


class Inspection(Shape, frozen=True, kw_only=True):
    """An object as an inspection shows it; in an answer to `more` PARTS are the next lines only."""

    id: str
    title: str
    type: str
    parts: list[Part] = []
    more: bool = False
    start: int = 0
    count: int | None = None
    back: bool = False
    forward: bool = False
    values: list[str] = []
    output: str = ""


class InspectionList(Shape, frozen=True, kw_only=True):
    """The open inspections of a client, the newest first, without their parts."""

    inspections: list[Inspection]


class OpenParams(Params, frozen=True, kw_only=True):
    """What to look at, in one of four ways.

    EXPRESSION, evaluated in PACKAGE, else in that of the file URI at POSITION, with the variables of this
    client or its REPL; in a stopped THREAD and
    LEVEL the variable LOCAL of FRAME (its name, or its number in the frame's list), an EXPRESSION there, or
    the condition; the value VALUE of an EVALUATION; the ARGUMENT or VALUE of a traced CALL.
    """

    expression: str | None = None
    package: str | None = None
    repl: str | None = None
    uri: str | None = None
    position: shapes.Position | None = None
    document: shapes.Document | None = None
    thread: int | None = None
    level: int | None = None
    frame: int = 0
    local: str | int | None = None
    evaluation: str | None = None
    call: str | int | None = None
    argument: int | None = None
    value: int | None = None
    count: int | None = None
    timeout_ms: int = swank.inspector.DEADLINE_MS


class IdParams(Params, frozen=True, kw_only=True):
    """An open inspection of this client."""

    id: str


class PartParams(IdParams, frozen=True, kw_only=True):
    """The number PART of a line, or the KEY of one."""

    part: int


class MoreParams(IdParams, frozen=True, kw_only=True):
    """COUNT: how many items, at most 10,000."""

    count: int | None = None


class ActionParams(IdParams, frozen=True, kw_only=True):
    """The number ACTION of a line."""

    action: int


class InspectorEvalParams(IdParams, frozen=True, kw_only=True):
    """CODE is evaluated with `*` bound to the object."""

    code: str
    timeout_ms: int = swank.inspector.DEADLINE_MS


class SetParams(PartParams, frozen=True, kw_only=True):
    """CODE gives the new value; in it `*` is the old one and `**` the object."""

    code: str
    timeout_ms: int = swank.inspector.DEADLINE_MS


@operation("inspector.open", kind="effect", needs_trust=True, for_agents=True, positional=("expression",))
async def open_(context: Context, params: OpenParams) -> Inspection:
    """Look into an object: of an expression, a stopped frame, an evaluation or a traced call."""
    image, owner, id = context.services.image, context.caller.owner, new_id("ins")
    client = swank.client_name(
        context.caller.client_id if params.repl is None else context.caller.owner, params.repl
    )
    if params.thread is not None or params.level is not None:
        thread, level, stopped = _stopped(params)
        image.debuggers.get(thread, level)
        return await _shown(
            context,
            image.running().inspector.open_stopped(
                stopped,
                thread,
                level,
                params.frame,
                id=id,
                owner=owner,
                client=client,
                count=params.count,
                deadline_ms=params.timeout_ms,
            ),
        )
    source = _source(context, params)
    package = params.package
    if package is None and params.uri is not None:
        package = await package_at(context, params.uri, params.position, params.document)
    await image.started(context.caller.environment)
    return await _shown(
        context,
        image.running().inspector.open(
            source,
            id=id,
            owner=owner,
            client=client,
            package=package,
            count=params.count,
            deadline_ms=params.timeout_ms,
        ),
    )


@operation("inspector.part", kind="effect", for_agents=True, positional=("id", "part"))
async def part(context: Context, params: PartParams) -> Inspection:
    """Go on to the object of a line."""
    return await _do(context, params.id, "part", params.part)


@operation("inspector.back", kind="effect", for_agents=True, positional=("id",))
async def back(context: Context, params: IdParams) -> Inspection:
    """Go back to the object before."""
    return await _do(context, params.id, "back")


@operation("inspector.forward", kind="effect", for_agents=True, positional=("id",))
async def forward(context: Context, params: IdParams) -> Inspection:
    """Go forward to the object that one came back from."""
    return await _do(context, params.id, "forward")


@operation("inspector.refresh", kind="effect", for_agents=True, positional=("id",))
async def refresh(context: Context, params: IdParams) -> Inspection:
    """Show the object as it is now."""
    return await _do(context, params.id, "refresh")


@operation("inspector.more", kind="effect", for_agents=True, positional=("id",))
async def more(context: Context, params: MoreParams) -> Inspection:
    """Answer the next lines of an object that has many."""
    return await _do(context, params.id, "more", params.count)


@operation("inspector.action", kind="effect", needs_trust=True, for_agents=True, positional=("id", "action"))
async def action(context: Context, params: ActionParams) -> Inspection:
    """Do what a line offers: remove an entry or method, make a slot unbound, unintern a symbol."""
    return await _do(context, params.id, "action", params.action)


@operation("inspector.eval", kind="effect", needs_trust=True, for_agents=True, positional=("id", "code"))
async def evaluate(context: Context, params: InspectorEvalParams) -> Inspection:
    """Evaluate code about the object and go on to its value."""
    return await _do(context, params.id, "eval", params.code, timeout_ms=params.timeout_ms)


@operation(
    "inspector.set", kind="effect", needs_trust=True, for_agents=True, positional=("id", "part", "code")
)
async def set_(context: Context, params: SetParams) -> Inspection:
    """Set a slot, element, entry or variable to the value of code."""
    return await _do(context, params.id, "set", params.part, params.code, timeout_ms=params.timeout_ms)


@operation("inspector.close", kind="effect", for_agents=True, positional=("id",))
async def close(context: Context, params: IdParams) -> Inspection:
    """Close an inspection; the answer has no lines."""
    return await _do(context, params.id, "close")


async def _none(context: Context, params: NoParams) -> InspectionList:
    return InspectionList(inspections=[])


@operation("inspector.list", kind="ask", for_agents=True, without_hub=_none)
async def list_(context: Context, params: NoParams) -> InspectionList:
    """List the open inspections of this client."""
    image = context.services.image
    found = await image.ask(image.running().inspector.list(context.caller.owner)) if image.is_running else []
    return InspectionList(inspections=[_shape(each) for each in found])


def _stopped(
    params: OpenParams,
) -> tuple[int, int, swank.LocalVariable | swank.StopCondition | swank.Expression]:
    if params.thread is None or params.level is None:
        raise InvalidParams("expected both `thread` and `level` of a stop; debugger.list has them")
    if params.local is not None:
        return params.thread, params.level, swank.LocalVariable(_number(params.local))
    if params.expression is not None:
        return params.thread, params.level, swank.Expression(params.expression)
    return params.thread, params.level, swank.StopCondition()


def _source(context: Context, params: OpenParams) -> swank.Expression | swank.ResultValue | swank.CallObject:
    if params.expression is not None:
        return swank.Expression(params.expression)
    if params.evaluation is not None:
        record = context.services.image.evaluations.find(params.evaluation)
        return swank.ResultValue(record.id, params.value or 0)
    if params.call is not None:
        which: Literal["argument", "value"] = "value" if params.argument is None else "argument"
        index = params.value if params.argument is None else params.argument
        return swank.CallObject(_number(params.call), which, index or 0)
    raise InvalidParams("expected one of `expression`, `thread` and `level`, `evaluation`, `call`; got none")


def _number(text: str | int) -> str | int:
    """Return TEXT as a number where it is one: the command line has texts only."""
    return int(text) if isinstance(text, str) and text.isdecimal() else text


async def _do(
    context: Context,
    id: str,
    verb: swank.inspector.Verb,
    *arguments: int | str | None,
    timeout_ms: int = swank.inspector.DEADLINE_MS,
) -> Inspection:
    inspector = context.services.image.running().inspector
    whole = id if id.startswith("ins_") else f"ins_{id}"
    return await _shown(
        context, inspector.do(whole, context.caller.owner, verb, *arguments, deadline_ms=timeout_ms)
    )


async def _shown(context: Context, asked: Awaitable[swank.Inspection]) -> Inspection:
    return _shape(await context.services.image.ask(asked))


def _shape(shown: swank.Inspection) -> Inspection:
    return Inspection(
        id=shown.id,
        title=shown.title,
        type=shown.type,
        parts=[
            Part(
                text=each.text,
                part=each.part,
                key=each.key,
                action=each.action,
                action_text=each.action_text,
                settable=each.settable,
            )
            for each in shown.parts
        ],
        more=shown.more,
        start=shown.start,
        count=shown.count,
        back=shown.back,
        forward=shown.forward,
        values=list(shown.values),
        output=shown.output,
    )
