"""`descartes spawn`: start a run, and stay with it if wanted."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from descartes_server.cli import output
from descartes_server.cli.generated import common
from descartes_server.cli.secret import unlock
from descartes_server.cli.session import Session
from descartes_server.operations import registry

if TYPE_CHECKING:
    from descartes_server.hub.door import Door

LOOK_S = 1.0
"""How often a run is looked at when nothing is heard of it."""
SCRIPTED = "scripted:"
STREAMS = ("stdout", "stderr")


@click.command("spawn", epilog="Example: descartes spawn --task 'Run the tests' --wait -- make test")
@click.option("--task", help="What the run is to do; for a command by default the command.")
@click.option(
    "--backend", type=click.Choice(["model", "process", "acp"]), help="Default: by --model or COMMAND."
)
@click.option("--model", help="The model, such as scripted:FILE.")
@click.option("--agent", help="The agent's name; one of the settings' agents is started.")
@click.option("--tool-level", help="What it may do: read-only, lisp-developer, full or trusted.")
@click.option(
    "--file", "files", multiple=True, metavar="PATH", help="Lease this file for the run; repeatable."
)
@click.option("--session", help="Join this session, and share its whiteboard.")
@click.option("--secret", "secrets", multiple=True, metavar="NAME", help="Give it this secret; repeatable.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Tag its events; repeatable.")
@click.option("--fork", metavar="SESSION", help="Go on with a session made by `descartes session fork`.")
@click.option("--template", help="A file with the task in it, or its name; --task is ${task} there.")
@click.option("--value", "values", multiple=True, metavar="NAME=TEXT", help="Known as ${NAME} there.")
@click.option("--wait", is_flag=True, help="Show its output until it ends, and exit with its code.")
@click.option("--trust", is_flag=True, help="Trust the workspace from now on, without a question.")
@common
@click.argument("command", nargs=-1, metavar="[-- COMMAND ARG…]")
def spawn(
    as_json: bool, workspace: str | None, wait: bool, trust: bool, command: tuple[str, ...], **given: Any
) -> int:
    """Start a run: a model at work on a task, or a command. Prints its id."""
    session = Session(workspace)
    session.ask_for_trust(registry.lookup("run.spawn"), given=trust)
    params = _params(command, given)
    if given["secrets"]:
        unlock(session)
    run = session.run(lambda door: _spawn(door, params, wait=wait, as_json=as_json), notifications=wait)
    if as_json:
        output.print_json(run)
    elif not wait:
        click.echo(run["id"])
    return _status(run) if wait else 0


def _params(command: tuple[str, ...], given: dict[str, Any]) -> dict[str, Any]:
    # A command's `${…}` is its shell's.
    task = given["task"] or " ".join(command).replace("${", "$${")
    if not task and not given["fork"] and not given["template"]:
        raise click.UsageError("spawn needs --task, or a command behind --")
    model = given["model"]
    if model and model.startswith(SCRIPTED):
        model = SCRIPTED + str(Path.cwd() / model.removeprefix(SCRIPTED))
    params = {
        "task": task,
        "agent": given["agent"],
        "backend": given["backend"],
        "model": model,
        "toolLevel": given["tool_level"],
        "command": list(command) or None,
        "fork": given["fork"],
        "session": given["session"],
        "template": given["template"],
        "values": dict(_value(each) for each in given["values"]),
        "secrets": list(given["secrets"]),
        "tags": list(given["tags"]),
        "files": [str(Path.cwd() / file) for file in given["files"]],
    }
    return {key: value for key, value in params.items() if value not in (None, [], {})}


def _value(given: str) -> tuple[str, str]:
    name, sign, text = given.partition("=")
    if not sign or not name.isidentifier():
        raise click.UsageError(f"expected --value NAME=TEXT, got {given!r}")
    return name, text


async def _spawn(door: Door, params: dict[str, Any], *, wait: bool, as_json: bool) -> dict[str, Any]:
    heard = asyncio.Event()
    door.client.on_notification(
        lambda method, _: heard.set() if method.startswith("descartes/run/") else None
    )
    run = await door.call("run.spawn", params)
    if not wait:
        return run
    # A hub that dies meanwhile is replaced, and takes the run up again.
    door.client.stay()
    since = dict.fromkeys(STREAMS, 0)
    while True:
        heard.clear()
        run = await door.call("run.show", {"run": run["id"]})
        for stream in STREAMS:
            since[stream] = await _show_output(door, run["id"], stream, since[stream], to_error=as_json)
        if run["endedAt"]:
            return run
        try:
            await asyncio.wait_for(heard.wait(), LOOK_S)
        except TimeoutError:
            continue


async def _show_output(door: Door, run: str, stream: str, since: int, *, to_error: bool) -> int:
    """Print what RUN wrote on STREAM from SINCE on, and return how far that is."""
    file = sys.stderr if to_error or stream == "stderr" else sys.stdout
    while True:
        piece = await door.call("run.output", {"run": run, "stream": stream, "since": since})
        file.write(piece["text"])
        file.flush()
        since = piece["next"]
        if not piece["more"]:
            return since


def _status(run: dict[str, Any]) -> int:
    """Return the exit status for RUN: that of its command where it has one."""
    code = run.get("exitCode")
    if run["status"] != "completed" and run.get("reason"):
        click.echo(f"the run {run['status']}: {run['reason']}", err=True)
    if code is not None:
        return int(code) if 0 <= code < 256 else 1
    return 0 if run["status"] == "completed" else 1
