"""`descartes trust`: which workspaces may have code evaluated and programs started."""

from __future__ import annotations

import click

from descartes_core.errors import NotFound, PolicyDenied
from descartes_server.cli import output
from descartes_server.cli.session import Session
from descartes_server.operations import principals
from descartes_server.operations import trust as trusts


@click.command("trust", epilog="Example: descartes trust ~/src/my-system")
@click.argument("folder", required=False, metavar="[DIR]")
@click.option("--list", "show", is_flag=True, help="List the workspaces that are trusted.")
@click.option("--remove", is_flag=True, help="Trust it no more.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--workspace", metavar="DIR", help="The same as DIR.")
def trust(folder: str | None, show: bool, remove: bool, as_json: bool, workspace: str | None) -> None:
    """Trust the workspace of DIR (default: of this folder) from now on."""
    if show:
        _show(trusts.trusted(), as_json=as_json)
        return
    session = Session(folder or workspace)
    root = session.workspace.root
    if not root.is_dir():
        raise NotFound(f"expected a folder to trust, {str(root)!r} is none")
    if not remove:
        session.trust()
    elif any(principals.run_of_environment()):
        raise PolicyDenied("changing whom you trust is for a person to do, and a run asked for it")
    elif not trusts.distrust(root):
        raise NotFound(
            f"expected a trusted workspace, {str(root)!r} is none; `descartes trust --list` shows them"
        )
    if as_json:
        output.print_json({"workspace": str(root), "trusted": not remove})
    else:
        output.say(f"{root} is {'no longer trusted' if remove else 'trusted'}")


def _show(roots: list[str], *, as_json: bool) -> None:
    if as_json:
        output.print_json({"trusted": roots})
        return
    for root in roots:
        click.echo(root)
    if not roots and output.is_terminal():
        click.echo("No workspace is trusted.")
