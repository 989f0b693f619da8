"""Tracing functions: which are traced, and their calls as a tree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from descartes_core.errors import InvalidParams
from descartes_core.model import Shape
from descartes_server.operations.asking import SymbolParams, ask, in_hub
from descartes_server.operations.context import Context
from descartes_server.operations.registry import Params, operation

DEEPEST = 200
"""Levels of the tree; what lies deeper hangs at the last one, so that every reader of JSON can take it."""


class UntraceParams(Params, frozen=True, kw_only=True):
    """FORGET: whether the calls that were kept go as well."""

    forget: bool = False


class TraceTreeParams(Params, frozen=True, kw_only=True):
    """Calls of EVALUATION alone, or newer than the call SINCE; the newest LIMIT of them."""

    evaluation: str | None = None
    since: int | None = None
    limit: int = 1000


class Traced(Shape, frozen=True, kw_only=True):
    """The names of all functions that are traced now."""

    traced: list[str]


class Call(Shape, frozen=True, kw_only=True):
    """One call of a traced function; CALLS are those of traced functions that it made."""

    id: int
    form: str
    name: str
    arguments: list[str]
    values: list[str]
    exit: Literal["normal", "nonlocal", "running"]
    duration_ms: float
    thread: int
    evaluation: str | None = None
    calls: list[Call] = []


class TraceTree(Shape, frozen=True, kw_only=True):
    """The calls that no other of them made, the oldest first. MORE: how many older ones are left out."""

    calls: list[Call]
    more: int = 0
    traced: list[str] = []


@operation("lisp.trace", kind="effect", needs_trust=True, for_agents=True, positional=("symbol",))
async def trace(context: Context, params: SymbolParams) -> Traced:
    """Trace a function, or stop tracing it when it is traced."""
    request = {"question": "trace", "name": params.symbol, "package": await params.package_in(context)}
    return Traced(traced=(await ask(context, request, start=True))["traced"])


@operation("lisp.untraceAll", kind="effect", needs_trust=True, for_agents=True)
async def untrace_all(context: Context, params: UntraceParams) -> Traced:
    """Trace no function any more; the calls stay until they are forgotten."""
    return Traced(traced=(await ask(context, {"question": "untraceAll", "forget": params.forget}))["traced"])


async def trace_tree(context: Context, params: TraceTreeParams) -> TraceTree:
    """Answer the calls of traced functions as a tree."""
    if params.limit < 1 or (params.since or 0) < 0:
        raise InvalidParams("expected `limit` from 1 and `since` from 0, or neither")
    request: dict[str, Any] = {"question": "calls", "limit": params.limit, "since": params.since or 0}
    if params.evaluation is not None:
        request["evaluation"] = _full_id(context, params.evaluation)
    answer = await ask(context, request)
    return TraceTree(calls=as_tree(answer["calls"]), more=answer["more"], traced=answer["traced"])


operation("lisp.traceTree", kind="ask", for_agents=True, without_hub=trace_tree)(trace_tree)


def _full_id(context: Context, prefix: str) -> str:
    return context.services.image.evaluations.find(prefix).id if in_hub(context) else prefix


def as_tree(calls: Iterable[Mapping[str, Any]]) -> list[Call]:
    """Return CALLS, each with its `parent`, as a tree; one whose parent is not among them is a root.

    Example: [{id: 1}, {id: 2, parent: 1}] -> [Call(1, calls=[Call(2)])]
    """
    roots: list[Call] = []
    known: dict[int, tuple[Call, int]] = {}
    for each in calls:
        made = _call(each)
        outer, depth = known.get(each.get("parent", 0), (None, 0))
        (outer.calls if outer is not None else roots).append(made)
        # Deeper than the deepest: siblings of their own callees, under the last level.
        known[made.id] = (made, depth + 1) if depth + 1 < DEEPEST or outer is None else (outer, depth)
    return roots


def _call(each: Mapping[str, Any]) -> Call:
    return Call(
        id=each["id"],
        form=each["form"],
        name=each["name"],
        arguments=each["arguments"],
        values=each["values"],
        exit=each["exit"],
        duration_ms=each["durationUs"] / 1000,
        thread=each["thread"],
        evaluation=each.get("evaluation"),
        calls=[],
    )
