"""The arguments of the requests that are answered, as the protocol names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from descartes_core.errors import InvalidParams

A = TypeVar("A", bound="Arguments")


class Arguments(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of all: camelCase on the wire; fields that nobody knows are ignored, as the protocol asks."""


class Nothing(Arguments, frozen=True, kw_only=True):
    """The arguments of a request that needs none."""


class Initialize(Arguments, frozen=True, kw_only=True):
    """What the client says of itself."""

    client_id: str | None = msgspec.field(default=None, name="clientID")
    client_name: str | None = None
    lines_start_at1: bool = True
    columns_start_at1: bool = True
    path_format: str = "path"
    supports_variable_type: bool = False
    supports_variable_paging: bool = False
    supports_progress_reporting: bool = False
    supports_invalidated_event: bool = False


class Attach(Arguments, frozen=True, kw_only=True):
    """The workspace whose image to attach to; None: that of the current folder."""

    workspace: str | None = None


class Launch(Attach, frozen=True, kw_only=True):
    """EXPRESSION is evaluated once the client's breakpoints are set, and the file LOAD is loaded if given."""

    expression: str
    package: str | None = None
    load: str | None = None


class Cancel(Arguments, frozen=True, kw_only=True):
    request_id: int | None = None
    progress_id: str | None = None


class OfThread(Arguments, frozen=True, kw_only=True):
    thread_id: int


class StackTrace(OfThread, frozen=True, kw_only=True):
    start_frame: int | None = None
    levels: int | None = None


class OfFrame(Arguments, frozen=True, kw_only=True):
    frame_id: int


class RestartFrame(OfFrame, frozen=True, kw_only=True):
    """ARGUMENTS, an addition of ours: Lisp text, evaluated in the frame, to call the function with."""

    arguments: list[str] | None = None


class ReturnFromFrame(OfFrame, frozen=True, kw_only=True):
    """VALUE is Lisp text, evaluated in the frame."""

    value: str


class Variables(Arguments, frozen=True, kw_only=True):
    variables_reference: int
    filter: str | None = None
    start: int | None = None
    count: int | None = None


class SetVariable(Arguments, frozen=True, kw_only=True):
    variables_reference: int
    name: str
    value: str


class VariableOf(Arguments, frozen=True, kw_only=True):
    """The variable NAME of a container."""

    variables_reference: int
    name: str


class SetExpression(Arguments, frozen=True, kw_only=True):
    expression: str
    value: str
    frame_id: int | None = None


class Evaluate(Arguments, frozen=True, kw_only=True):
    expression: str
    frame_id: int | None = None
    context: str | None = None


class InvokeRestart(OfThread, frozen=True, kw_only=True):
    """A restart of the thread's stop at LEVEL, by NAME or INDEX; ARGUMENTS are Lisp text."""

    level: int | None = None
    name: str | None = None
    index: int | None = None
    arguments: list[str] = []
    frame_id: int | None = None


class TerminateThreads(Arguments, frozen=True, kw_only=True):
    thread_ids: list[int] = []


class SourceOf(Arguments, frozen=True, kw_only=True):
    """A file as the protocol names it."""

    name: str | None = None
    path: str | None = None
    source_reference: int | None = None


class SourceBreakpoint(Arguments, frozen=True, kw_only=True):
    line: int
    column: int | None = None
    condition: str | None = None


class SetBreakpoints(Arguments, frozen=True, kw_only=True):
    """All breakpoints of a file; LINES is what older clients send."""

    source: SourceOf
    breakpoints: list[SourceBreakpoint] = []
    lines: list[int] = []


class FunctionBreakpoint(Arguments, frozen=True, kw_only=True):
    name: str
    condition: str | None = None


class SetFunctionBreakpoints(Arguments, frozen=True, kw_only=True):
    breakpoints: list[FunctionBreakpoint]


class FilterOption(Arguments, frozen=True, kw_only=True):
    filter_id: str
    condition: str | None = None


class SetExceptionBreakpoints(Arguments, frozen=True, kw_only=True):
    filters: list[str] = []
    filter_options: list[FilterOption] = []


class Source(Arguments, frozen=True, kw_only=True):
    source: SourceOf | None = None
    source_reference: int = 0


class Completions(Arguments, frozen=True, kw_only=True):
    """TEXT as typed, COLUMN of the caret in it, LINE when it has several."""

    text: str
    column: int
    line: int | None = None
    frame_id: int | None = None


def decode(command: str, kind: type[A], given: Any) -> A:
    """Return what COMMAND was GIVEN as KIND. Errors: `InvalidParams` naming the argument and what came."""
    if given is None or given == []:  # a table without fields is a list in some languages
        given = {}
    if not isinstance(given, Mapping):
        raise InvalidParams(f"{command}: expected arguments by name, got {given!r:.60}")
    # Some clients write null for what others leave out.
    present = {key: value for key, value in given.items() if value is not None}
    try:
        return msgspec.convert(present, kind)
    except msgspec.ValidationError as error:
        what = str(error).replace("$.", "arguments.").replace("Object missing", "the arguments lack")
        raise InvalidParams(f"{command}: {what[:1].lower()}{what[1:]}") from None
