"""What a REPL needs beside `lisp.eval`: completion, the inputs of earlier days, whether an input is whole."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

import descartes_swank as swank
from descartes_core.errors import DescartesError, InvalidParams
from descartes_core.model import Event, Shape
from descartes_core.store import EventQuery, Reader
from descartes_server.ide import complete_input, completion
from descartes_server.ide.syntax import parse
from descartes_server.operations.context import Context
from descartes_server.operations.registry import Params, operation

PAGE = 500
MOST_READ = 20_000
"""Evaluations that are looked at for inputs."""
MOST_ITEMS = 200
DEADLINE_MS = 2000


class CompleteParams(Params, frozen=True, kw_only=True):
    """TEXT of the input, OFFSET in it (code points; default: its end), the PACKAGE or the REPL it is for."""

    text: str
    offset: int | None = None
    package: str | None = None
    repl: str | None = None


class CompletionItem(Shape, frozen=True, kw_only=True):
    """LABEL takes the place of the text from `start` to the offset; DETAIL is a lambda list."""

    label: str
    kind: str
    detail: str | None = None


class Completions(Shape, frozen=True, kw_only=True):
    """The best first."""

    items: list[CompletionItem]
    start: int


class HistoryParams(Params, frozen=True, kw_only=True):
    """The inputs of REPL, or everything that the caller typed."""

    repl: str | None = None
    limit: int = 100


class Input(Shape, frozen=True, kw_only=True):
    """CODE as it was entered, the PACKAGE after it, and when it ended."""

    code: str
    package: str | None
    at: str


class Inputs(Shape, frozen=True, kw_only=True):
    """The newest first; what was entered several times in a row is there once."""

    inputs: list[Input]


class InputParams(Params, frozen=True, kw_only=True):
    """TEXT of the input so far; CODE is another word for it."""

    text: str | None = None
    code: str | None = None


class InputState(Shape, frozen=True, kw_only=True):
    """OPEN: how many lists, strings and comments are not closed."""

    complete: bool
    open: int


async def _from_text(context: Context, params: CompleteParams) -> Completions:
    place, items = await _static(params)
    return _completions(items, place.start)


@operation("lisp.complete", kind="ask", for_agents=True, positional=("text",), without_hub=_from_text)
async def complete(context: Context, params: CompleteParams) -> Completions:
    """Answer what may stand at a place of an input: names of the image, and those bound in the text."""
    place, items = await _static(params)
    if place.prefix and place.position != "none" and context.services.image.is_running:
        items = completion.merge(items, await _of_image(context, params, place.prefix), place.prefix)
    return _completions(items, place.start)


@operation("lisp.replHistory", kind="read", for_agents=True)
async def history(context: Context, params: HistoryParams) -> Inputs:
    """List what was entered, over all editors and restarts, the newest first."""
    if params.limit < 1:
        raise InvalidParams(f"expected a limit of at least 1, got {params.limit}")
    inputs: list[Input] = []
    before: int | None = None
    for _ in range(MOST_READ // PAGE):
        query = EventQuery(type="lisp.evaluated", limit=PAGE, before=before)
        events, before = await _page(context.services.reader, query)
        for event in events:
            if _is_input(event, params.repl, context.caller.principal.id):
                _add(inputs, event)
            if len(inputs) == params.limit:
                return Inputs(inputs=inputs)
        if before is None:
            break
    return Inputs(inputs=inputs)


@operation("lisp.inputComplete", kind="read", positional=("text",))
async def input_complete(context: Context, params: InputParams) -> InputState:
    """Answer whether an input is whole or goes on in the next line; needs no image."""
    text = params.code if params.text is None else params.text
    if text is None:
        raise InvalidParams("expected the input as `text`, got none")
    count = await asyncio.to_thread(complete_input.open_parts, text)
    return InputState(complete=count == 0, open=count)


async def _static(
    params: CompleteParams,
) -> tuple[completion.CompletionContext, tuple[completion.Item, ...]]:
    """Return what is typed, and what the text alone proposes for it; where nothing is typed, nothing."""
    length = len(params.text)
    offset = length if params.offset is None else params.offset
    if not 0 <= offset <= length:
        raise InvalidParams(f"expected an offset from 0 to {length}, the length of the text, got {offset}")
    syntax = await asyncio.to_thread(parse, params.text)
    place = completion.context(syntax, offset)
    return place, completion.static_items(syntax, offset) if place.prefix else ()


async def _of_image(context: Context, params: CompleteParams, prefix: str) -> list[swank.Candidate]:
    """Return what the image proposes; nothing when it cannot answer in time."""
    image, caller = context.services.image, context.caller
    try:
        package = params.package
        if package is None:
            client = caller.client_id if params.repl is None else caller.owner
            package = await image.ask(image.running().package_of(client, params.repl))
        request = {"question": "completions", "prefix": prefix, "package": package, "limit": MOST_ITEMS}
        found = await image.question(request, DEADLINE_MS)
    except DescartesError:
        return []
    return msgspec.convert(found or [], list[swank.Candidate])


def _completions(items: Iterable[completion.Item], start: int) -> Completions:
    shown = [
        CompletionItem(label=each.label, kind=each.kind, detail=each.detail or None)
        for each, _ in zip(items, range(MOST_ITEMS), strict=False)
    ]
    return Completions(items=shown, start=start)


async def _page(reader: Reader, query: EventQuery) -> tuple[list[Event], int | None]:
    page = await reader.events(query)
    return list(page.events), page.next


def _is_input(event: Event, repl: str | None, person: str) -> bool:
    """Return whether PERSON entered EVENT's code in REPL; without one: anywhere but in a file."""
    if not event.data.get("code") or event.actor.id != person:
        return False
    return bool(event.data.get("repl") == repl) if repl is not None else event.data.get("uri") is None


def _add(inputs: list[Input], event: Event) -> None:
    code = str(event.data["code"]).strip()
    if not inputs or inputs[-1].code != code:
        inputs.append(Input(code=code, package=event.data.get("package"), at=event.at))
