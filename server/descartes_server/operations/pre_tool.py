"""The hook that another program's agent calls before it uses a tool: deny what somebody else has leased.

Speaks what Claude Code's PreToolUse hook sends and expects. It denies or says nothing at all: to allow would
skip the person's own questions. What it cannot read is an error that blocks nothing.
"""

from __future__ import annotations

import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from descartes_core.errors import DescartesError, InvalidParams
from descartes_core.leases import shell_writes, standing
from descartes_core.leases.standing import Change
from descartes_core.model import Principal
from descartes_server.operations import guarding, workspace
from descartes_server.operations.guarding import GUARD_VARIABLE, OFF, Refusals, Watch

LARGEST_BYTES = 64 * 1024 * 1024
WRITERS = {
    "Edit": "file_path",
    "MultiEdit": "file_path",
    "Write": "file_path",
    "NotebookEdit": "notebook_path",
}
"""The tools that write the file that one of their arguments names."""
_OTHERS = re.compile(r"mcp__.*(write|edit|create|delete|remove|move|rename|replace|insert)", re.IGNORECASE)
_PLACES = ("path", "file_path", "filePath", "notebook_path", "source", "destination", "old_path", "new_path")
BROKEN = 1
"""The exit status of a hook that failed; 2 would block the tool."""


class ToolCall(msgspec.Struct, frozen=True):
    """What the hook is told, as far as it matters here; anything else may come along."""

    tool_name: str
    tool_input: dict[str, Any] = {}
    session_id: str = ""
    cwd: str = ""


def main(*, warn: bool = False) -> int:
    """Read one call from standard input, answer on standard output, and return the exit status.

    With WARN the person is told, and nothing is denied.
    """
    try:
        answer = answer_to(sys.stdin.buffer.read(LARGEST_BYTES), warn=warn)
    except (DescartesError, OSError, sqlite3.Error) as problem:
        sys.stderr.write(f"descartes hook pre-tool: {problem}\n")
        return BROKEN
    except Exception as problem:  # whatever it is, the agent's tool must not be blocked by it
        sys.stderr.write(f"descartes hook pre-tool failed, the call was not checked: {problem!r}\n")
        return BROKEN
    if answer is not None:
        sys.stdout.write(f"{msgspec.json.encode(answer).decode()}\n")
    return 0


def answer_to(data: bytes, *, warn: bool = False) -> dict[str, Any] | None:
    """Return the decision about the call in DATA, None where there is nothing against it."""
    call = _read(data)
    folder = Path(call.cwd or Path.cwd())
    agent = Principal(kind="agent", id=call.session_id or "external", name="an external agent")
    who = guarding.speaker(os.environ, otherwise=agent)
    off = os.environ.get(GUARD_VARIABLE, "").lower() == OFF
    files = list(_files(call, folder))
    for place in {workspace.find(each) for each in [folder, *map(_existing, files)]} if files else ():
        watch = Watch.look(place, who)
        refused = {} if watch.is_quiet else _refused(watch, call, files)
        if refused:
            what = {"hook": "pre-tool", "tool": call.tool_name}
            outcome: guarding.Outcome = "bypassed" if off else "warned" if warn else "refused"
            guarding.record(place, watch.who, outcome, what, refused)
            if not off:
                reason = _reason(call, refused)
                return {"systemMessage": reason} if warn else _denial(reason)
    return None


def _read(data: bytes) -> ToolCall:
    try:
        return msgspec.json.decode(data, type=ToolCall)
    except msgspec.DecodeError as problem:
        raise InvalidParams(
            f"expected one JSON object with tool_name and tool_input on standard input, got something else: "
            f"{problem}; the call was not checked"
        ) from None


def _files(call: ToolCall, folder: Path) -> Iterator[Path]:
    if call.tool_name == "Bash":
        command = call.tool_input.get("command")
        names: list[Any] = list(shell_writes.written(command, folder)) if isinstance(command, str) else []
    elif call.tool_name in WRITERS:
        names = [call.tool_input.get(WRITERS[call.tool_name])]
    elif _OTHERS.match(call.tool_name):
        names = [call.tool_input.get(name) for name in _PLACES]
    else:
        names = []
    for name in names:
        if isinstance(name, str | Path) and str(name):
            yield Path(os.path.normpath(folder / workspace.possible(str(name))))


def _existing(file: Path) -> Path:
    """Return the nearest folder of FILE that exists."""
    return next((folder for folder in file.parents if folder.is_dir()), Path("/"))


def _refused(watch: Watch, call: ToolCall, files: list[Path]) -> Refusals:
    refused = watch.stopped(files)
    change = _change(call, files) if refused and call.tool_name in WRITERS else None
    if change is None:
        return refused
    from descartes_core.leases.paths import Paths
    from descartes_server.ide.leased_forms import LispForms

    about = Paths(watch.workspace.root).of(change.path.as_uri())
    stopping = standing.stopping_change(change, about, watch.who, watch.found, LispForms())
    return dict.fromkeys(refused, stopping[0]) if stopping else {}


def _change(call: ToolCall, files: list[Path]) -> Change | None:
    """Return what CALL would make of its file; None where that cannot be said."""
    given, file = call.tool_input, files[0]
    try:
        before = file.read_bytes()
        edits = given.get("edits") if call.tool_name == "MultiEdit" else [given]
        after = given["content"] if call.tool_name == "Write" else _edited(before.decode(), edits)
        return Change(file, before, after.encode())
    except (OSError, KeyError, TypeError, AttributeError, UnicodeError):
        return None


def _edited(text: str, edits: Any) -> str:
    for edit in edits:
        count = -1 if edit.get("replace_all") else 1
        text = text.replace(edit["old_string"], edit["new_string"], count)
    return text


def _reason(call: ToolCall, refused: Refusals) -> str:
    lease = next(iter(refused.values()))
    return "\n".join(
        [
            f"{call.tool_name} would change what somebody else holds:",
            *guarding.explained(refused),
            f"Work on something else, or ask for it: descartes lease request {lease.path} 'why you need it'",
        ]
    )


def _denial(reason: str) -> dict[str, Any]:
    output = {
        "hookEventName": "PreToolUse",
        "permissionDecision": "deny",
        "permissionDecisionReason": reason,
    }
    return {"hookSpecificOutput": output}
