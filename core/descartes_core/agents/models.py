"""What the loop needs from a model, and the one model that needs no network: a script.

A model sees messages and answers one turn. It knows no run, no log and no policy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from descartes_core.errors import InvalidParams
from descartes_core.model import Shape, Usage
from descartes_core.policy.rules import ToolCall

SCRIPTED = "scripted:"


class Message(Shape, frozen=True):
    """One message of a conversation, as a model is shown it."""

    role: Literal["user", "assistant", "tool"]
    content: str
    tool_calls: list[ToolCall] = []
    """What an assistant asked for."""
    call: str | None = None
    """The call that a message of role `tool` answers."""
    failed: bool = False


class ToolRequest(Shape, frozen=True, forbid_unknown_fields=True):
    """A tool that a turn asks for; the loop gives it an id."""

    name: str
    arguments: dict[str, Any]


class Turn(Shape, frozen=True):
    """One answer of a model."""

    text: str = ""
    thought: str = ""
    tool_calls: list[ToolRequest] = []
    usage: Usage = Usage()


class Model(Protocol):
    """Anything that can go on with a conversation."""

    async def answer(self, messages: Sequence[Message]) -> Turn | None:
        """Return the next turn after MESSAGES, None when there is nothing more to say.

        Cancelling it has no effect but that no answer comes: a turn that was not recorded is asked again.
        """
        ...


class ScriptedTurn(Shape, frozen=True, forbid_unknown_fields=True):
    """One line of a script: `{text?, thinking?, toolCalls?: [{name, arguments}], delayMs?}`."""

    text: str = ""
    thinking: str = ""
    thought: str = ""
    """The same as `thinking`, in older scripts."""
    tool_calls: list[ToolRequest] = []
    delay_ms: int = 0


class ScriptedModel:
    """A model whose turns are the lines of a file: it says them in order, whatever it is told.

    Example: {"text": "I look first.", "toolCalls": [{"name": "read", "arguments": {"path": "a.lisp"}}]}
    """

    def __init__(self, turns: Sequence[ScriptedTurn]) -> None:
        self._turns = turns

    async def answer(self, messages: Sequence[Message]) -> Turn | None:
        """Return the line that follows as many as MESSAGES has answers of an assistant."""
        number = sum(message.role == "assistant" for message in messages)
        if number >= len(self._turns):
            return None
        line = self._turns[number]
        await asyncio.sleep(line.delay_ms / 1000)
        return Turn(text=line.text, thought=line.thinking or line.thought, tool_calls=line.tool_calls)


def open_model(name: str, workspace: Path) -> Model:
    """Return the model NAME, `scripted:PATH` with a path seen from WORKSPACE.

    Errors: `InvalidParams` for another name, a file that cannot be read, or the first wrong line of it.
    """
    if not name.startswith(SCRIPTED):
        raise InvalidParams(
            f"The model must be scripted:PATH, a file of JSON lines, not {name!r}", model=name
        )
    path = name.removeprefix(SCRIPTED)
    try:
        text = (workspace / path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise InvalidParams(f"The script {path!r} cannot be read: {problem}", model=name) from None
    return ScriptedModel(parse_script(text, path))


def parse_script(text: str, path: str) -> list[ScriptedTurn]:
    """Return the turns in TEXT, one for each line that is not blank; PATH is named in errors."""
    lines = enumerate(text.split("\n"), start=1)  # not splitlines: a JSON string may hold U+2028 as it is
    return [_parse_line(line, f"{path}:{number}") for number, line in lines if line.strip()]


def _parse_line(line: str, place: str) -> ScriptedTurn:
    try:
        turn = msgspec.json.decode(line, type=ScriptedTurn)
    except msgspec.DecodeError as problem:
        raise InvalidParams(
            f"{place}: expected {{text?, thinking?, toolCalls?: [{{name, arguments}}], delayMs?}} as JSON:"
            f" {problem}"
        ) from None
    if turn.delay_ms < 0:
        raise InvalidParams(f"{place}: delayMs must be 0 or more, not {turn.delay_ms}")
    return turn
