"""The operations `run.*`: agents and commands at work, started, watched and steered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from descartes_core.config.table import AgentSettings, ProviderSettings
from descartes_core.errors import InvalidParams
from descartes_core.model import Run, Shape
from descartes_core.runs import RunView, SpawnRequest, read_output
from descartes_core.runs.output import RunOutput
from descartes_server.operations import tasks
from descartes_server.operations.context import Context
from descartes_server.operations.registry import Params, operation


class SpawnParams(Params, frozen=True, kw_only=True):
    """TASK for AGENT: a MODEL at work, or the words of a COMMAND; FILES are leased at the start.
    SECRETS are names.

    FORK is a session made by `session.fork`: the run goes on with its conversation, TASK is what it is told
    there, and what is left out is as it was. SESSION: the one that it joins, whose whiteboard it shares.

    TASK may hold `${…}`, such as `${git.branch}`; with TEMPLATE, a file or its name, it is `${task}` there,
    beside VALUES under names of their own. MODEL may be the name of a provider of the settings, AGENT that
    of one of its agents, which is started then. BACKEND: model, process or acp, by default what fits.
    """

    task: str = ""
    agent: str | None = None
    backend: str | None = None
    model: str | None = None
    tool_level: str | None = None
    command: list[str] | None = None
    files: list[str] = []
    secrets: list[str] = []
    tags: list[str] = []
    fork: str | None = None
    session: str | None = None
    template: str | None = None
    values: dict[str, Any] = {}


class ListParams(Params, frozen=True, kw_only=True):
    """STATUS: one of the eight, or `active` for every run that has not ended."""

    status: str | None = None
    limit: int = 100


class RunParams(Params, frozen=True, kw_only=True):
    """The id of a run, or its beginning."""

    run: str


class PauseParams(RunParams, frozen=True, kw_only=True):
    """FORCE: at once, by stopping its processes, instead of after its step."""

    force: bool = False


class SendParams(RunParams, frozen=True, kw_only=True):
    """TEXT for the run: a message, or a process's standard input."""

    text: str


class OutputParams(RunParams, frozen=True, kw_only=True):
    """STREAM is stdout or stderr; SINCE is the `next` of the piece before."""

    stream: str = "stdout"
    since: int = 0


class Runs(Shape, frozen=True, kw_only=True):
    """Runs, newest first."""

    runs: list[Run]


@operation("run.spawn", kind="effect", needs_trust=True, for_agents=True, positional=("task",))
async def spawn(context: Context, params: SpawnParams) -> Run:
    """Begin a run; answers when it has begun."""
    task = await tasks.rendered(
        context,
        params.task,
        template=params.template,
        values=params.values,
        agent=params.agent,
        files=params.files,
    )
    provider = context.settings().providers.get(params.model or "")
    request = SpawnRequest(
        task=task,
        agent=params.agent,
        backend=params.backend,
        model=_model_of(params.model or "", provider) if provider else params.model,
        tool_level=params.tool_level,
        command=params.command,
        files=params.files,
        secrets=params.secrets,
        tags=params.tags,
        fork=params.fork,
        session=params.session,
    )
    request = _with_agent(request, context.settings().agents)
    caller = context.caller
    return await context.services.runs.spawn(
        request, by=caller.principal, environment=caller.environment or None
    )


def _with_agent(request: SpawnRequest, agents: Mapping[str, AgentSettings]) -> SpawnRequest:
    """Return REQUEST with the command that its agent has among AGENTS, those of the settings."""
    if request.command or request.model or request.fork or request.backend not in (None, "acp"):
        return request
    found = agents.get(request.agent or "")
    if found is not None and found.command:
        return msgspec.structs.replace(request, backend="acp", command=found.command)
    if request.backend is None:
        return request
    known = f"the settings have {', '.join(sorted(agents))}" if agents else "the settings have none"
    raise InvalidParams(
        "a run of the backend acp needs the command of its agent, or the name of one of the settings:"
        f" {known}; see `descartes spawn --help`"
    )


def _model_of(name: str, provider: ProviderSettings) -> str:
    if not provider.enabled or provider.model is None:
        what = "is switched off" if not provider.enabled else "names no model"
        raise InvalidParams(f"the provider {name!r} {what} in the settings; see `descartes config show`")
    return provider.model


@operation("run.list", kind="read", for_agents=True)
async def list_(context: Context, params: ListParams) -> Runs:
    """List runs, newest first."""
    return Runs(runs=list(await _view(context).list(params.status, params.limit)))


@operation("run.show", kind="read", for_agents=True, positional=("run",))
async def show(context: Context, params: RunParams) -> Run:
    """Show one run."""
    return await _view(context).show(params.run)


@operation("run.output", kind="read", for_agents=True, positional=("run",))
async def output(context: Context, params: OutputParams) -> RunOutput:
    """Show what a run printed."""
    run = await _view(context).show(params.run)
    return await read_output(
        context.services.workspace.state,
        run.id,
        params.stream,
        params.since,
        context.settings().performance.stream_buffer_size,
    )


@operation("run.pause", kind="effect", for_agents=True, positional=("run",))
async def pause(context: Context, params: PauseParams) -> Run:
    """Pause a run after its step; by force at once, if it is a command that can be stopped where it is."""
    return await context.services.runs.pause(params.run, by=context.caller.principal, force=params.force)


@operation("run.resume", kind="effect", for_agents=True, positional=("run",))
async def resume(context: Context, params: RunParams) -> Run:
    """Let a paused run go on."""
    return await context.services.runs.resume(params.run, by=context.caller.principal)


@operation("run.stop", kind="effect", for_agents=True, positional=("run",))
async def stop(context: Context, params: PauseParams) -> Run:
    """End a run politely; with force, at once."""
    if params.force:
        return await context.services.runs.kill(params.run, by=context.caller.principal)
    return await context.services.runs.stop(params.run, by=context.caller.principal)


@operation("run.kill", kind="effect", for_agents=True, positional=("run",))
async def kill(context: Context, params: RunParams) -> Run:
    """End a run and all its processes at once."""
    return await context.services.runs.kill(params.run, by=context.caller.principal)


@operation("run.send", kind="effect", for_agents=True, positional=("run", "text"))
async def send(context: Context, params: SendParams) -> Run:
    """Give a run a message, or a process a line of input."""
    return await context.services.runs.send(params.run, params.text, by=context.caller.principal)


def _view(context: Context) -> RunView:
    return RunView(context.services.reader, context.services.clock)
