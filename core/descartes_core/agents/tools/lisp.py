"""The tools that use the live image. What they say about a stop is all an agent needs to leave it."""

from __future__ import annotations

from descartes_core.agents.tools import paths
from descartes_core.agents.tools.tool import ToolContext, tool
from descartes_core.errors import InvalidParams, LispNotRunning
from descartes_core.ports import LispPort, LispResult


@tool("Evaluate the Lisp form CODE in the live image and return its values and output.")
async def lisp_eval(context: ToolContext, code: str, package: str | None = None) -> str:
    return describe(
        await _lisp(context).evaluate(code, run=context.run, package=package, cause=context.cause)
    )


@tool("Compile and load the top-level definition of NAME in the file PATH, as it is on disk.")
async def lisp_compile(context: ToolContext, path: str, name: str) -> str:
    found = paths.readable(context.workspace, path)
    return describe(
        await _lisp(context).compile_definition(str(found), name, run=context.run, cause=context.cause)
    )


@tool("Return a description of the value of EXPRESSION and of its parts.")
async def lisp_inspect(context: ToolContext, expression: str) -> str:
    return await _lisp(context).inspect(expression, run=context.run)


@tool("Leave the stop (THREAD, LEVEL) by the restart NAME or INDEX, with ARGUMENTS, which are Lisp forms.")
async def lisp_restart(
    context: ToolContext,
    thread: int,
    level: int,
    name: str | None = None,
    index: int | None = None,
    arguments: list[str] | None = None,
) -> str:
    if name is None and index is None:
        raise InvalidParams("lisp_restart takes the name or the index of a restart, and got neither")
    result = await _lisp(context).restart(
        thread, level, run=context.run, name=name, index=index, arguments=arguments or ()
    )
    return describe(result)


def describe(result: LispResult) -> str:
    """Return RESULT as text: output, values and notes, or the condition with every way out of it."""
    parts = [result.output.rstrip("\n")] if result.output else []
    parts += [f"=> {value}" for value in result.values]
    parts += [f"{note.get('severity', 'note')}: {note.get('message', '')}" for note in result.notes]
    if result.state == "stopped":
        parts.append(
            f"stopped in the debugger, thread {result.thread} level {result.level}: {result.condition}"
        )
        parts += [f"  {each.index}: {each.name} - {each.description}" for each in result.restarts]
        parts.append("leave it with lisp_restart")
    elif result.state != "done":
        parts.append(f"{result.state}: {result.condition}" if result.condition else result.state)
    elif result.success is not None:
        parts.append("compiled" if result.success else "compilation failed")
    return "\n".join(parts) or "; no values"


def _lisp(context: ToolContext) -> LispPort:
    if context.lisp is None:
        raise LispNotRunning("No Lisp is attached to this workspace; start one with descartes lisp start")
    return context.lisp
