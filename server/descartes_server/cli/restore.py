"""`descartes restore`: a run's moment looked at, a question, four steps; undo and redo."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import click

from descartes_core.errors import RestoreConflict
from descartes_core.timetravel.shapes import NOUNS
from descartes_server.cli import output, restore_views
from descartes_server.cli.generated import add, common
from descartes_server.cli.session import Session
from descartes_server.cli.views import short_id
from descartes_server.operations import registry

if TYPE_CHECKING:
    from descartes_server.hub.door import Door

STEPS = 4


class Restore(click.Group):
    """The operations `restore.*`; what is no verb of theirs is the id of a run."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return "to", to, args


restore = Restore(
    "restore",
    help="Go back to a moment of a run: its files, its conversation, the image. A preview comes first.",
    epilog="Example: descartes restore 0f3c9a1b --to 2026-11-21T10:30:00Z --include-code",
)
for _operation in registry.of_resource("restore"):
    if _operation.verb not in ("undo", "redo"):
        add(restore, _operation)


@restore.command("to", hidden=True, epilog="Example: descartes restore 0f3c9a1b --to 9b81c0de --include-code")
@click.argument("run", metavar="ID")
@click.option(
    "--to", "moment", metavar="TIME|EVT", required=True, help="The moment: an ISO time or an event."
)
@click.option("--include-code", is_flag=True, help="Put the files back too.")
@click.option("--include-image", is_flag=True, help="Make the image anew as it was too.")
@click.option("--paths", multiple=True, metavar="PATH", help="Only these files or folders; repeatable.")
@click.option("--resume", is_flag=True, help="Have a new run go on from there.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--trust", is_flag=True, help="Trust the workspace from now on, without a question.")
@common
def to(
    as_json: bool,
    workspace: str | None,
    run: str,
    moment: str,
    include_code: bool,
    include_image: bool,
    paths: tuple[str, ...],
    resume: bool,
    dry_run: bool,
    yes: bool,
    trust: bool,
) -> int:
    """Go back to a moment of the run ID."""
    if paths and not include_code:
        raise click.UsageError("--paths chooses files; give --include-code with it")
    if not yes and not dry_run and not _on_terminal():
        raise click.UsageError("expected a terminal to ask on; give --yes, or --dry-run to look only")
    session = Session(workspace)
    session.ask_for_trust(registry.lookup("restore.preview"), given=trust)
    bodies = [*(["body"] if include_code else []), "brain", *(["image"] if include_image else [])]
    request = {"run": run, "to": moment, "bodies": bodies}
    if paths:
        request["paths"] = [from_root(session, path) for path in paths]
    preview = session.call("restore.preview", request)
    if dry_run or not as_json:
        _show(preview, as_json=as_json)
    if dry_run:
        return 1 if preview["missing"] or preview["refused"] else 0
    if preview["refused"]:
        raise RestoreConflict(f"Nothing was changed: {preview['refused']}")
    if not yes and not click.confirm(restore_views.question(preview), default=False, err=True):
        output.say("Nothing was changed.")
        return 1
    params = {**request, "confirm": preview["id"], "resume": resume}
    done = session.run(lambda door: _call(door, "restore.apply", params))
    status = _done(done, as_json=as_json)
    if done["resumed"]:
        run = short_id(done["resumed"])
        output.say(f"Run {run} is at work; `descartes history {run} --follow` shows what it does.")
    return 1 if resume and not done["resumed"] else status


def _turning(verb: str, back: str) -> Callable[[Callable[..., int]], click.Command]:
    """Return what makes the command VERB of a function; BACK is the one that takes it back."""

    def command(function: Callable[..., int]) -> click.Command:
        force = f"Also what was changed since, in files and in the image; {back} brings it back."
        named = click.Choice(list(NOUNS))
        options = (
            restore.command(verb, epilog=f"Example: descartes restore {verb}"),
            click.option("--force", is_flag=True, help=force),
            click.option(
                "--bodies", multiple=True, type=named, help="Only these of what it put back; repeatable."
            ),
            click.option(
                "--trust", is_flag=True, help="Trust the workspace from now on, without a question."
            ),
        )
        made: Any = common(function)
        for option in reversed(options):
            made = option(made)
        return cast("click.Command", made)

    return command


@_turning("undo", "redo")
def undo(as_json: bool, workspace: str | None, force: bool, bodies: tuple[str, ...], trust: bool) -> int:
    """Take the last restore back."""
    return _turn("undo", Session(workspace), _chosen(force, bodies), as_json=as_json, trust=trust)


@_turning("redo", "undo")
def redo(as_json: bool, workspace: str | None, force: bool, bodies: tuple[str, ...], trust: bool) -> int:
    """Do the restore again that was undone last."""
    return _turn("redo", Session(workspace), _chosen(force, bodies), as_json=as_json, trust=trust)


def _chosen(force: bool, bodies: tuple[str, ...]) -> dict[str, Any]:
    return {"force": force, **({"bodies": list(bodies)} if bodies else {})}


def _turn(verb: str, session: Session, params: dict[str, Any], *, as_json: bool, trust: bool) -> int:
    name = f"restore.{verb}"
    session.ask_for_trust(registry.lookup(name), given=trust)
    try:
        done = session.run(lambda door: _call(door, name, params))
    except RestoreConflict as refused:
        # A turn that was refused for what came since says so in its choices.
        if not refused.data.get("choices"):
            raise
        if as_json or not _on_terminal():
            ways = " or ".join(_flags(each["arguments"]) for each in refused.data["choices"])
            raise RestoreConflict(f"{refused.message}: {ways}", **refused.data) from refused
        output.say(f"{refused.message}.")
        if not click.confirm(f"{verb.capitalize()} all the same?", default=False, err=True):
            output.say("Nothing was changed.")
            return 1
        forced = {**params, "force": True}
        done = session.run(lambda door: _call(door, name, forced))
    return _done(done, as_json=as_json)


def _flags(arguments: Mapping[str, Any]) -> str:
    bodies = [f"--bodies {each}" for each in arguments.get("bodies", ())]
    return " ".join([*(["--force"] if arguments.get("force") else []), *bodies])


async def _call(door: Door, name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of the operation NAME, with a line for each of its steps as it is done."""
    await door.client.attach(start=True)
    printed: list[int] = []

    async def follow() -> None:
        async for event in door.client.events(types=["restore.step"]):
            _print_step(event["data"], printed)

    following = asyncio.create_task(follow())
    try:
        done = await door.call(name, params)
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
    for step in done["steps"]:
        _print_step(step, printed)
    return done


def _print_step(step: Mapping[str, Any], printed: list[int]) -> None:
    if step["number"] not in printed:
        printed.append(step["number"])
        output.say(f"{step['number']}/{STEPS} {step['step']:<9} {step['text']}")


def _done(restored: Mapping[str, Any], *, as_json: bool) -> int:
    if as_json:
        output.print_json(restored)
    for each in restored["missing"]:
        click.echo(f"{each['path']}: {each['reason']}", err=True)
    return 0 if restored["complete"] else 1


def _show(preview: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.print_json(preview)
        return
    for line in restore_views.head(preview):
        click.echo(line)
    if preview["files"]:
        output.show_rows(restore_views.FILES, preview["files"], "")
    for line in restore_views.tail(preview):
        click.echo(line, err=True)


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def from_root(session: Session, path: str) -> str:
    """Return PATH, given in the current folder, as seen from the workspace."""
    from pathlib import Path

    whole = Path.cwd() / path
    root = session.workspace.root
    # Without following the last link: it is the link that is meant.
    real = whole.parent.resolve() / whole.name
    return real.relative_to(root).as_posix() if real.is_relative_to(root) else path
