"""`AgentStateSnapshot`: the state of an agent at one moment, which nobody can change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Literal

from descartes_core.errors import InvalidParams
from descartes_core.trace.errors import ValidationFailed
from descartes_core.trace.values import copy_json

TodoStatus = Literal["pending", "in_progress", "completed"]
_STATUSES = ("pending", "in_progress", "completed")


@dataclass(frozen=True)
class TodoItem:
    """Something that an agent means to do."""

    content: str
    status: TodoStatus = "pending"

    def __post_init__(self) -> None:
        if not isinstance(self.content, str) or self.status not in _STATUSES:
            raise InvalidParams(
                f"Expected a text and one of {', '.join(_STATUSES)}, got {self.content!r:.60} and"
                f" {self.status!r:.60}; correct the todo"
            )


@dataclass(frozen=True, eq=False)
class AgentInterrupt:
    """A call of a tool that waits for a person; CALL_ID tells it from others."""

    tool_name: str
    tool_args: Mapping[str, Any]
    call_id: str
    policy_note: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "tool_args", _frozen_object(self.tool_args, "tool_args"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AgentInterrupt) and _plain(self) == _plain(other)

    def __hash__(self) -> int:
        return hash(self.call_id)


@dataclass(frozen=True, eq=False)
class AgentStateSnapshot:
    """What an agent has to do, the files it made up, its scratchpad, and what it waits for.

    FILES and SCRATCHPAD are sorted by key, so that the same state is always the same text. Equal snapshots
    have equal digests, on every machine and in every run.
    Errors: `InvalidParams` for what is no JSON.
    """

    todos: Sequence[TodoItem] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    scratchpad: Mapping[str, Any] = field(default_factory=dict)
    pending_interrupts: Sequence[AgentInterrupt] = ()

    def __post_init__(self) -> None:
        for name, value in {
            "todos": tuple(self.todos),
            "files": _frozen_object(self.files, "files"),
            "scratchpad": _frozen_object(self.scratchpad, "scratchpad"),
            "pending_interrupts": tuple(self.pending_interrupts),
        }.items():
            object.__setattr__(self, name, value)
        if not all(isinstance(text, str) for text in self.files.values()):
            raise InvalidParams("Expected text as the content of every file, got something else; decode it")

    def merge(self, other: AgentStateSnapshot) -> AgentStateSnapshot:
        """Return this state with OTHER, the later one, over it.

        Files and scratchpad are united, todos replaced when OTHER has any, and interrupts kept by call id.
        """
        interrupts = {each.call_id: each for each in (*self.pending_interrupts, *other.pending_interrupts)}
        return AgentStateSnapshot(
            todos=other.todos or self.todos,
            files={**self.files, **other.files},
            scratchpad={**self.scratchpad, **other.scratchpad},
            pending_interrupts=tuple(interrupts.values()),
        )

    def to_json(self) -> str:
        """Return the state as JSON, the same text for the same state."""
        return json.dumps(_plain(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> AgentStateSnapshot:
        """Return the state that TEXT was made from. Errors: `InvalidParams` when it is none."""
        try:
            told = json.loads(text)
            return cls(
                todos=[TodoItem(**each) for each in told["todos"]],
                files=told["files"],
                scratchpad=told["scratchpad"],
                pending_interrupts=[AgentInterrupt(**each) for each in told["pending_interrupts"]],
            )
        except (ValueError, KeyError, TypeError, RecursionError):
            raise InvalidParams(
                f"Expected the JSON of an agent's state, got {text[:80]!r}; it was made by another program"
            ) from None

    @property
    def digest(self) -> str:
        """The SHA-256 of the state."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AgentStateSnapshot) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.digest)


def _frozen_object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidParams(f"Expected an object as {what}, got {value!r:.60}; give a mapping")
    try:
        copy = copy_json(_plain(value), what)
    except ValidationFailed as error:
        raise InvalidParams(error.message) from None
    frozen: Mapping[str, Any] = _frozen(copy)
    return frozen


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({key: _frozen(value[key]) for key in sorted(value)})
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """Return VALUE, frozen or not, as JSON has it."""
    if isinstance(value, TodoItem | AgentInterrupt | AgentStateSnapshot):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
