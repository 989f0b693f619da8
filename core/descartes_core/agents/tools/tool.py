"""What a tool is: a function whose signature is its schema.

    @tool("Return the text of the file PATH.")
    async def read(context: ToolContext, path: str, offset: int = 1) -> str: ...

A tool decides nothing about permission, leases or the log; the executor does, before it calls one.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from descartes_core.errors import InvalidParams
from descartes_core.leases.standing import Change
from descartes_core.memory.memory import RunMemory
from descartes_core.ports import LispPort


class Hands(Protocol):
    """What tools do to the world, done by the executor so that leases and the log see it."""

    async def replace(self, path: Path, before: bytes | None, after: bytes) -> bool:
        """Replace the file PATH, whose bytes were BEFORE (None: it did not exist), by AFTER at once.

        Returns whether it did: False when the file has other bytes now, as when the holder of another form
        of it wrote meanwhile.
        Errors: `LeaseLost` when the lease of the run was taken over; `PolicyDenied` or `LeaseHeld` for a
        change outside the forms that the run holds. Then nothing is written.
        """
        ...

    async def replace_all(self, changes: Sequence[Change]) -> bool:
        """Make all CHANGES of files that exist at once, or none; see `replace`."""
        ...

    async def run_command(
        self, command: list[str], timeout_seconds: float, secrets: Sequence[str] = ()
    ) -> CommandResult:
        """Run COMMAND in the workspace, in a process group of its own that ends with the timeout.

        SECRETS are names; their values are in its environment, and masked in its output.
        """
        ...


@dataclass(frozen=True)
class CommandResult:
    """How a command ended: ENDED as a person reads it, OUTPUT capped, TIMED_OUT when it was ended by us."""

    ended: str
    output: str
    timed_out: bool


@dataclass(frozen=True)
class ToolContext:
    """What a tool is given beside its arguments."""

    workspace: Path
    run: str
    hands: Hands
    lisp: LispPort | None
    memory: RunMemory | None = None
    cause: str | None = None
    """The event that the tool was started."""


@dataclass(frozen=True)
class Tool:
    """A tool as data. PARAMETERS is a struct made from the signature of FUNCTION."""

    name: str
    summary: str
    parameters: type[msgspec.Struct]
    function: Callable[..., Awaitable[str]]

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the arguments, self-contained, as models take it."""
        (schema,), components = msgspec.json.schema_components([self.parameters], ref_template="{name}")
        found: dict[str, Any] = _inlined(components[schema["$ref"]], components)
        return {key: value for key, value in found.items() if key != "title"}

    def parse(self, arguments: dict[str, Any]) -> msgspec.Struct:
        """Return ARGUMENTS as the parameters of this tool.

        Errors: `InvalidParams` that says what is wrong with them and what the tool takes.
        """
        try:
            return msgspec.convert(arguments, self.parameters)
        except msgspec.ValidationError as problem:
            takes = ", ".join(_describe(each) for each in msgspec.structs.fields(self.parameters))
            raise InvalidParams(f"{self.name} takes {{{takes}}}: {problem}", tool=self.name) from None

    async def call(self, context: ToolContext, parameters: msgspec.Struct) -> str:
        """Return the result of the tool for PARAMETERS, as text for the model."""
        return await self.function(context, **msgspec.structs.asdict(parameters))


def tool(summary: str) -> Callable[[Callable[..., Awaitable[str]]], Tool]:
    """Return a decorator that makes a `Tool` of an async function; SUMMARY is what a model reads.

    The first parameter is the context. A parameter without a default is required; names become camelCase.
    """

    def make(function: Callable[..., Awaitable[str]]) -> Tool:
        signature = inspect.signature(function, eval_str=True)
        fields = [_field(each) for each in list(signature.parameters.values())[1:]]
        name = function.__name__.rstrip("_")
        struct = msgspec.defstruct(
            name, fields, rename="camel", forbid_unknown_fields=True, kw_only=True, module=function.__module__
        )
        return Tool(name, summary, struct, function)

    return make


def _inlined(schema: Any, components: Mapping[str, Any]) -> Any:
    """Return SCHEMA with what it refers to in COMPONENTS in place."""
    if isinstance(schema, list):
        return [_inlined(each, components) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(components[schema["$ref"]], components)
    return {key: _inlined(value, components) for key, value in schema.items()}


def _field(parameter: inspect.Parameter) -> tuple[str, Any] | tuple[str, Any, Any]:
    if parameter.default is inspect.Parameter.empty:
        return (parameter.name, parameter.annotation)
    return (parameter.name, parameter.annotation, parameter.default)


def _describe(field: msgspec.structs.FieldInfo) -> str:
    return field.encode_name if field.required else f"{field.encode_name}?"
