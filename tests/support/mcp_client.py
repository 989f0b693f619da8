"""A client of `descartes mcp`: the protocol's own library against the real process."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client

from support.until import answer_that


class Agent:
    """One connected client."""

    def __init__(self, session: ClientSession) -> None:
        self.session = session

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return what TOOL answers. It must not fail."""
        done = await self.session.call_tool(tool, arguments)
        assert not done.is_error, done.content
        found: dict[str, Any] = done.structured_content
        return found

    async def after_the_hub(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return what TOOL answers once the death of the hub was noticed; what was under way is lost."""
        done = await answer_that(
            lambda done: not (done.is_error and "hub_lost" in str(done.content)),
            lambda: self.session.call_tool(tool, arguments),
            "a hub again",
        )
        assert not done.is_error, done.content
        found: dict[str, Any] = done.structured_content
        return found

    async def refused(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return the error that TOOL answers with, and the sentence that a model sees as `text`."""
        done = await self.session.call_tool(tool, arguments)
        assert done.is_error, done.structured_content
        (content,) = done.content
        assert isinstance(content, types.TextContent)
        return {**done.structured_content["error"], "text": content.text}


def parameters(folder: Path, *words: str, **environment: str) -> StdioServerParameters:
    """Return how to start the program in FOLDER."""
    ours = {name: value for name, value in os.environ.items() if name.startswith("DESCARTES_")}
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "descartes_server", "mcp", *words],
        env={**ours, **environment},
        cwd=folder,
    )


@asynccontextmanager
async def agent(folder: Path, *words: str, name: str = "claude-code", **said: str) -> AsyncIterator[Agent]:
    """Connect a client that calls itself NAME; SAID is in its environment."""
    about = types.Implementation(name=name, version="1.0")
    async with (
        stdio_client(parameters(folder, *words, **said)) as (reading, writing),
        ClientSession(reading, writing, client_info=about) as session,
    ):
        await session.initialize()
        yield Agent(session)
