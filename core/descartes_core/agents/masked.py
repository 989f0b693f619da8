"""Keeps what was masked in the log from being written over the real thing.

A model is shown what the log has, with `‹email›` in place of an address. A file, a command or an evaluation
with such a mark in it would not be what anybody meant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from descartes_core.agents.tools import WRITING, texts
from descartes_core.agents.tools.paths import writable
from descartes_core.errors import InvalidParams
from descartes_core.policy.rules import MUTATING, ToolCall, paths_of
from descartes_core.store.redaction import MARK


async def check_unmasked(workspace: Path, call: ToolCall) -> None:
    """Raise `InvalidParams` when CALL changes something and has a mark that stands for something masked.

    A mark that the file has already is no such mark: it is text.
    """
    if call.name not in MUTATING:
        return
    marks = {mark for text in _texts(call.arguments) for mark in MARK.findall(text)}
    if not marks:
        return
    if call.name in WRITING:
        for path in paths_of(call.arguments):
            marks -= await asyncio.to_thread(_marks_in, writable(workspace, path))
    if marks:
        raise InvalidParams(
            f"{', '.join(sorted(marks))} stands for something that was masked and is not known here;"
            " leave that part as it is, by an edit around it or a command that keeps it"
        )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _marks_in(file: Path) -> set[str]:
    try:
        return set(MARK.findall(texts.decode(file.read_bytes(), file.name).content))
    except (OSError, InvalidParams):
        return set()
