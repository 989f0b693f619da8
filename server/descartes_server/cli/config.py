"""`descartes config`: the settings that count, where each comes from, setting one, and old files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import click
import msgspec

from descartes_core.config import loading
from descartes_core.config import schema as schemas
from descartes_server.cli import output
from descartes_server.cli.generated import common
from descartes_server.cli.session import Session
from descartes_server.cli.views import Column

COLUMNS = [
    Column("setting", lambda row: row["name"]),
    Column("value", lambda row: msgspec.json.encode(row["value"]).decode(), short=False),
    Column("from", lambda row: row["origin"], lambda row: f"[dim]{row['origin']}[/dim]", short=False),
]
FILES = [
    Column("file", lambda row: row["file"], short=False),
    Column("state", lambda row: row["state"]),
    Column("version", lambda row: row.get("version") or ""),
    Column("backup", lambda row: row.get("backup") or "", short=False),
]


@click.group("config", epilog="Example: descartes config show --origin")
def config() -> None:
    """Show and change the settings."""


@config.command("show", epilog="Example: descartes config show --origin")
@click.argument("key", required=False, metavar="[KEY]")
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@common
def show(workspace: str | None, as_json: bool, key: str | None, origin: bool) -> int:
    """Show every setting that counts for the command line, or the one called KEY."""
    found = Session(workspace).call("config.show", {"key": key})
    if as_json:
        output.print_json(_as_json(found, origin=origin))
    else:
        output.show_rows(COLUMNS if origin else COLUMNS[:2], found["settings"], "")
    for problem in found["problems"]:
        click.echo("{file}:{line}:{column}: {message}".format_map(problem), err=True)
    return 1 if any(each["severity"] != "information" for each in found["problems"]) else 0


@config.command("set", epilog="Example: descartes config set leases.ttlSeconds 600")
@click.argument("key")
@click.argument("value", required=False)
@click.option("--user", "scope", flag_value="user", help="In your own file, for all workspaces.")
@click.option(
    "--workspace-file", "scope", flag_value="workspace", default=True, help="In descartes.toml (the default)."
)
@click.option("--unset", is_flag=True, help="Take the setting out of the file.")
@common
def set_(
    workspace: str | None, as_json: bool, key: str, value: str | None, scope: str | None, unset: bool
) -> int:
    """Set KEY to VALUE, written as in TOML; words need no quotes."""
    if (value is None) != unset:
        raise click.UsageError("expected a value, or --unset")
    given = None if value is None else _parsed(key, value)
    result = Session(workspace).call(
        "config.set", {"key": key, "value": given, "scope": scope or "workspace"}
    )
    if as_json:
        output.print_json(result)
        return 0
    click.echo(f"{result['key']} is now {msgspec.json.encode(result['value']).decode()}")
    if result["note"]:
        click.echo(result["note"], err=True)
    return 0


@config.command("migrate", epilog="Example: descartes config migrate --dry-run")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@common
def migrate(workspace: str | None, as_json: bool, dry_run: bool) -> int:
    """Bring your file and the workspace's to the newest version; a backup is kept beside each."""
    result = Session(workspace).call("config.migrate", {"dryRun": dry_run})
    if as_json:
        output.print_json(result)
    else:
        output.show_rows(FILES, result["files"], "")
    for each in result["files"]:
        _say_what_was_done(each)
    return 1 if any(each["state"] == "refused" for each in result["files"]) else 0


@config.command("schema", epilog="Example: descartes config schema > descartes.schema.json")
def schema() -> int:
    """Print the JSON Schema of the settings files."""
    output.print_json(schemas.schema())
    return 0


def _say_what_was_done(file: Mapping[str, Any]) -> None:
    if file["state"] == "refused":
        click.echo(f"{file['file']}: {file['message']}", err=True)
    elif file["state"] != "current":
        for step in file["steps"]:
            click.echo(f"{file['file']}: {step}", err=True)


def _parsed(key: str, value: str) -> Any:
    """Return VALUE as TOML has it; what is no TOML, and anything for a setting that is text, is text."""
    setting = loading.named(key)
    try:
        found = tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return value
    if setting is not None and not isinstance(found, str):
        try:
            msgspec.convert(found, setting.type)
        except msgspec.ValidationError:
            return value if _takes_text(setting.type) else found
    return found


def _takes_text(kind: Any) -> bool:
    try:
        msgspec.convert("", kind)
    except msgspec.ValidationError:
        return False
    return True


def _as_json(found: Mapping[str, Any], *, origin: bool) -> dict[str, Any]:
    rows = found["settings"]
    result: dict[str, Any] = {"settings": loading.nested({row["name"]: row["value"] for row in rows})}
    if origin:
        result["origins"] = {row["name"]: row["origin"] for row in rows if row["origin"] != "default"}
    return result | {"problems": found["problems"]}
