"""An agent that speaks the Agent Client Protocol and does what it is told to on its command line.

Run as `python acp_agent.py TURN…`, each a list of steps in JSON: `[["say", "text"], ["read", path], …]`.
What comes of a step that asks something is said as text, so that tests find it in the log.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import acp
from acp import schema
from acp.exceptions import RequestError

OPTIONS = [
    schema.PermissionOption(option_id=f"id-{kind}", name=name, kind=kind)  # type: ignore[arg-type]
    for kind, name in (
        ("allow_once", "Allow"),
        ("allow_always", "Always allow"),
        ("reject_once", "Reject"),
    )
]


class ScriptedAgent(acp.Agent):
    """Its turns are TURNS, one for each prompt; further prompts are answered with what they said."""

    def __init__(self, turns: list[list[list[Any]]]) -> None:
        self._turns = turns
        self._prompts = 0
        self._cancelled = asyncio.Event()

    def on_connect(self, conn: acp.Client) -> None:
        self.client = conn

    async def initialize(self, protocol_version: int, **other: Any) -> acp.InitializeResponse:
        self.abilities = other["client_capabilities"]
        return acp.InitializeResponse(
            protocol_version=int(os.environ.get("AGENT_VERSION", protocol_version)),
            agent_info=schema.Implementation(name="scripted", version="1.2"),
            auth_methods=[schema.AuthMethodAgent(id="key", name="Log in with a key")],
        )

    async def new_session(self, cwd: str, **other: Any) -> acp.NewSessionResponse:
        if os.environ.get("AGENT_UNKNOWN"):
            raise RequestError.auth_required()
        assert Path(cwd) == Path.cwd()
        self._servers = other["mcp_servers"]
        return acp.NewSessionResponse(session_id="s1")

    async def cancel(self, session_id: str, **other: Any) -> None:
        self._cancelled.set()

    async def prompt(self, prompt: list[Any], session_id: str, **other: Any) -> acp.PromptResponse:
        told = "|".join(each.text for each in prompt)
        self._reason = "end_turn"
        for name, *given in self._turns.pop(0) if self._turns else [["say", f"told: {told}"]]:
            try:
                await getattr(self, f"do_{name}")(*given)
            except RequestError as problem:
                await self.do_say(f"{name} refused: {problem.code} {problem} {json.dumps(problem.data)}")
        self._prompts += 1
        read, wrote = 100 * self._prompts, 7 * self._prompts
        used = schema.Usage(input_tokens=read, output_tokens=wrote, total_tokens=read + wrote)
        return acp.PromptResponse(stop_reason=self._reason, usage=used)  # type: ignore[arg-type]

    async def update(self, update: Any) -> None:
        await self.client.session_update("s1", update)

    async def do_say(self, text: str) -> None:
        for start in range(0, len(text), 5):
            await self.update(acp.update_agent_message_text(text[start : start + 5]))

    async def do_think(self, text: str) -> None:
        await self.update(acp.update_agent_thought_text(text))

    async def do_plan(self, *entries: str) -> None:
        made = [schema.PlanEntry(content=each, priority="medium", status="pending") for each in entries]
        await self.update(schema.AgentPlanUpdate(session_update="plan", entries=made))

    async def do_call(self, id_: str, kind: str, title: str, *paths: str, **more: Any) -> None:
        await self.update(
            acp.start_tool_call(
                id_,
                title,
                kind=kind,  # type: ignore[arg-type]
                status="pending",
                locations=[schema.ToolCallLocation(path=str(Path(each).absolute())) for each in paths],
            )
        )

    async def do_done(self, id_: str, text: str, status: str = "completed") -> None:
        content = [acp.tool_content(acp.text_block(text))]
        await self.update(acp.update_tool_call(id_, status=status, content=content))  # type: ignore[arg-type]

    async def do_permit(
        self, id_: str, kind: str, title: str, path: str | None = None, new: str = ""
    ) -> None:
        diffs = [acp.tool_diff_content(str(Path(path).absolute()), new)] if path else None
        call = schema.ToolCallUpdate(tool_call_id=id_, kind=kind, title=title, content=diffs)  # type: ignore[arg-type]
        answer = await self.client.request_permission("s1", call, OPTIONS)
        outcome = answer.outcome
        await self.do_say(f"permit: {getattr(outcome, 'option_id', outcome.outcome)}")

    async def do_command(self, id_: str, command: str) -> None:
        call = schema.ToolCallUpdate(
            tool_call_id=id_, kind="execute", title=f"`{command}`", raw_input={"command": command}
        )
        answer = await self.client.request_permission("s1", call, OPTIONS)
        outcome = answer.outcome
        await self.do_say(f"command: {getattr(outcome, 'option_id', outcome.outcome)}")

    async def do_read(self, path: str, line: int | None = None, limit: int | None = None) -> None:
        found = await self.client.read_text_file("s1", str(Path(path).absolute()), line, limit)
        await self.do_say(f"read: {found.content}")

    async def do_write(self, path: str, content: str) -> None:
        await self.client.write_text_file("s1", str(Path(path).absolute()), content)
        await self.do_say(f"wrote {path}")

    async def do_servers(self) -> None:
        """Start the servers of tools that it was told of and say what each calls itself."""
        for server in self._servers:
            process = await asyncio.create_subprocess_exec(
                server.command,
                *server.args,
                env={each.name: each.value for each in server.env},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            about = {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "x", "version": "1"},
            }
            asked = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about}
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            answer = json.loads(await process.stdout.readline())
            process.stdin.close()
            await process.wait()
            await self.do_say(f"{server.name}: {answer['result']['serverInfo']['name']}")

    async def do_terminal(self) -> None:
        await self.client.create_terminal("s1", "true")

    async def do_wait(self) -> None:
        await self._cancelled.wait()
        self._reason = "cancelled"

    async def do_stop(self, reason: str) -> None:
        self._reason = reason

    async def do_print(self, text: str) -> None:
        print(text, flush=True)

    async def do_die(self, code: int) -> None:
        print("I give up", file=sys.stderr, flush=True)
        os._exit(code)


if __name__ == "__main__":
    asyncio.run(acp.run_agent(ScriptedAgent([json.loads(turn) for turn in sys.argv[1:]])))
