"""Breakpoints of one client: what it wants is compared with what it has, the difference is set and cleared.

The breakpoints themselves are the hub's, in the image that all share; those of a client go with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from descartes_core.errors import DescartesError, InvalidParams
from descartes_server.dap import arguments
from descartes_server.dap.channel import Reply
from descartes_server.dap.requests import request
from descartes_server.ide import syntax as syntaxes
from descartes_server.ide.lexer import lexemes
from descartes_server.operations.texts import SourceText, read_file, uri_of

if TYPE_CHECKING:
    from descartes_server.dap.adapter import Adapter

FUNCTIONS = "functions"
ENDING_S = 5.0
"""How long the breakpoints of a client that goes may take to be cleared."""
CLASS = "a condition class, such as my-package:my-error"
FILTERS: list[dict[str, Any]] = [
    {
        "filter": "error",
        "label": "Errors when signalled",
        "description": "Stop where an error is signalled, also when it would be handled",
        "supportsCondition": True,
        "conditionDescription": CLASS,
    },
    {
        "filter": "warning",
        "label": "Warnings when signalled",
        "description": "Stop where a warning is signalled",
        "supportsCondition": True,
        "conditionDescription": CLASS,
    },
    {
        "filter": "class",
        "label": "Conditions of a class when signalled",
        "description": "Stop where a condition of the class given is signalled, whatever it is",
        "supportsCondition": True,
        "conditionDescription": CLASS,
    },
]
"""What can stop a thread beside an error that nobody handles, which always does."""
TYPES = {"error": "cl:error", "warning": "cl:warning", "class": None}
"""The Lisp type that each filter means; None where its condition alone says which."""
Wanted = tuple[Any, ...]
"""What makes a breakpoint another one: its place and its condition."""


@dataclass
class Breakpoint:
    """One breakpoint: its number at the client, and what the hub said of it; nothing when it refused it."""

    number: int
    asked_at: Mapping[str, Any]
    """Source and line as the client gave them; nothing of a breakpoint at a function."""
    answer: Mapping[str, Any] = field(default_factory=dict)
    message: str | None = None

    @property
    def id(self) -> str | None:
        found = self.answer.get("id")
        return found if isinstance(found, str) else None


class Breakpoints:
    """The breakpoints that one client has set, by the file they are in or `functions`."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._groups: dict[str, dict[Wanted, Breakpoint]] = {}
        self._numbers = count(1)
        self._changing = asyncio.Lock()
        self._latest: Sequence[Mapping[str, Any]] | None = None
        self.signals = False
        """Whether this client has set a class of conditions to stop at."""

    async def set(
        self,
        group: str,
        wanted: Mapping[Wanted, Mapping[str, Any]],
        asked_at: Mapping[Wanted, Mapping[str, Any]] | None = None,
    ) -> dict[Wanted, Breakpoint]:
        """Let exactly WANTED, parameters of `debugger.breakpoints.set`, be set in GROUP; returns them."""
        async with self._changing:
            known = self._groups.setdefault(group, {})
            for gone in [each for each in known if each not in wanted]:
                await self._clear(known.pop(gone))
            for each, params in wanted.items():
                if each not in known or known[each].id is None:
                    known[each] = await self._make(params, (asked_at or {}).get(each, {}))
            found = dict(known)
        self._told()
        return found

    async def clear_all(self) -> None:
        """Take away everything that this client has set."""
        if not self._adapter.session.client.attached:
            return
        with suppress(TimeoutError, DescartesError):
            async with asyncio.timeout(ENDING_S):
                for group in list(self._groups):
                    await self.set(group, {})
                if self.signals:
                    await self._adapter.session.call("debugger.breakOnSignals")

    def is_function(self, id: str) -> bool:
        """Return whether the hub's breakpoint ID is this client's and at a function."""
        return any(each.id == id for each in self._groups.get(FUNCTIONS, {}).values())

    def numbers(self, id: str) -> list[int]:
        """Return the client's numbers of the hub's breakpoint ID."""
        return [each.number for each in self._all() if each.id == id]

    def changed(self, breakpoints: Sequence[Mapping[str, Any]]) -> None:
        """Take in BREAKPOINTS, all that the hub has now."""
        self._latest = breakpoints
        if not self._changing.locked():
            self._told()

    def _told(self) -> None:
        latest, self._latest = self._latest, None
        there = {each["id"]: each for each in latest or ()}
        for each in self._all():
            now = there.get(each.id or "")
            if now is not None and _state(now) != _state(each.answer):
                each.answer = now
                self._adapter.channel.spawn(self._tell(each))

    async def _tell(self, breakpoint_: Breakpoint) -> None:
        body = {"reason": "changed", "breakpoint": await self.shape(breakpoint_)}
        self._adapter.channel.event("breakpoint", body)

    async def shape(self, breakpoint_: Breakpoint) -> dict[str, Any]:
        """Return BREAKPOINT_ in the protocol's shape."""
        answer = breakpoint_.answer
        shape: dict[str, Any] = {"id": breakpoint_.number, "verified": bool(answer.get("verified"))}
        if message := breakpoint_.message or answer.get("message"):
            shape["message"] = message
        if answer.get("location"):
            shape |= await self._adapter.places.of(answer["location"])
        else:
            # Without its line a client marks what else it has in the file.
            shape |= breakpoint_.asked_at
        return shape

    def _all(self) -> list[Breakpoint]:
        return [each for group in self._groups.values() for each in group.values()]

    async def _make(self, params: Mapping[str, Any], asked_at: Mapping[str, Any]) -> Breakpoint:
        made = Breakpoint(next(self._numbers), asked_at)
        try:
            made.answer = await self._adapter.session.call("debugger.breakpoints.set", params)
        except DescartesError as error:
            made.message = error.message
        return made

    async def _clear(self, breakpoint_: Breakpoint) -> None:
        if breakpoint_.id is not None:
            # Another client, or another breakpoint at the same form, may have taken it away.
            with suppress(DescartesError):
                await self._adapter.session.call("debugger.breakpoints.clear", {"id": breakpoint_.id})


@request("setBreakpoints", arguments.SetBreakpoints, configuring=True)
async def set_breakpoints(adapter: Adapter, asked: arguments.SetBreakpoints) -> dict[str, Any]:
    """Set the breakpoints of a file: at the first form that begins on a line, else the one around it."""
    if asked.source.path is None:
        raise InvalidParams("setBreakpoints: expected a source with a path")
    path = adapter.places.path(asked.source.path)
    asked_for = asked.breakpoints or [arguments.SourceBreakpoint(line=line) for line in asked.lines]
    try:
        text = await read_file(path)
    except DescartesError as error:
        refused = {"verified": False, "message": error.message, "source": adapter.places.source(path)}
        return {"breakpoints": [{**refused, "line": each.line} for each in asked_for]}
    wanted = {
        (each.line, each.column, each.condition): {
            "uri": uri_of(path),
            "position": _position(adapter, text, each),
            "condition": each.condition,
        }
        for each in asked_for
    }
    source = adapter.places.source(path)
    asked_at = {key: {"source": source, "line": key[0]} for key in wanted}
    found = await adapter.breakpoints.set(str(path), wanted, asked_at)
    ordered = [found[each.line, each.column, each.condition] for each in asked_for]
    return {"breakpoints": [await adapter.breakpoints.shape(each) for each in ordered]}


@request("setFunctionBreakpoints", arguments.SetFunctionBreakpoints, configuring=True)
async def set_function_breakpoints(
    adapter: Adapter, asked: arguments.SetFunctionBreakpoints
) -> dict[str, Any]:
    """Set the breakpoints at functions by their names, those of `cl-user` also without the package."""
    wanted = {
        (each.name, each.condition): {"symbol": each.name, "condition": each.condition}
        for each in asked.breakpoints
    }
    found = await adapter.breakpoints.set(FUNCTIONS, wanted)
    ordered = [found[each.name, each.condition] for each in asked.breakpoints]
    return {"breakpoints": [await adapter.breakpoints.shape(each) for each in ordered]}


@request("setExceptionBreakpoints", arguments.SetExceptionBreakpoints, configuring=True)
async def set_exception_breakpoints(adapter: Adapter, asked: arguments.SetExceptionBreakpoints) -> Reply:
    """Choose the classes of conditions that stop a thread where they are signalled.

    A filter that is none of `FILTERS` is the name of a class: some clients send no conditions of filters.
    """
    options = [*map(_option, filter(str.strip, asked.filters)), *asked.filter_options]
    types: list[str] = []
    answers: list[dict[str, Any]] = []
    refused: list[str] = []
    for option in options:
        try:
            chosen = [*types, _type(option)]
            await adapter.session.call("debugger.breakOnSignals", {"type": f"(cl:or {' '.join(chosen)})"})
            types = chosen
            answers.append({"verified": True})
        except DescartesError as error:
            answers.append({"verified": False, "message": error.message})
            refused += [error.message] if option.filter_id not in TYPES else []
    if not types and adapter.breakpoints.signals:
        await adapter.session.call("debugger.breakOnSignals")
    adapter.breakpoints.signals = bool(types)
    # Who sends a filter that was not offered looks at no answer to it but an error.
    wrong = InvalidParams("; ".join(refused)) if refused else None
    return Reply({"breakpoints": answers}, error=wrong)


def _option(filter: str) -> arguments.FilterOption:
    if filter in TYPES:
        return arguments.FilterOption(filter_id=filter)
    return arguments.FilterOption(filter_id=filter, condition=filter)


def _type(option: arguments.FilterOption) -> str:
    """Return the Lisp type of the conditions that OPTION means. Errors: `InvalidParams`."""
    base, condition = TYPES.get(option.filter_id), (option.condition or "").strip()
    if condition:
        return f"(cl:and {base} {condition})" if base else condition
    if base is None:
        raise InvalidParams(f"expected {CLASS}, as the condition of this filter")
    return base


def _position(adapter: Adapter, text: SourceText, asked: arguments.SourceBreakpoint) -> dict[str, int]:
    """Return where the form is that ASKED, a line or a column of TEXT, means; from 1, code points."""
    line = adapter.places.line(asked.line)
    if not 0 <= line < text.lines.line_count:
        raise InvalidParams(f"setBreakpoints: expected a line of {text.path.name}, got {asked.line}")
    written = text.lines.line_text(line)
    if asked.column is not None:
        return {"line": line + 1, "column": adapter.places.column(asked.column, written) + 1}
    return {"line": line + 1, "column": _first_form(text.text, *text.lines.line_span(line)) + 1}


def _first_form(text: str, start: int, end: int) -> int:
    """Return the column of the first list that begins between START and END, else of the first character."""
    # A parenthesis in a string or comment that began before is none; the top-level form has seen both.
    form = syntaxes.parse(text).form_at(start, "toplevel")
    from_ = min(form.start, start) if form is not None else start
    for kind, begin, _ in lexemes(text[:end], from_):
        if kind == "open" and begin >= start:
            return begin - start
    return len(text[start:end]) - len(text[start:end].lstrip())


def _state(answer: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(answer.get(key) for key in ("verified", "message", "location"))
