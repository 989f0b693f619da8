"""`descartes history`: what a run did, one event, the whole log, and what comes next."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from descartes_server.cli import output, views
from descartes_server.cli.generated import add, common
from descartes_server.cli.session import Session
from descartes_server.operations import registry

FOLLOW_S = 0.1
PAGE = 1000


class History(click.Group):
    """The operations `history.*`; what is no verb of theirs is the id of a run."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return "of", of, args

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Without a verb the options that follow are those of the listing, not of this group.
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["of", *args]
        return super().parse_args(ctx, args)


history = History(
    "history",
    help="Show what happened, newest first. With the id of a run: what that run did.",
    epilog="Example: descartes history 0f3c9a1b --type tool",
)
for _operation in registry.of_resource("history"):
    if _operation.verb not in ("subscribe", "export"):
        add(history, _operation)


@history.command("export", epilog="Example: descartes history export --format seed > history.jsonl")
@click.argument("run", required=False, metavar="[ID]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "seed"]),
    default="jsonl",
    help="The names that the log publishes, or those of the specification.",
)
@click.option("--session", metavar="ID", help="Of this session only.")
@click.option("--type", "kind", help="A category, or the beginning of a name.")
@click.option("--since", metavar="TIME|EVT", help="Not before this.")
@click.option("--until", metavar="TIME|EVT", help="Not after this.")
@common
def export(as_json: bool, workspace: str | None, **given: Any) -> int:
    """Print every event, oldest first, as one line of JSON each."""
    given["type"], given["format"] = given.pop("kind"), given.pop("form")
    params = {key: value for key, value in given.items() if value is not None}
    Session(workspace).run(lambda door: _export(door.call, params))
    return 0


async def _export(call: Any, params: dict[str, Any]) -> None:
    import msgspec

    page: dict[str, Any] = {"limit": PAGE}
    while True:
        part = await call("history.export", params | page)
        for event in part["events"]:
            click.echo(msgspec.json.encode(event).decode())
        if part.get("next") is None:
            return
        page["before"] = part["next"]


@history.command("of", epilog="Example: descartes history 0f3c9a1b --follow")
@click.argument("run", required=False, metavar="[ID]")
@click.option("--event", metavar="EVT", help="Show this one event with everything that was recorded of it.")
@click.option("--at", metavar="TIME|EVT", help="Show what the run knew and held at this moment.")
@click.option("--follow", is_flag=True, help="Go on with each new event until interrupted, oldest first.")
@click.option(
    "--type", "kind", help="A category, such as tool_use, or the beginning of a name, such as lease."
)
@click.option("--limit", type=int, help="How many events (default: 100).")
@click.option("--since", metavar="TIME|EVT", help="Not before this.")
@click.option("--until", metavar="TIME|EVT", help="Not after this.")
@common
def of(
    as_json: bool,
    workspace: str | None,
    run: str | None,
    event: str | None,
    at: str | None,
    follow: bool,
    **given: Any,
) -> int:
    """Show what the run ID did, or everything."""
    session = Session(workspace)
    if event is not None:
        output.show("history.show", session.call("history.show", {"event": event}), as_json=as_json)
        return 0
    if at is not None:
        if run is None:
            raise click.UsageError("--at needs the id of a run")
        state = session.call("history.state", {"run": run, "at": at})
        output.show("history.state", state, as_json=as_json)
        return 0
    params = {"run": run, "type": given["kind"], **{key: given[key] for key in ("limit", "since", "until")}}
    params = {key: value for key, value in params.items() if value is not None}
    if not follow:
        output.show("history.list", session.call("history.list", params), as_json=as_json)
        return 0
    session.run(lambda door: _follow(door.call, params, as_json=as_json))
    return 0


async def _follow(call: Any, params: dict[str, Any], *, as_json: bool) -> None:
    """Print events as they come, those of the first page included; needs no hub and outlives every one.

    The first page has the newest ones, or with `since` and no limit all from there on.
    """
    ordered = {key: value for key, value in params.items() if key != "limit"}
    events, last = [], 0
    if "since" not in params or "limit" in params:
        events = (await call("history.list", params))["events"][::-1]
    while True:
        for event in events:
            _print(event, as_json=as_json)
            last = event["seq"]
        page = {"order": "asc", "limit": PAGE, "before": last}
        events = (await call("history.list", ordered | page))["events"]
        if not events:
            await asyncio.sleep(FOLLOW_S)


def _print(event: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(event).decode())
        return
    click.echo("\t".join(" ".join(column.plain(event).split()) for column in views.EVENTS))
