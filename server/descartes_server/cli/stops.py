"""Stopped threads in a terminal: what one looks like, and which one a command is about that names none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from descartes_core.errors import InvalidParams, NotFound
from descartes_server.cli import output, views
from descartes_server.operations.registry import Operation

Call = Callable[[str, dict[str, Any]], Mapping[str, Any]]
Stop = Mapping[str, Any]

DEFAULTS = {"thread": "Default: the only stopped thread.", "level": "Default: its deepest level."}
"""What the command line takes where an operation on a stop must have a value."""


def is_about_one(operation: Operation) -> bool:
    """Return whether OPERATION must be told which stop it is about."""
    fields = msgspec.structs.fields(operation.params)
    return {each.name for each in fields if each.required} >= DEFAULTS.keys()


def completed(call: Call, operation: Operation, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return VALUES, by Python name, with the stop that they leave out; a restart's number is its index.

    Errors: `NotFound` when nothing like that is stopped; `InvalidParams` when several threads are.
    """
    if not is_about_one(operation):
        return values
    if operation.verb == "restart" and (name := values.get("plain_name") or "").isdecimal():
        values = {**values, "plain_name": None, "index": int(name)}
    if None in (given := {key: values.get(key) for key in DEFAULTS}).values():
        values = {**values, **_only_one(call("debugger.list", {})["debuggers"], given)}
    return values


def _only_one(stops: Sequence[Stop], given: Mapping[str, int | None]) -> Mapping[str, int]:
    fitting = [each for each in stops if all(value in (None, each[key]) for key, value in given.items())]
    if not fitting:
        there = ", ".join(f"{each['thread']} at level {each['level']}" for each in stops)
        raise NotFound(
            f"no such thread is stopped; stopped now: {there}" if there else "no thread is stopped"
        )
    deepest: dict[int, Stop] = {}
    for each in sorted(fitting, key=lambda stop: -stop["level"]):
        deepest.setdefault(each["thread"], each)
    if len(deepest) > 1:
        named = ", ".join(f"{thread} ({each['condition']['type']})" for thread, each in deepest.items())
        raise InvalidParams(f"several threads are stopped; choose one with --thread: {named}")
    (stop,) = deepest.values()
    return {key: stop[key] for key in DEFAULTS}


def show_ways_on(call: Call, result: Mapping[str, Any]) -> None:
    """Print, where RESULT tells of a stop, what can be done there, to standard error."""
    evaluation = result.get("evaluation")
    stop = result.get("debugger") or (isinstance(evaluation, dict) and evaluation.get("debugger"))
    if not stop:
        return
    stops = call("debugger.list", {})["debuggers"]
    for each in stops:
        if all(each[key] == stop[key] for key in DEFAULTS):
            _show(each, alone=len({other["thread"] for other in stops}) == 1)


def lines(stop: Stop) -> Iterator[str]:
    """Yield where STOP is and its restarts, each with its index and what it takes."""
    for frame in stop["frames"][:1]:
        where = views.place(frame.get("location") or {})
        yield f"in {frame['description']}" + (f" at {where}" if where else "")
    calls = [_call_of(each) for each in stop["restarts"]]
    width = max(map(len, calls), default=0)
    for restart, words in zip(stop["restarts"], calls, strict=True):
        yield f"  {restart['index']:>2}  {words:<{width}}  {restart['description']}"


def _show(stop: Stop, *, alone: bool) -> None:
    for line in lines(stop):
        output.say(line)
    thread = "" if alone else f" --thread {stop['thread']}"
    ways = (f"restart{thread} NAME` goes on", f"frames{thread}` shows the stack")
    output.say("; ".join(f"`descartes debugger {each}" for each in ways))


def _call_of(restart: Mapping[str, Any]) -> str:
    """Return RESTART's name and what it takes, as one would write it: `USE-VALUE value`."""
    marks = {"optional": "[{}]", "key": "[{}]", "rest": "{}…"}
    taken = [
        marks.get(each["kind"], "{}").format(each["name"].lower()) for each in restart.get("arguments") or ()
    ]
    return " ".join([restart["name"], *taken])
