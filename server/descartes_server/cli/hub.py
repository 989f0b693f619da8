"""`descartes hub`: the background processes, this workspace's or all."""

from __future__ import annotations

import asyncio
from typing import Any

import click
import msgspec

from descartes_core.errors import DescartesError, HubLost, WorkspaceInUse
from descartes_server.cli import output, views
from descartes_server.cli.generated import command_of, common
from descartes_server.cli.session import Session
from descartes_server.operations import registry

PATIENCE_S, FORCED_S = 20.0, 5.0
"""How long a hub that says that it ends may take, on a busy machine too; by force it is ended sooner."""

hub = click.Group(
    "hub", help="Show or end the background process of a workspace.", epilog="Example: descartes hub status"
)
for _verb in ("status", "repair"):
    hub.add_command(command_of(registry.lookup(f"hub.{_verb}"), _verb))


@hub.command("list", epilog="Example: descartes hub list")
@common
def list_(workspace: str | None, as_json: bool) -> None:
    """List the hubs of all workspaces."""
    from descartes_server.hub import record

    hubs = msgspec.to_builtins(record.read_all())
    if as_json:
        output.print_json({"hubs": hubs})
    else:
        output.show_rows(views.HUBS, hubs, "No hub runs.")


@hub.command("stop", epilog="Example: descartes hub stop --all")
@click.option("--force", is_flag=True, help="Also while runs are at work, or when it answers nothing.")
@click.option("--all", "every", is_flag=True, help="The hubs of all workspaces.")
@common
def stop(workspace: str | None, as_json: bool, force: bool, every: bool) -> int:
    """End the hub; the image and the processes of runs stay."""
    from descartes_server.hub import record

    sessions = [Session(found.workspace) for found in record.read_all()] if every else [Session(workspace)]
    outcomes = [_stop(session, force=force) for session in sessions]
    if as_json:
        output.print_json({"stopped": [outcome for outcome in outcomes if "error" not in outcome]})
    for outcome in outcomes:
        if "error" in outcome:
            click.echo(outcome["error"], err=True)
    return 1 if any("error" in outcome for outcome in outcomes) else 0


def _stop(session: Session, *, force: bool) -> dict[str, Any]:
    """End the hub of SESSION's workspace and wait until its process is gone."""
    from descartes_server.hub import process, record

    found = record.read(session.workspace)
    outcome = {"workspace": str(session.workspace.root), "pid": found.pid if found else None}
    patience_s = FORCED_S if force else PATIENCE_S
    try:
        session.call("hub.stop", {"force": force})
    except (HubLost, WorkspaceInUse):
        if not force:
            return outcome | {"error": "the hub does not answer; `descartes hub stop --force` ends it"}
        patience_s = 0
    except DescartesError as error:
        return outcome | {"error": error.message}
    if found is not None and not asyncio.run(process.wait_gone(found, patience_s)):
        if not force:
            return outcome | {"error": f"the hub (process {found.pid}) has not ended yet; --force ends it"}
        asyncio.run(process.end_hub(found))
    return outcome
