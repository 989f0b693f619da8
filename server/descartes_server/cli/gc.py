"""`descartes gc`: what would go of the log and its files; `--apply` lets it go."""

from __future__ import annotations

from typing import Any

import click

from descartes_server.cli import output
from descartes_server.cli.generated import common
from descartes_server.cli.session import Session


@click.command("gc", epilog="Example: descartes gc --apply")
@click.option("--apply", is_flag=True, help="Do it; without this it is only said what would go.")
@common
def gc(as_json: bool, workspace: str | None, apply: bool) -> int:
    """Tidy the workspace's own data by the settings history.keepDays and history.keepMegabytes.

    No event is lost: the data of old ones goes, their rows and digests stay, and history verify goes on.
    """
    session = Session(workspace)
    found = session.call("gc.collect" if apply else "gc.plan", {})
    if as_json:
        output.print_json(found)
    else:
        _show(found)
    return 0


def _show(found: dict[str, Any]) -> None:
    went = "went" if found["applied"] else "would go"
    events = found["events"]
    if not (found["bytes"] or events["events"] or found["snapshots"]):
        click.echo(f"Nothing is older than {found['keepDays']:g} days and not needed.")
        return
    if events["events"]:
        span = f"{events['oldest'][:10]} to {events['newest'][:10]}"
        click.echo(f"the data of {events['events']:,} events, {span}\t{_size(events['bytes'])}")
    for part in found["files"]:
        files = "1 file" if part["items"] == 1 else f"{part['items']:,} files"
        place = "the cache of compiled Lisp" if part["what"] == "fasl" else f".descartes/{part['what']}"
        click.echo(f"{files} in {place}\t{_size(part['bytes'])}")
    if found["snapshots"]:
        click.echo(f"{found['snapshots']:,} snapshots of the files around the steps of old runs")
    click.echo(f"in all {went}\t{_size(found['bytes'])}")
    if not found["applied"]:
        output.say("descartes gc --apply does it.")


def _size(count: int) -> str:
    if count < 10_000:
        return f"{count:,} bytes"
    return f"{count / 1024:,.0f} KiB" if count < 10_000_000 else f"{count / 1024 / 1024:,.0f} MiB"
