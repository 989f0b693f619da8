"""Stopped threads looked into: the stack in pages, and what stands in a frame."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from descartes_core.errors import NotFound
from descartes_server.dap import arguments, evaluation, texts
from descartes_server.dap.objects import READ_ONLY, Node, is_structured
from descartes_server.dap.references import Container, Variable, Way, no_object, page, read_only
from descartes_server.dap.requests import request
from descartes_server.dap.stops import Frame, Stop

if TYPE_CHECKING:
    from descartes_server.dap.adapter import Adapter

LONGEST_NAME = 200


@request("stackTrace", arguments.StackTrace)
async def stack_trace(adapter: Adapter, asked: arguments.StackTrace) -> dict[str, Any]:
    """Return a page of a stopped thread's frames."""
    stop = adapter.stops.of(asked.thread_id)
    stop.looked_at = True
    total = int(stop.debugger["frameCount"])
    start = max(asked.start_frame or 0, 0)
    end = min(start + asked.levels, total) if asked.levels else total
    frames = await _frames(adapter, stop, start, max(start, end))
    places = await asyncio.gather(*(adapter.places.of(frame.get("location")) for frame in frames))
    shown = [
        {
            "id": adapter.stops.frame_id(stop, frame["index"]),
            "name": _one_line(frame["description"]),
            "canRestart": frame["restartable"],
            # Of a frame without a file there is nothing to open.
            **({} if frame.get("location") else {"presentationHint": "subtle"}),
            **place,
        }
        for frame, place in zip(frames, places, strict=True)
    ]
    return {"stackFrames": shown, "totalFrames": total}


@request("scopes", arguments.OfFrame)
async def scopes(adapter: Adapter, asked: arguments.OfFrame) -> dict[str, Any]:
    """Return the locals, what they were, the catch tags and the restarts of a frame."""
    frame = adapter.stops.frame(asked.frame_id)
    detail = await adapter.session.call("debugger.frame", frame.key)
    changed = [each for each in detail["locals"] if each["earlier"]]
    earlier = Fixed([(each["name"], ", ".join(each["earlier"])) for each in changed])
    tags = Fixed([("tag", tag) for tag in detail["catchTags"]])
    restarts = Fixed(
        [(f"{each['index']} {each['name']}", each["description"]) for each in frame.stop.restarts]
    )
    found: list[tuple[str, Container, int | None]] = [
        ("Locals", Locals(adapter, frame), len(detail["locals"])),
        ("Condition", Node(adapter, frame.stop.key, frame.stop), None),
        ("Restarts", restarts, len(restarts.pairs)),
    ]
    for name, fixed in (("Catch tags", tags), ("Earlier values", earlier)):
        if fixed.pairs:
            found.insert(1, (name, fixed, len(fixed.pairs)))
    return {"scopes": [_scope(adapter, frame.stop, *each) for each in found]}


@request("variables", arguments.Variables)
async def variables(adapter: Adapter, asked: arguments.Variables) -> dict[str, Any]:
    """Return what is in a scope or an object."""
    container = adapter.references.get(asked.variables_reference)
    start = max(asked.start or 0, 0)
    return {"variables": await container.variables(start, asked.count or None, asked.filter)}


@request("setVariable", arguments.SetVariable)
async def set_variable(adapter: Adapter, asked: arguments.SetVariable) -> dict[str, Any]:
    """Give a variable another value; returns it as it is then."""
    container = adapter.references.get(asked.variables_reference)
    variable = await container.set(asked.name, asked.value)
    return {key: variable[key] for key in ("value", "type", "variablesReference") if key in variable}


@request("descartes/inspect", arguments.VariableOf)
async def inspect(adapter: Adapter, asked: arguments.VariableOf) -> dict[str, Any]:
    """Return how the inspector of any client comes to the object of a variable."""
    way = await adapter.references.get(asked.variables_reference).way_to(asked.name)
    return {"root": dict(way.root), "path": list(way.path)}


@request("exceptionInfo", arguments.OfThread)
async def exception_info(adapter: Adapter, asked: arguments.OfThread) -> dict[str, Any]:
    """Return the condition that a thread is stopped with, and the ways out of it."""
    stop = adapter.stops.of(asked.thread_id)
    condition = stop.debugger["condition"]
    ways = "\n".join(f"{each['index']} [{each['name']}] {each['description']}" for each in stop.restarts)
    return {
        "exceptionId": condition["type"],
        "description": f"{condition['message']}\n\nRestarts:\n{ways}",
        "breakMode": "always" if evaluation.reason(stop) != "exception" else "unhandled",
        "details": {
            "message": condition["message"],
            "typeName": condition["type"].rpartition(":")[2],
            "fullTypeName": condition["type"],
        },
    }


@dataclass(frozen=True)
class Locals:
    """The local variables of a frame."""

    adapter: Adapter
    frame: Frame

    async def variables(self, start: int, count: int | None, filter: str | None = None) -> list[Variable]:
        detail = await self.adapter.session.call("debugger.frame", self.frame.key)
        shown = page(detail["locals"], start, count, filter)
        return list(await asyncio.gather(*(self._variable(each) for each in shown)))

    async def set(self, name: str, value: str) -> Variable:
        await self.way_to(name)
        await evaluation.quietly(self.adapter, f"(cl:setf {name} {texts.form(value)})", self.frame)
        self.adapter.invalidated("variables")
        # A variable may be a copy of what the code works with; what it is now says so.
        return next(each for each in await self.variables(0, None) if each["name"] == name)

    async def way_to(self, name: str) -> Way:
        detail = await self.adapter.session.call("debugger.frame", self.frame.key)
        names = [each["name"] for each in detail["locals"]]
        if name not in names:
            there = ", ".join(names) or "none"
            raise NotFound(f"expected a local variable of the frame, got {name!r}; there are {there}")
        return Way({**self.frame.key, "local": detail["locals"][names.index(name)]["id"]})

    async def _variable(self, local: dict[str, Any]) -> Variable:
        name, value = local["name"], local["value"]
        variable = {"name": name, "value": value, "evaluateName": name, "variablesReference": 0}
        if not is_structured(value):
            return variable
        node = Node(self.adapter, {**self.frame.key, "local": local["id"]}, self.frame.stop)
        reference = self.adapter.references.add(node, self.frame.stop)
        return {**variable, "variablesReference": reference, **await node.sizes()}


@dataclass(frozen=True)
class Fixed:
    """Names and values that nobody can change."""

    pairs: Sequence[tuple[str, str]]

    async def variables(self, start: int, count: int | None, filter: str | None = None) -> list[Variable]:
        rows = [
            {"name": name, "value": value, "variablesReference": 0, "presentationHint": READ_ONLY}
            for name, value in self.pairs
        ]
        return page(rows, start, count, filter)

    async def set(self, name: str, value: str) -> Variable:
        raise read_only(name)

    async def way_to(self, name: str) -> Way:
        raise no_object(name)


def _scope(adapter: Adapter, stop: Stop, name: str, container: Container, size: int | None) -> dict[str, Any]:
    scope: dict[str, Any] = {
        "name": name,
        "variablesReference": adapter.references.add(container, stop),
        # Some clients unfold at once everything that is not expensive.
        "expensive": name == "Condition",
    }
    if size is not None:
        scope["namedVariables"] = size
    return scope | ({"presentationHint": "locals"} if name == "Locals" else {})


async def _frames(adapter: Adapter, stop: Stop, start: int, end: int) -> list[dict[str, Any]]:
    known: list[dict[str, Any]] = stop.debugger["frames"]
    if end <= len(known):
        return known[start:end]
    answer = await adapter.session.call("debugger.frames", {**stop.key, "start": start, "end": end})
    frames: list[dict[str, Any]] = answer["frames"]
    return frames


def _one_line(description: str) -> str:
    line = " ".join(description.split())
    return line if len(line) <= LONGEST_NAME else f"{line[:LONGEST_NAME]}…"
