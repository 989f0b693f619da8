"""The tool that runs a command."""

from __future__ import annotations

from descartes_core.agents.tools.tool import ToolContext, tool
from descartes_core.errors import InvalidParams, TimedOut

DEFAULT_MS = 120_000
LONGEST_MS = 600_000


@tool(
    "Run COMMAND in a shell in the workspace and return its output and exit code."
    " SECRETS are names; COMMAND has their values in the variables of these names, and you never see them."
)
async def shell(
    context: ToolContext, command: str, timeout_ms: int = DEFAULT_MS, secrets: tuple[str, ...] = ()
) -> str:
    if not 0 < timeout_ms <= LONGEST_MS:
        raise InvalidParams(f"timeoutMs must be between 1 and {LONGEST_MS}, not {timeout_ms}")
    words = ["/bin/sh", "-c", command]
    result = await context.hands.run_command(words, timeout_ms / 1000, secrets)
    if result.timed_out:
        raise TimedOut(
            f"The command was ended after {timeout_ms} ms with all it had started; output: {result.output}",
            output=result.output,
        )
    return f"{result.output}\n({result.ended})" if result.output else f"({result.ended})"
