"""Commands made from operations: `lease.acquire` becomes `descartes lease acquire`, each field an option."""

from __future__ import annotations

import os
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from descartes_server.cli import output, stops
from descartes_server.cli.session import Session
from descartes_server.operations import registry
from descartes_server.operations.registry import Operation

NOT_HERE = frozenset({"document"})
"""Fields that only an editor fills."""

SAMPLES = {
    "arguments": "'(list 1 2)'",
    "choice": "accept",
    "code": "'(+ 1 2)'",
    "content": "'USE-VALUE is safe here'",
    "end": "20",
    "entry": "3f2a9c1e",
    "evaluation": "3f2a9c1e",
    "event": "9b81c0de",
    "frame": "0",
    "host": "127.0.0.1",
    "id": "3f2a9c1e",
    "insight": "'Load the system with :force t before its tests'",
    "level": "1",
    "message": "'may I have it?'",
    "new_path": "src/forms.lisp",
    "path": "src/shapes.lisp",
    "port": "4005",
    "position": "12:3",
    "reason": "'it was forgotten'",
    "run": "0f3c9a1b",
    "session": "1cce14a9",
    "start": "0",
    "symbol": "mapcar",
    "system": "alexandria",
    "task": "'Fix the tests'",
    "text": "string",
    "thought": "api-design",
    "thread": "7",
    "title": "'API design'",
    "type": "solution",
    "uri": "src/shapes.lisp",
    "wisdom": "3f2a9c1e",
}


class Position(click.ParamType[Any]):
    """A place written LINE:COLUMN, both counted from 1."""

    name = "LINE:COLUMN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", value):
            self.fail(f"expected LINE:COLUMN counted from 1, got {value!r}", param, ctx)
        line, _, column = value.partition(":")
        return {"line": int(line), "column": int(column)}


class Json(click.ParamType[Any]):
    """A value that has no simpler form on a command line."""

    name = "JSON"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError as error:
            self.fail(f"expected JSON, got {value!r}: {error}", param, ctx)


class File(click.ParamType[Any]):
    """A file, taken from the folder that the command is given in; a URI stays as it is."""

    name = "PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        # Without resolving links or "..": which file is meant is for the lease or the text to find out.
        return value if "://" in value else os.fspath(Path.cwd() / value)


def group_of(resource: str, summary: str) -> click.Group:
    """Return the commands of all operations of RESOURCE under one name."""
    group = click.Group(resource, help=summary, epilog=f"Example: descartes {resource} --help")
    for operation in registry.of_resource(resource):
        add(group, operation)
    return group


def add(group: click.Group, operation: Operation) -> None:
    """Add the command of OPERATION to GROUP; a verb of two words gets a group of its own."""
    *above, verb = operation.verb.split(".")
    for name in above:
        inner = group.commands.get(kebab(name))
        if not isinstance(inner, click.Group):
            inner = click.Group(
                kebab(name),
                help=f"More of {group.name}.",
                epilog=f"Example: descartes {group.name} {kebab(name)} --help",
            )
            group.add_command(inner)
        group = inner
    group.add_command(command_of(operation, kebab(verb)))


def command_of(operation: Operation, name: str) -> click.Command:
    """Return the command NAME that calls OPERATION and prints its result."""

    def call(workspace: str | None, as_json: bool, trust: bool = False, **values: Any) -> int:
        session = Session(workspace)
        session.ask_for_trust(operation, given=trust)
        values = dict(stops.completed(session.call, operation, values))
        result = session.call(operation.name, params_of(operation, values))
        output.show(operation.name, result, as_json=as_json)
        if not as_json:
            stops.show_ways_on(session.call, result)
        return status_of(result)

    return click.Command(
        name,
        callback=call,
        params=[*_parameters(operation), *common_options(trust=operation.needs_trust)],
        help=operation.summary,
        epilog=_example(operation),
    )


def common_options(*, trust: bool = False) -> list[click.Parameter]:
    """Return the options that every command has; TRUST: also the one that trusts the workspace."""
    options: list[click.Parameter] = [
        click.Option(["--json", "as_json"], is_flag=True, help="Print the result as JSON."),
        click.Option(["--workspace"], metavar="DIR", help="The workspace (default: that of this folder)."),
    ]
    if trust:
        options.append(
            click.Option(
                ["--trust"], is_flag=True, help="Trust the workspace from now on, without a question."
            )
        )
    return options


def common(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command written by hand the options that every command has."""
    function = click.option(
        "--workspace", metavar="DIR", help="The workspace (default: that of this folder)."
    )(function)
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(function)


def params_of(operation: Operation, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return VALUES, by Python name and with None or () for what was not given, as the operation's object."""
    params: dict[str, Any] = {}
    for field in msgspec.structs.fields(operation.params):
        # What stands without its flag comes under a name of its own, so that both spellings are possible.
        given = [values.get(_argument_name(field.name)), values.get(field.name)]
        value = next((each for each in given if each not in (None, ())), None)
        if value is not None:
            params[field.encode_name] = list(value) if isinstance(value, tuple) else value
        elif field.required:
            raise click.UsageError(f"{operation.name} needs {_spelling(operation, field)}; see --help")
    return params


def status_of(result: Mapping[str, Any]) -> int:
    """Return the exit status for RESULT: 1 for one that says of itself that it failed."""
    failed = result.get("ok") is False or result.get("success") is False
    return 1 if failed or result.get("state") in ("aborted", "lost") else 0


def kebab(name: str) -> str:
    """Return the camelCase or snake_case NAME as a word of the command line: `evalForm` -> `eval-form`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).replace("_", "-").lower()


def _parameters(operation: Operation) -> Iterator[click.Parameter]:
    fields = {field.name: field for field in msgspec.structs.fields(operation.params)}
    by_wire = {field.encode_name: field for field in fields.values()}
    for wire in operation.positional:
        field = by_wire[wire]
        kind, is_list = _kind(field)
        metavar = kebab(field.name).upper()
        yield click.Argument(
            [_argument_name(field.name)],
            type=kind,
            nargs=-1 if is_list else 1,
            required=False,
            metavar=metavar,
        )
    defaults = stops.DEFAULTS if stops.is_about_one(operation) else {}
    for field in fields.values():
        if field.name not in NOT_HERE:
            yield _option(field, defaults.get(field.name))


def _option(field: msgspec.structs.FieldInfo, shown: str | None) -> click.Option:
    kind, is_list = _kind(field)
    name = f"--{kebab(field.name)}"
    if kind is click.BOOL and field.default is False:
        return click.Option([name, field.name], is_flag=True, default=None)
    if kind is click.BOOL:
        return click.Option([f"{name}/--no-{kebab(field.name)}", field.name], default=None)
    default = field.default
    if isinstance(default, int | float | str):
        shown = f"Default: {default}."
    return click.Option([name, field.name], type=kind, multiple=is_list, help=shown)


def _kind(field: msgspec.structs.FieldInfo) -> tuple[click.ParamType[Any], bool]:
    """Return how a value of FIELD is written, and whether several may be given."""
    if field.name in ("uri", "path", "new_path"):
        return File(), False
    if field.name == "files":
        return File(), True
    return _kind_of(field.type)


def _kind_of(hint: Any) -> tuple[click.ParamType[Any], bool]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        plain = [each for each in arguments if each is not type(None)]
        # Of several forms a text is the one that a person types.
        return _kind_of(str if str in plain else plain[0])
    if origin is Literal:
        return click.Choice([str(each) for each in arguments]), False
    if origin is list:
        return _kind_of(arguments[0])[0], True
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return (Position() if hint.__name__ == "Position" else Json()), False
    simple: dict[Any, click.ParamType[Any]] = {
        str: click.STRING,
        int: click.INT,
        float: click.FLOAT,
        bool: click.BOOL,
    }
    return simple.get(hint, Json()), False


def _argument_name(field: str) -> str:
    return f"plain_{field}"


def _spelling(operation: Operation, field: msgspec.structs.FieldInfo) -> str:
    flag = f"--{kebab(field.name)}"
    return f"{kebab(field.name).upper()} (or {flag})" if field.encode_name in operation.positional else flag


def _example(operation: Operation) -> str:
    words = ["descartes", operation.resource, *(kebab(word) for word in operation.verb.split("."))]
    left_out = stops.DEFAULTS if stops.is_about_one(operation) else {}
    for field in msgspec.structs.fields(operation.params):
        sample = SAMPLES.get(field.name, "…")
        if field.encode_name in operation.positional:
            words.append(sample)
        elif field.required and field.name not in left_out:
            words += [f"--{kebab(field.name)}", sample]
    return f"Example: {' '.join(words)}"
