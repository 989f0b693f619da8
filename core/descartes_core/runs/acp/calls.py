"""The calls that an agent makes with its own tools, as it tells of them: put together from its updates."""

from __future__ import annotations

import difflib
import json
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acp import schema

from descartes_core.policy.rules import ToolCall

NAMES = {"execute": "shell"}
"""What our rules call what the protocol calls otherwise; all other kinds have the same name."""
CHANGING = frozenset({"edit", "delete", "move", "shell", "other"})
"""What may change files, so that they are kept before it. `other` is whatever a server of tools does."""
LONGEST_ID = 100
SHOWN_CHARACTERS = 65_536
SHOWN_DIFF_LINES = 60

Told = schema.ToolCall | schema.ToolCallUpdate


@dataclass
class AgentCall:
    """One call. Its fields are what the agent last said of it."""

    id: str
    workspace: Path
    title: str = ""
    kind: str = "other"
    status: str = "pending"
    content: Sequence[Any] = ()
    locations: Sequence[str] = ()
    input: Any = None
    output: Any = None
    started: str | None = None
    """The event `tool.started`, once it is in the log."""
    allowed: bool = False
    """Whether it was asked about and allowed."""
    kept: bool = False
    """Whether the files were kept before it."""
    began: float = field(default_factory=time.monotonic)

    def take(self, told: Told) -> None:
        """Put what the agent tells now in place of what it told before."""
        self.title = told.title or self.title
        self.kind = told.kind or self.kind
        self.status = told.status or self.status
        self.content = self.content if told.content is None else told.content
        if told.locations is not None:
            self.locations = [each.path for each in told.locations]
        self.input = self.input if told.raw_input is None else told.raw_input
        self.output = self.output if told.raw_output is None else told.raw_output

    @property
    def name(self) -> str:
        """The call's tool, as the rules of the settings name it."""
        return NAMES.get(self.kind, self.kind)

    @property
    def ended(self) -> bool:
        """Whether the agent said how it ended."""
        return self.status in ("completed", "failed")

    @property
    def changes(self) -> bool:
        """Whether it may change files."""
        return self.name in CHANGING

    @property
    def diffs(self) -> list[schema.FileEditToolCallContent]:
        """What it changes, as far as the agent shows it."""
        return [each for each in self.content if isinstance(each, schema.FileEditToolCallContent)]

    @property
    def paths(self) -> list[str]:
        """The files it is about, as the agent names them."""
        return list(dict.fromkeys([*(each.path for each in self.diffs), *self.locations, *self._named()]))

    @property
    def command(self) -> str | None:
        """The command that it runs, None where none is told."""
        words = self.input.get("command") if isinstance(self.input, dict) else None
        if isinstance(words, list):
            return shlex.join(str(word) for word in words)
        return words if isinstance(words, str) else None

    def call(self) -> ToolCall:
        """Return it as the policy and the log see calls: `path` and `command` are named as those of our
        own tools, so that one rule speaks of both."""
        paths = [relative(self.workspace, path) for path in self.paths]
        arguments: dict[str, Any] = {"title": self.title}
        if paths:
            arguments["path"] = paths[0]
        if len(paths) > 1:
            arguments["paths"] = paths
        if self.command is not None:
            arguments["command"] = self.command
        if self.input not in (None, {}, []):
            arguments["input"] = self.input
        return ToolCall(id=self.id[:LONGEST_ID], name=self.name, arguments=arguments)

    def result(self) -> str:
        """Return what the call brought, as text."""
        text = "\n".join(filter(None, (_text(each) for each in self.content)))
        if not text and self.output is not None:
            text = self.output if isinstance(self.output, str) else _json(self.output)
        return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"

    def shown(self) -> str:
        """Return what a person reads before they allow it: what it runs, reads or changes."""
        about = [f"command: {self.command}"] if self.command else []
        about += [f"path: {relative(self.workspace, path)}" for path in self.paths]
        changes = ["\n".join(_diff(each)) for each in self.diffs]
        if not changes and not self.command and self.input not in (None, {}, []):
            about.append(f"input: {_json(self.input)[:2000]}")
        return "\n".join([self.title, *about, *changes])

    def concerns(self, path: Path) -> bool:
        """Return whether the call is about the file PATH, a real path."""
        return any(real_path(self.workspace, each) == path for each in self.paths)

    def shows(self, path: Path, content: str) -> bool:
        """Return whether CONTENT has what the call shows to become of the file PATH, if it shows anything."""
        shown = [each for each in self.diffs if real_path(self.workspace, each.path) == path]
        return all(each.new_text in content for each in shown)

    def _named(self) -> Iterator[str]:
        if isinstance(self.input, dict):
            for key in ("file_path", "path", "abs_path"):
                if isinstance(self.input.get(key), str):
                    yield self.input[key]


def relative(workspace: Path, path: str) -> str:
    """Return PATH as seen from WORKSPACE when it lies there, else as it is."""
    given = Path(path)
    return given.relative_to(workspace).as_posix() if given.is_relative_to(workspace) else path


def real_path(workspace: Path, path: str) -> Path | None:
    """Return the real path that PATH means in WORKSPACE, None when it is none that can be followed."""
    try:
        return (workspace / path).resolve()
    except (OSError, RuntimeError, ValueError):
        return None


def _text(content: Any) -> str:
    if isinstance(content, schema.FileEditToolCallContent):
        return "\n".join(_diff(content))
    if isinstance(content, schema.ContentToolCallContent):
        return text_of(content.content)
    return ""


def text_of(block: Any) -> str:
    """Return the text of a content BLOCK; what is no text is named in brackets."""
    if isinstance(block, schema.TextContentBlock):
        return block.text
    if isinstance(block, schema.ResourceContentBlock):
        return f"[{block.uri}]"
    return f"[{getattr(block, 'type', 'content')}]"


def _diff(change: schema.FileEditToolCallContent) -> list[str]:
    old, new = (change.old_text or "").splitlines(), change.new_text.splitlines()
    lines = list(difflib.unified_diff(old, new, lineterm="", n=2))[2:]
    if len(lines) <= SHOWN_DIFF_LINES:
        return lines
    return [*lines[:SHOWN_DIFF_LINES], f"… ({len(lines) - SHOWN_DIFF_LINES} more lines)"]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
