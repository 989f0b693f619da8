"""The tools: one for each operation that is marked for agents, with what an agent has to know of it.

Knows nothing of the protocol's library, so that the reference can be written where that is not installed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from descartes_core.errors import InvalidParams, NotFound
from descartes_server.mcp import schemas
from descartes_server.mcp.words import NOTES
from descartes_server.operations import registry
from descartes_server.operations.registry import Operation

LOOKING = frozenset(
    f"{resource}.{verb}"
    for resource, verbs in {
        "debugger": "disassemble frame frames",
        "edit": "preview",
        "file": "read",
        "inspector": "back close forward more open part refresh",
        "lisp": "macroexpand",
        "restore": "preview",
    }.items()
    for verb in verbs.split()
)
"""Operations of the hub that only look."""
DESTROYING = frozenset(
    {"debugger.abort", "debugger.toplevel", "file.edit", "file.write", "inspector.set", "lease.steal"}
    | {"lisp.eval", "lisp.evalForm", "inspector.eval", "debugger.evalInFrame", "run.kill", "run.stop"}
)
"""Operations that can undo what somebody did."""


@dataclass(frozen=True)
class Tool:
    """One operation as agents see it."""

    name: str
    operation: Operation
    description: str
    schema: schemas.Schema
    reads: bool
    destroys: bool


def name_of(operation: str) -> str:
    """Return the tool's name of OPERATION. Example: name_of("lisp.evalForm") -> "lisp_eval_form"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).replace(".", "_").lower()


@cache
def all_tools() -> Mapping[str, Tool]:
    """Return every tool by name."""
    marked = [each for each in registry.all_operations().values() if each.for_agents]
    return {name_of(each.name): _tool(each) for each in marked}


def of_resources(resources: Collection[str]) -> Mapping[str, Tool]:
    """Return the tools of RESOURCES, all for none. Errors: `InvalidParams` for one that has none."""
    known = {each.operation.resource for each in all_tools().values()}
    if unknown := set(resources) - known:
        raise InvalidParams(
            f"expected resources that have tools, got {', '.join(sorted(unknown))};"
            f" there are {', '.join(sorted(known))}"
        )
    return {
        name: tool
        for name, tool in all_tools().items()
        if not resources or tool.operation.resource in resources
    }


def find(offered: Mapping[str, Tool], name: str) -> Tool:
    """Return the tool NAME of those OFFERED. Errors: `NotFound` naming those that are near."""
    if name in offered:
        return offered[name]
    near = [each for each in offered if each.partition("_")[0] == name.partition("_")[0]]
    raise NotFound(f"there is no tool {name[:100]!r}; there are {', '.join(near or offered)}")


def params_of(tool: Tool, arguments: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Return ARGUMENTS as the parameters of TOOL's operation: a path from ROOT is as good as a URI.

    Errors: `InvalidParams` for what only editors and people give.
    """
    hidden = {each.encode_name for each in msgspec.structs.fields(tool.operation.params)} & schemas.HIDDEN
    if refused := hidden & arguments.keys():
        raise InvalidParams(
            f"{tool.name}: expected no `{min(refused)}`, which is not for agents; leave it out"
        )
    made = dict(arguments)
    uri = made.get("uri")
    if isinstance(uri, str) and "://" not in uri and "uri" in tool.schema["properties"]:
        made["uri"] = str(root / uri)
    return made


def spoken(text: str) -> str:
    """Return TEXT with the names of operations as those of tools. Example: "lisp.eval" -> "lisp_eval"."""
    return _named().sub(lambda found: name_of(found[0]), text)


@cache
def _named() -> re.Pattern[str]:
    names = sorted((each.operation.name for each in all_tools().values()), key=len, reverse=True)
    return re.compile(rf"(?<![\w.])(?:{'|'.join(map(re.escape, names))})(?![\w.]*\w)")


def _tool(operation: Operation) -> Tool:
    told = [operation.summary, *_of_params(operation.params)]
    if note := NOTES.get(operation.name):
        told.append(note)
    if operation.needs_trust:
        told.append("Needs a workspace that its person trusts.")
    return Tool(
        name=name_of(operation.name),
        operation=operation,
        description="\n".join(told),
        schema=schemas.of_params(operation.params),
        reads=operation.kind != "effect" or operation.name in LOOKING,
        destroys=operation.name in DESTROYING,
    )


def _of_params(params: type[msgspec.Struct]) -> list[str]:
    """Return the paragraphs that say what PARAMS are, with their names as agents give them."""
    names = {each.name.upper(): f"`{each.encode_name}`" for each in msgspec.structs.fields(params)}
    if not names:
        return []
    paragraphs = [" ".join(each.split()) for each in (params.__doc__ or "").strip().split("\n\n")]
    pattern = re.compile(rf"\b(?:{'|'.join(names)})\b")
    return [pattern.sub(lambda found: names[found[0]], each) for each in paragraphs]
