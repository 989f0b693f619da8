"""`descartes secret`: values come from standard input or a prompt without echo, never from an argument."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from descartes_core.errors import DescartesError, InvalidParams, StoreUnavailable
from descartes_server.cli import output
from descartes_server.cli.generated import common, params_of
from descartes_server.cli.session import Session
from descartes_server.operations import principals, registry

TYPES = ("api_key", "oauth_token", "database_password", "private_key", "custom")
LEVELS = ("none", "view_metadata", "read", "update", "delete", "admin")
EXPORT_VARIABLE = "DESCARTES_EXPORT_PASSWORD"

secret = click.Group(
    "secret",
    help="Keep secrets, and give them to steps by name.",
    epilog="Example: descartes secret set API_KEY --type api_key",
)


@secret.command("set", epilog="Example: descartes secret set API_KEY --type api_key < key.txt")
@click.argument("name")
@click.option("--type", "kind", type=click.Choice(TYPES), help="What it is; custom for a new one.")
@common
def set_(name: str, kind: str | None, workspace: str | None, as_json: bool) -> None:
    """Keep a value, read from standard input or asked for, under NAME. An existing one gets a new version."""
    value = _value(name)
    _show(workspace, "secret.set", {"name": name, "value": value, "type": kind}, as_json)


@secret.command("rotate", epilog="Example: descartes secret rotate API_KEY < new-key.txt")
@click.argument("name")
@common
def rotate(name: str, workspace: str | None, as_json: bool) -> None:
    """Give NAME a new value; the versions before stay readable until they are revoked."""
    _show(workspace, "secret.rotate", {"name": name, "value": _value(name)}, as_json)


@secret.command("get", epilog="Example: descartes secret get API_KEY")
@click.argument("name")
@click.option("--version", "number", type=int, help="An older version.")
@common
def get(name: str, number: int | None, workspace: str | None, as_json: bool) -> None:
    """Print the value of NAME."""
    result = _call(Session(workspace), "secret.get", {"name": name, "version": number})
    if as_json:
        output.print_json(result)
    else:
        click.echo(result["value"], nl=not result["value"].endswith("\n"))


@secret.command("grant", epilog="Example: descartes secret grant API_KEY agent:deploy --ttl-seconds 3600")
@click.argument("name")
@click.argument("principal", metavar="KIND:NAME")
@click.option("--level", type=click.Choice(LEVELS), default="read", help="What it may do. Default: read.")
@click.option("--ttl-seconds", type=float, help="For so long.")
@click.option("--expires-at", metavar="TIME", help="Until this ISO time.")
@common
def grant(workspace: str | None, as_json: bool, **given: Any) -> None:
    """Let an agent, role, service or user have NAME, for a time or until it is taken away."""
    params = params_of(registry.lookup("secret.grant"), given)
    result = _call(Session(workspace), "secret.grant", params)
    if as_json or result["grant"] is None:
        output.print_json(result) if as_json else output.say(f"{given['principal']} has no access any more")
        return
    output.show("secret.grant", result, as_json=False)


@secret.command("revoke", epilog="Example: descartes secret revoke API_KEY --version 1")
@click.argument("name")
@click.option("--version", "number", type=int, help="Erase this old version for ever.")
@click.option("--principal", metavar="KIND:NAME", help="End what it was granted.")
@common
def revoke(
    name: str, number: int | None, principal: str | None, workspace: str | None, as_json: bool
) -> None:
    """Erase an old version of NAME, or end a grant."""
    _show(workspace, "secret.revoke", {"name": name, "version": number, "principal": principal}, as_json)


@secret.command("remove", epilog="Example: descartes secret remove API_KEY")
@click.argument("name")
@common
def remove(name: str, workspace: str | None, as_json: bool) -> None:
    """Erase NAME with all its versions and grants. `rm` is the same."""
    result = _call(Session(workspace), "secret.remove", {"name": name})
    output.print_json(result) if as_json else output.say(f"{name} is erased")


secret.add_command(remove, "rm")


@secret.command("list", epilog="Example: descartes secret list")
@common
def list_(workspace: str | None, as_json: bool) -> None:
    """List the secrets without their values; needs no password."""
    output.show("secret.list", Session(workspace).call("secret.list", {}), as_json=as_json)


@secret.command("audit", epilog="Example: descartes secret audit API_KEY --failed")
@click.argument("name", required=False)
@click.option("--failed", is_flag=True, help="What was refused only.")
@click.option("--limit", type=int, default=100, help="Default: 100.")
@common
def audit(name: str | None, failed: bool, limit: int, workspace: str | None, as_json: bool) -> None:
    """Show who wanted which secret, newest first, refusals too."""
    params = {"name": name, "failed": failed, "limit": limit}
    result = Session(workspace).call("secret.audit", params)
    output.show("secret.audit", result, as_json=as_json)


@secret.command("init", epilog="Example: descartes secret init --keyring")
@click.option("--keyring", is_flag=True, help="Keep a random key in the system's keyring; no password.")
@common
def init(keyring: bool, workspace: str | None, as_json: bool) -> None:
    """Make the vault. `set` makes one too, with a password."""
    session = Session(workspace)
    params: dict[str, Any] = {"keyring": keyring}
    if not keyring:
        params["password"] = _given() or _new_password("Password of the new vault")
    output.show("secret.init", session.call("secret.init", params), as_json=as_json)


def unlock(session: Session) -> None:
    """Have the vault open for what comes next: a given password is checked, a missing one asked for."""
    if _given() or session.call("secret.status", {})["state"] != "unlocked":
        _call(session, "secret.unlock", {})


@secret.command("unlock", epilog="Example: descartes secret unlock")
@common
def unlock_(workspace: str | None, as_json: bool) -> None:
    """Open the vault for this workspace until it is locked or long unused."""
    _show(workspace, "secret.unlock", {}, as_json)


@secret.command("lock", epilog="Example: descartes secret lock")
@common
def lock(workspace: str | None, as_json: bool) -> None:
    """Close the vault for this workspace now."""
    result = Session(workspace).call("secret.lock", {})
    output.print_json(result) if as_json else output.say("the vault is locked")


@secret.command("status", epilog="Example: descartes secret status")
@common
def status(workspace: str | None, as_json: bool) -> None:
    """Say whether there is a vault and whether it is open here."""
    output.show("secret.status", Session(workspace).call("secret.status", {}), as_json=as_json)


@secret.command("change-password", epilog="Example: descartes secret change-password")
@click.option("--keyring", is_flag=True, help="Keep a random key in the system's keyring instead.")
@common
def change_password(keyring: bool, workspace: str | None, as_json: bool) -> None:
    """Give the vault another password and a fresh master key. The new one is asked for, or standard input."""
    session = Session(workspace)
    new = None if keyring else _new_password("New password of the vault")
    params = {"keyring": keyring, "newPassword": new}
    output.show("secret.changePassword", _call(session, "secret.changePassword", params), as_json=as_json)


@secret.command("export", epilog="Example: descartes secret export secrets.backup")
@click.argument("file", metavar="FILE")
@common
def export(file: str, workspace: str | None, as_json: bool) -> None:
    """Write every secret's newest value into FILE, encrypted under a password of its own."""
    password = os.environ.get(EXPORT_VARIABLE) or _new_password("Password of the export")
    result = _call(Session(workspace), "secret.export", {"archivePassword": password})
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as made:
            made.write(result["archive"] + "\n")
    except OSError as error:
        raise StoreUnavailable(f"expected to make the file {file!r}: {error.strerror}") from None
    output.print_json({"file": file}) if as_json else output.say(f"written to {file}")


@secret.command("import", epilog="Example: descartes secret import secrets.backup")
@click.argument("file", metavar="FILE")
@common
def import_(file: str, workspace: str | None, as_json: bool) -> None:
    """Take in the secrets that `export` wrote into FILE."""
    try:
        archive = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidParams(f"expected an export in {file!r}: {error}") from None
    password = os.environ.get(EXPORT_VARIABLE) or _ask("Password of the export")
    result = _call(Session(workspace), "secret.import", {"archive": archive, "archivePassword": password})
    output.print_json(result) if as_json else output.say(
        f"taken in: {', '.join(result['names']) or 'nothing'}"
    )


def _show(folder: str | None, operation: str, params: dict[str, Any], as_json: bool) -> None:
    output.show(operation, _call(Session(folder), operation, params), as_json=as_json)


def _call(session: Session, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the result of OPERATION with the vault's password: the variable's, or asked for when needed."""
    params = {key: value for key, value in params.items() if value is not None}
    if given := _given():
        return session.call(operation, {**params, "password": given})
    try:
        return session.call(operation, params)
    except DescartesError as error:
        prompt = _prompt(operation, error)
        if prompt is None or not _is_person_there():
            raise
    return session.call(operation, {**params, "password": prompt()})


def _prompt(operation: str, error: DescartesError) -> Callable[[], str] | None:
    """Return what asks for the password that OPERATION lacked, as its ERROR says; None: nothing helps."""
    match error.data.get("reason"):
        case "locked":
            return lambda: _ask("Password of the vault")
        case "no_vault" if operation == "secret.set":
            return lambda: _new_password("There is no vault yet. Password of the new vault")
    return None


def _given() -> str | None:
    return os.environ.get(principals.PASSWORD_VARIABLE)


def _value(name: str) -> str:
    """Return the value that a person types or a program writes; one line end behind it is not part of it."""
    if sys.stdin.isatty():
        return _ask(f"Value of {name}")
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidParams("expected a value that is text in UTF-8, got other bytes") from None
    # A key of several lines ends with a line end, which belongs to it.
    return text if text.count("\n") > 1 else text.removesuffix("\n").removesuffix("\r")


def _new_password(prompt: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().removesuffix("\n")
    password = _ask(prompt)
    if _ask("Again") != password:
        raise InvalidParams("expected the same password twice")
    return password


def _ask(prompt: str) -> str:
    if not _is_person_there():
        raise InvalidParams(f"expected a terminal to ask for this: {prompt}")
    import getpass

    return getpass.getpass(f"{prompt}: ")


def _is_person_there() -> bool:
    return sys.stderr.isatty()
