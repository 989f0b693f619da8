"""`descartes config`: the settings that count, and where each comes from."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from descartes_core.config import schema as schemas
from descartes_core.config import table
from descartes_server.cli import output
from descartes_server.cli.generated import common
from descartes_server.cli.session import Session
from descartes_server.cli.views import Column
from descartes_server.operations import settings

COLUMNS = [
    Column("setting", lambda row: row["name"]),
    Column("value", lambda row: msgspec.json.encode(row["value"]).decode(), short=False),
    Column("from", lambda row: row["origin"], lambda row: f"[dim]{row['origin']}[/dim]", short=False),
]


@click.group("config", epilog="Example: descartes config show --origin")
def config() -> None:
    """Show the settings and where each comes from."""


@config.command("show", epilog="Example: descartes config show --origin")
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@common
def show(workspace: str | None, as_json: bool, origin: bool) -> int:
    """Show every setting that counts for the command line."""
    session = Session(workspace)
    loaded = settings.load(session.workspace.root, trusted=session.trusted)
    if as_json:
        output.print_json(_as_json(loaded, origin=origin))
    else:
        values = msgspec.to_builtins(loaded.settings)
        rows = [_row(name, values, loaded.origins) for name in table.settings()]
        output.show_rows(COLUMNS if origin else COLUMNS[:2], rows, "")
    for problem in loaded.problems:
        click.echo(f"{problem.file}:{problem.line}:{problem.column}: {problem.message}", err=True)
    return 1 if loaded.problems else 0


def _as_json(loaded: settings.Loaded, *, origin: bool) -> dict[str, Any]:
    result: dict[str, Any] = {"settings": loaded.settings}
    return result | {"origins": loaded.origins} if origin else result


def _row(name: str, values: dict[str, Any], origins: dict[str, str]) -> dict[str, Any]:
    group, _, key = name.partition(".")
    return {"name": name, "value": values[group][key], "origin": origins.get(name, "default")}


@config.command("schema", epilog="Example: descartes config schema > descartes.schema.json")
def schema() -> int:
    """Print the JSON Schema of the settings files."""
    output.print_json(schemas.schema())
    return 0
