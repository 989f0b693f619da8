"""`descartes mcp`: one client of the Model Context Protocol on standard input and output.

The protocol's library is imported here alone. What a tool does is its operation's business; here a call
becomes one, and what comes of it an answer that a model can read.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Mapping
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from descartes_core.errors import DescartesError, TimedOut
from descartes_server import __version__
from descartes_server.mcp import answers, tools
from descartes_server.mcp.logs import log_to
from descartes_server.mcp.progress import Client, telling
from descartes_server.mcp.session import Session
from descartes_server.mcp.tools import Tool
from descartes_server.mcp.words import INSTRUCTIONS
from descartes_server.operations.workspace import Workspace

log = logging.getLogger(__name__)

WAITING: Mapping[str, Mapping[str, int]] = {
    "lisp.eval": {"timeoutMs": 30_000},
    "file.edit": {"waitMs": 50_000},
    "file.write": {"waitMs": 50_000},
}
"""How long a call waits unless the agent says: many clients give one up after a minute."""


class Desk:
    """What one client is served with: the tools OFFERED in the workspace PLACE."""

    def __init__(self, place: Workspace, offered: Mapping[str, Tool]) -> None:
        self.place = place
        self._offered = offered
        self._session: Session | None = None
        self._opening = asyncio.Lock()

    async def list_tools(self, context: Any, params: Any) -> types.ListToolsResult:
        """Answer `tools/list`."""
        return types.ListToolsResult(tools=[_shown(each) for each in self._offered.values()])

    async def call_tool(
        self, context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """Answer `tools/call`; whatever goes wrong is a sentence for the model."""
        try:
            tool = tools.find(self._offered, params.name)
            given = tools.params_of(tool, params.arguments or {}, self.place.root)
            session = await self._open(context)
            result = await self._perform(session, tool, given, context.session)
        except DescartesError as error:
            return _failed(error)
        except Exception:
            log.exception("the tool %s failed", params.name)
            where = str(self.place.log / "mcp.log")
            return _failed(
                DescartesError(f"{params.name} failed because of a mistake in Descartes; {where!r} has it")
            )
        short, text = answers.fitting(tool, result)
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=text)], structured_content=short
        )

    async def close(self) -> None:
        """Let go of the workspace."""
        if self._session is not None:
            await self._session.close()

    async def _perform(
        self, session: Session, tool: Tool, given: dict[str, Any], client: Client
    ) -> dict[str, Any]:
        name = tool.operation.name
        call = session.call(name, {**WAITING.get(name, {}), **given})
        if name == "lisp.testSystem":
            return await telling(client, session.listen, str(given.get("system")), call)
        try:
            return await call
        except TimedOut as error:
            if "evaluation" not in error.data:
                raise
            # It goes on, which is no failure: the agent is told its id, and how it stands.
            return await session.call("lisp.evaluation", {"id": error.data["evaluation"]})

    async def _open(self, context: ServerRequestContext[Any, Any]) -> Session:
        async with self._opening:
            if self._session is None:
                said = context.session.client_params
                name = said.client_info.name if said is not None else ""
                self._session = await Session.open(self.place, name)
            return self._session


def _shown(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        description=tools.spoken(tool.description),
        input_schema=tool.schema,
        annotations=types.ToolAnnotations(
            read_only_hint=tool.reads,
            destructive_hint=tool.destroys,
            open_world_hint=False,
        ),
    )


def _failed(error: DescartesError) -> types.CallToolResult:
    text = tools.spoken(f"{error.code}: {error.message}")
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)],
        structured_content={"error": error.as_json()},
        is_error=True,
    )


def serve(place: Workspace, offered: Mapping[str, Tool]) -> int:
    """Serve one client with the tools OFFERED in PLACE until it goes; returns the exit status."""
    log_to(place)
    # The thread that reads standard input can only be ended with the process.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    asyncio.run(_serve(Desk(place, offered)))
    return 0


async def _serve(desk: Desk) -> None:
    server: Server[Any] = Server(
        "descartes",
        version=__version__,
        title="Descartes",
        instructions=INSTRUCTIONS,
        on_list_tools=desk.list_tools,
        on_call_tool=desk.call_tool,
    )
    try:
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())
    finally:
        await desk.close()
