"""What can be asked of Descartes, each described once as data; every door is generated from this table.

An operation's module is imported when one of its resource's operations is first looked up, so that a door
that needs `lease.list` alone imports no Lisp and no agent code.
"""

from __future__ import annotations

import importlib
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from descartes_core.errors import DescartesError, InvalidParams, NotFound
from descartes_server.operations.context import Context

Kind = Literal["read", "ask", "effect"]
"""`read` runs at the door on the log; `ask` in the hub if one runs, else it has an answer without; `effect`
runs in the hub, which is started when there is none."""

MODULES: dict[str, tuple[str, ...]] = {
    "lease": ("lease",),
    "file": ("file",),
    "run": ("run",),
    "intervention": ("intervention",),
    "history": ("history", "timeline", "playback", "picture"),
    "session": ("session", "sessions"),
    "thought": ("thought",),
    "whiteboard": ("whiteboard",),
    "wisdom": ("wisdom",),
    "restore": ("restore",),
    "edit": ("edit",),
    "hub": ("hub", "repair"),
    "gc": ("gc",),
    "guard": ("guard",),
    "lisp": (
        "lisp",
        "lisp_connect",
        "lisp_questions",
        "repl",
        "lisp_systems",
        "lisp_tests",
        "exploring",
        "threads",
        "tracing",
        "drift",
        "load_changed",
        "xref",
        "profiling",
        "journal",
        "replay",
        "compare",
    ),
    "inspector": ("inspector",),
    "config": ("config",),
    "debugger": ("debugger", "debugger_repairs", "debugger_breakpoints"),
    "secret": ("secret",),
}
"""Which modules of this package declare the operations of each resource."""


LARGEST_NUMBER = 2**53 - 1
"""What every language that reads JSON can hold exactly."""


class Params(msgspec.Struct, frozen=True, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """Base of all parameter structs: camelCase on the wire; a field that nobody knows is an error."""


class NoParams(Params, frozen=True):
    """The parameters of an operation that takes none."""


class Empty(msgspec.Struct, frozen=True):
    """The result `{}`."""


Handler = Callable[[Context, Any], Awaitable[Any]]
Refusal = Callable[[Context, Mapping[str, Any], DescartesError], Awaitable[None]]


@dataclass(frozen=True)
class Operation:
    """One operation; SUMMARY is the first line of its handler's docstring."""

    name: str
    kind: Kind
    params: type[msgspec.Struct]
    result: Any
    handler: Handler
    summary: str
    needs_trust: bool = False
    """Checked before the parameters are looked at."""
    for_agents: bool = False
    """Whether it is offered as an MCP tool."""
    people_only: bool = False
    """Whether a caller that is an agent is refused with `policy_denied`."""
    positional: tuple[str, ...] = ()
    """Fields (wire names) that the command line also takes without their flag, in this order."""
    of_events: bool = False
    """Whether the answer follows from the log's events alone, so that it is the same until another comes."""
    without_hub: Handler | None = None
    """The answer of an `ask` where no hub runs; runs at the door."""
    of_image: bool = False
    """Whether a hub is started for this `ask` where the workspace has an image, which only hubs listen to."""
    confidential: bool = False
    """Whether parameters or result hold what must not be kept or quoted anywhere, such as a password."""
    on_refusal: Refusal | None = None
    """Told in the hub of each caller that was refused before the handler was asked, with the parameters."""

    @property
    def resource(self) -> str:
        return self.name.partition(".")[0]

    @property
    def verb(self) -> str:
        return self.name.partition(".")[2]


REGISTRY: dict[str, Operation] = {}
"""The operations declared so far; complete after `all_operations`."""

_H = typing.TypeVar("_H", bound=Callable[..., Awaitable[Any]])


def operation(
    name: str,
    *,
    kind: Kind,
    needs_trust: bool = False,
    for_agents: bool = False,
    people_only: bool = False,
    positional: tuple[str, ...] = (),
    without_hub: Handler | None = None,
    of_image: bool = False,
    of_events: bool = False,
    confidential: bool = False,
    on_refusal: Refusal | None = None,
) -> Callable[[_H], _H]:
    """Register the decorated `async def handler(context: Context, params: P) -> R` as operation NAME.

    Example: @operation("lease.show", kind="read", for_agents=True)
    """
    if (kind == "ask") != (without_hub is not None):
        raise TypeError(f"{name!r}: an operation has an answer without a hub exactly when it is an ask")

    def register(handler: _H) -> _H:
        hints = typing.get_type_hints(handler)
        REGISTRY[name] = Operation(
            name=name,
            kind=kind,
            params=hints["params"],
            result=hints["return"],
            handler=handler,
            summary=(handler.__doc__ or name).strip().splitlines()[0],
            needs_trust=needs_trust,
            for_agents=for_agents,
            people_only=people_only,
            positional=positional,
            without_hub=without_hub,
            of_image=of_image,
            of_events=of_events,
            confidential=confidential,
            on_refusal=on_refusal,
        )
        return handler

    return register


def lookup(name: str) -> Operation:
    """Return the operation NAME, `resource.verb`.

    Errors: `NotFound` naming the operations of that resource, or the resources.
    """
    if name not in REGISTRY:
        _load(name.partition(".")[0])
    try:
        return REGISTRY[name]
    except KeyError:
        raise NotFound(f"there is no operation {name!r}; {_near(name)}") from None


def of_resource(resource: str) -> list[Operation]:
    """Return the operations of RESOURCE by name; none when there is no such resource."""
    _load(resource)
    return sorted(
        (each for each in REGISTRY.values() if each.resource == resource), key=lambda each: each.name
    )


def all_operations() -> Mapping[str, Operation]:
    """Return every operation by name; imports every module that declares some."""
    for resource in MODULES:
        _load(resource)
    return dict(sorted(REGISTRY.items()))


def decode(operation: Operation, params: Mapping[str, Any]) -> Any:
    """Return PARAMS as the parameter struct of OPERATION.

    Errors: `InvalidParams` naming the field, what was expected and what came.
    """
    _check_numbers(operation, params)
    try:
        return msgspec.convert(dict(params), operation.params)
    except msgspec.ValidationError as error:
        quoted = {} if operation.confidential else params
        raise InvalidParams(f"{operation.name}: {_explain(str(error), quoted)}") from None


def _check_numbers(operation: Operation, params: Mapping[str, Any]) -> None:
    """Refuse numbers that neither the log nor the system can hold; JSON gives them any size."""
    for key, value in params.items():
        if isinstance(value, Mapping):
            _check_numbers(operation, value)
        elif isinstance(value, int) and abs(value) > LARGEST_NUMBER:
            raise InvalidParams(f"{operation.name}: expected at most {LARGEST_NUMBER} at `{key}`, got more")


def encode(result: Any) -> dict[str, Any]:
    """Return RESULT, a struct or a plain mapping, as the JSON object of every door."""
    plain = msgspec.to_builtins(result, str_keys=True)
    return plain if isinstance(plain, dict) else {"value": plain}


def _load(resource: str) -> None:
    for module in MODULES.get(resource, ()):
        importlib.import_module(f"{__package__}.{module}")


def _near(name: str) -> str:
    same = [each.name for each in of_resource(name.partition(".")[0])]
    if same:
        return f"{name.partition('.')[0]} has {', '.join(same)}"
    return f"the resources are {', '.join(MODULES)}"


def _explain(problem: str, params: Mapping[str, Any]) -> str:
    """Return PROBLEM, a msgspec message, with the value that came.

    Example: "Expected `int`, got `str` - at `$.ttlSeconds`" and {"ttlSeconds": "x"} become
    "expected `int`, got `str` 'x' at `ttlSeconds`"
    """
    what, _, where = problem.partition(" - at ")
    what = what[:1].lower() + what[1:]
    path = where.strip("`").removeprefix("$").removeprefix(".")
    if not path:
        return what
    value = _value_at(path, params)
    came = "" if value is None else f" ({value!r:.60})"
    return f"{what}{came} at `{path}`"


def _value_at(path: str, params: Mapping[str, Any]) -> Any:
    value: Any = params
    for key in path.replace("[", ".").replace("]", "").split("."):
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value
