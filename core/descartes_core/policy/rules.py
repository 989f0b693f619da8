"""The one check every tool call passes: allow it, ask a person about it, or deny it.

Pure. It neither asks nor executes; the tool executor does what it says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal

import msgspec

from descartes_core.config.table import PolicyRule
from descartes_core.errors import InvalidParams, PolicyDenied
from descartes_core.model import Shape

ToolLevel = Literal["read-only", "lisp-developer", "full", "trusted"]
LEVELS: tuple[ToolLevel, ...] = ("read-only", "lisp-developer", "full", "trusted")
"""From the least to the most: each level may do everything that the one before may."""

READING = frozenset({"read", "list", "search", "note_search", "note_show", "board_read", "wisdom_search"})
TELLING = frozenset({"board_post", "board_annotate"})
"""What is said to the other runs of the session: in the log alone."""
REMEMBERING = frozenset({"note_create", "wisdom_add", "wisdom_outcome"})
"""What outlives the run, in the person's notes and in the log; the workspace stays as it is."""
LISP = frozenset({"lisp_eval", "lisp_compile", "lisp_inspect", "lisp_restart"})
MUTATING = frozenset({"write", "edit", "edit_files", "shell", "lisp_eval", "lisp_compile", "lisp_restart"})
"""What asks by default."""

SETTINGS_FILES = frozenset({"descartes.toml", "config.toml"})
REJECTIONS_BEFORE_DENIAL = 2


class ToolCall(Shape, frozen=True):
    """A tool that a model wants called. ID is unique within its run."""

    id: str
    name: str
    arguments: dict[str, Any]

    def key(self) -> str:
        """Return what equal calls have in common: the name and a digest of the arguments in any order."""
        arguments = msgspec.json.encode(self.arguments, order="deterministic")
        return f"{self.name} {hashlib.sha256(arguments).hexdigest()}"


@dataclass(frozen=True)
class Asker:
    """What the policy looks at in a run."""

    level: ToolLevel
    rejections: Mapping[str, int] = field(default_factory=dict)
    """How often a person rejected a call, by `ToolCall.key`."""
    run: Mapping[str, Any] = field(default_factory=dict)
    """What conditions of the settings know as `run`."""


@dataclass(frozen=True)
class Allow:
    """The call may be executed as it is."""


@dataclass(frozen=True)
class Ask:
    """The call waits for a person; REASON says why it is asked about."""

    reason: str


@dataclass(frozen=True)
class Deny:
    """The call is not executed; REASON is for the model and says what else to do."""

    reason: str


Decision = Allow | Ask | Deny


class Policy:
    """The rules, first match wins: tool level, calls rejected before, settings, trust, ask before mutation.

    RULES gives those of the settings as they are at the moment of a call.
    """

    def __init__(self, rules: Callable[[], Sequence[PolicyRule]] = tuple) -> None:
        self._rules = rules

    def decide(self, call: ToolCall, run: Asker, *, asks: bool | None = None) -> Decision:
        """Return what becomes of CALL, which RUN wants to make.

        ASKS says whether a call is asked about that no rule speaks of; by default one that changes anything.
        Example: decide(ToolCall(id="1", name="write", arguments={}), Asker("full")) -> Ask("write changes…")
        """
        if not allows(run.level, call.name):
            return Deny(f"The tool level {run.level!r} of this run has no {call.name!r}")
        if run.rejections.get(call.key(), 0) >= REJECTIONS_BEFORE_DENIAL:
            return Deny("A person rejected exactly this call twice; do something else or end the work")
        if (ruled := self._ruled(call, run)) is not None:
            return ruled
        if run.level == "trusted" or not (call.name in MUTATING if asks is None else asks):
            return Allow()
        return Ask(f"{call.name} {_effect(call.name)}, and this run asks before it does that")

    def _ruled(self, call: ToolCall, run: Asker) -> Decision | None:
        rules = self._rules()
        if not rules:
            return None
        from descartes_core.policy import conditions

        tool = {"name": call.name, "args": call.arguments, "arguments": call.arguments}
        found = conditions.matching(rules, {"tool": tool, "run": {**run.run, "level": run.level}})
        if found is None:
            return None
        rule, reason = found
        match rule.then:
            case "allow":
                # Who may write the rules could allow itself everything else.
                return None if _is_settings(call) else Allow()
            case "ask":
                return Ask(reason)
            case "deny":
                return Deny(f"{call.name} is not allowed here: {reason}")


def allows(level: ToolLevel, tool: str) -> bool:
    """Return whether a run of LEVEL has TOOL at all, asking or not."""
    match level:
        case "read-only":
            return tool in READING | TELLING
        case "lisp-developer":
            return tool in READING | TELLING | REMEMBERING | LISP | {"shell"}
        case "full" | "trusted":
            return True


def level_of_child(asked: str | None, parent: ToolLevel | None) -> ToolLevel:
    """Return the tool level of a run that is spawned with ASKED by a run of level PARENT, or by a person.

    Errors: `InvalidParams` for an unknown level; `PolicyDenied` when a run asks for more than it has.
    """
    default: ToolLevel = "full"
    if asked is None:
        return default if parent is None or LEVELS.index(parent) > LEVELS.index(default) else parent
    if asked not in LEVELS:
        raise InvalidParams(f"toolLevel must be one of {', '.join(LEVELS)}, not {asked!r}", toolLevel=asked)
    level = LEVELS[LEVELS.index(asked)]
    if parent is not None and LEVELS.index(level) > LEVELS.index(parent):
        raise PolicyDenied(
            f"A run of tool level {parent!r} cannot spawn one of {level!r}; ask for {parent!r} or less",
            toolLevel=asked,
        )
    return level


def _is_settings(call: ToolCall) -> bool:
    names = {PurePath(path).name for path in paths_of(call.arguments)}
    return call.name in MUTATING and not names.isdisjoint(SETTINGS_FILES)


def paths_of(arguments: Mapping[str, Any]) -> list[str]:
    """Return the files that a call with ARGUMENTS names, each once: its `path`, or those of its `edits`."""
    edits = arguments.get("edits")
    named = [arguments.get("path")]
    named += [each.get("path") for each in edits if isinstance(each, dict)] if isinstance(edits, list) else []
    return [*dict.fromkeys(path for path in named if isinstance(path, str))]


def _effect(tool: str) -> str:
    match tool:
        case "write" | "edit":
            return "changes a file"
        case "edit_files":
            return "changes several files"
        case "delete" | "move":
            return f"{tool}s a file"
        case "shell":
            return "runs a command"
        case _ if tool in LISP:
            return "changes the Lisp image"
        case _:
            return "is something its agent asks about"
