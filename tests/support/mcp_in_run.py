"""A program that a run starts: it asks `descartes mcp` to write a file, and prints what came of it."""

from __future__ import annotations

import os
from pathlib import Path

from support.mcp_client import agent


async def main() -> None:
    async with agent(Path.cwd(), DESCARTES_HOLDER="agent:somebody", **os.environ) as other:
        done = await other.session.call_tool("file_write", {"path": "child.txt", "content": "mine"})
        print(done.content[0].text)  # type: ignore[union-attr]
