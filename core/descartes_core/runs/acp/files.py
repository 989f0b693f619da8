"""The files that an agent reads and writes through Descartes: the tools `read` and `write` of our own runs.

The same policy, leases, questions and snapshots, by the same executor; only the answer is the agent's.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

from descartes_core.agents.conversation import Step
from descartes_core.agents.executor import ToolExecutor
from descartes_core.agents.tools import files as tools
from descartes_core.agents.tools import paths, texts
from descartes_core.agents.tools.tool import Tool, ToolContext
from descartes_core.errors import DescartesError, LeaseLost, PolicyDenied
from descartes_core.policy.rules import ToolCall
from descartes_core.runs.acp.calls import AgentCall, real_path, relative
from descartes_core.runs.acp.narrator import Narrator
from descartes_core.runs.acp.standing import Standing

_read: ContextVar[list[str]] = ContextVar("_read")
"""What the call in this context has read, exactly: the log's copy is cut and masked."""


class Files:
    """The files of the WORKSPACE as the agent of one run has them."""

    def __init__(
        self,
        workspace: Path,
        standing: Standing,
        narrator: Narrator,
        executor: Callable[[Mapping[str, Tool]], ToolExecutor],
    ) -> None:
        self._workspace = workspace
        self._standing = standing
        self._narrator = narrator
        self._executor = executor({"read": READ, "write": tools.write})
        self._numbers = itertools.count(1)

    async def read(self, path: str, line: int | None, limit: int | None) -> str:
        """Return LIMIT lines of the file PATH from LINE (from 1) on, as it is on disk.

        Errors: `NotFound`, `PolicyDenied`, `InvalidParams`.
        """
        arguments: dict[str, Any] = {"path": relative(self._workspace, path)}
        if line is not None:
            arguments["offset"] = max(1, line)
        if limit is not None:
            arguments["limit"] = limit
        found: list[str] = []
        _read.set(found)
        answer = await self._do("read", arguments, (await self._around(path))[1])
        return found[0] if found else answer

    async def write(self, path: str, content: str) -> None:
        """Write CONTENT to the file PATH, asked about first unless it is what a person was just shown.

        Errors: `LeaseHeld`, `LeaseLost`, `PolicyDenied`, `InvalidParams`.
        """
        call, parent = await self._around(path)
        granted = call is not None and call.allowed and call.shows(self._workspace / path, content)
        arguments = {"path": relative(self._workspace, path), "content": content}
        answer = await self._do("write", arguments, parent, granted=granted)
        if not answer.startswith("wrote "):
            raise PolicyDenied(f"This was not written; a person says instead: {answer}")

    async def _around(self, path: str) -> tuple[AgentCall | None, str | None]:
        """Return the agent's call that is about the file PATH, and the event that using it follows from."""
        real = await asyncio.to_thread(real_path, self._workspace, path)
        call = None if real is None else self._narrator.around(real)
        return call, self._narrator.parent if call is None else call.started

    async def _do(
        self, tool: str, arguments: dict[str, Any], parent: str | None, *, granted: bool = False
    ) -> str:
        call = ToolCall(id=f"fs_{next(self._numbers)}", name=tool, arguments=arguments)
        await self._standing.opened(call.id)
        try:
            done = await self._executor.execute(Step(call, parent or ""), granted=granted)
        except LeaseLost as lost:
            # It is told, and goes on or not: what it had not written stays unwritten.
            done = lost
        finally:
            await self._standing.closed(call.id)
        if isinstance(done, DescartesError):
            raise done
        return done


async def _exactly(context: ToolContext, path: str, offset: int = 1, limit: int | None = None) -> str:
    found = paths.readable(context.workspace, path)
    if found.is_dir():
        raise PolicyDenied(f"{path!r} is a folder; give the path of a file", path=path)
    text = texts.decode(await asyncio.to_thread(found.read_bytes), path).content
    exact = tools.lines_of(text, offset, limit)
    _read.get().append(exact)
    return tools.cut(exact)


READ = replace(tools.read, function=_exactly)
