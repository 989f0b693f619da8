"""`descartes thoughts`: notes from a terminal, written in the person's editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from descartes_core.errors import InvalidParams
from descartes_server.cli import generated, output, views
from descartes_server.cli.generated import common
from descartes_server.cli.session import Session
from descartes_server.operations import registry

COMMENT = "<!-- Write the note {title!r} above this line; nothing written, nothing kept. -->\n"


@click.group("thoughts", epilog="Example: descartes thoughts search authentication")
def thoughts() -> None:
    """Write and find notes, yours and those of agents."""


@thoughts.command("create", epilog="Example: descartes thoughts create --title 'API design' --tags api,http")
@click.option("--title", required=True, help="One line.")
@click.option(
    "--body", help="The text, in Markdown; - takes standard input. Default: what you write in $EDITOR."
)
@click.option("--tags", multiple=True, help="Words between commas; repeatable.")
@click.option("--kind", type=click.Choice(["research", "plans"]), help="Default: research.")
@common
def create(
    as_json: bool,
    workspace: str | None,
    title: str,
    body: str | None,
    tags: tuple[str, ...],
    kind: str | None,
) -> int:
    """Write a note; prints where it is."""
    if body == "-":
        body = sys.stdin.read()
    params: dict[str, Any] = {"title": title, "tags": list(tags)} | ({"kind": kind} if kind else {})
    # What is wrong with the rest is said before anybody writes a text.
    registry.decode(registry.lookup("thought.create"), params)
    if body is None:
        body = _written(title)
    output.show(
        "thought.create", Session(workspace).call("thought.create", params | {"body": body}), as_json=as_json
    )
    return 0


@thoughts.command("show", epilog="Example: descartes thoughts show api-design")
@click.argument("thought")
@common
def show(as_json: bool, workspace: str | None, thought: str) -> int:
    """Show a note: by its id, the name of its file, or its title."""
    found = Session(workspace).call("thought.show", {"thought": thought})
    if as_json:
        output.print_json(found)
        return 0
    for line in _head(found):
        click.echo(click.style(line, dim=True) if output.is_terminal() else line)
    click.echo(f"\n{found['content']}", nl=not found["content"].endswith("\n"))
    if found["problem"]:
        click.echo(f"{found['path']}: {found['problem']}", err=True)
    return 0


@thoughts.command("edit", epilog="Example: descartes thoughts edit api-design")
@click.argument("thought")
@click.option("--title", help="A new title.")
@click.option("--body", help="A new text; - takes standard input.")
@click.option("--append", help="What goes below the text.")
@click.option("--tags", multiple=True, help="The new tags, between commas.")
@common
def edit(as_json: bool, workspace: str | None, thought: str, **given: Any) -> int:
    """Change a note: as the options say, else in your $EDITOR."""
    session = Session(workspace)
    params = {key: value for key, value in given.items() if value not in (None, ())}
    if params.get("body") == "-":
        params["body"] = sys.stdin.read()
    if not params:
        found = session.call("thought.show", {"thought": thought})
        path = Path(found["path"])
        before = path.read_bytes()
        _run_editor(path)
        if path.read_bytes() == before:
            output.say("nothing was changed")
            return 0
        thought = str(path)
    params = {key: list(value) if isinstance(value, tuple) else value for key, value in params.items()}
    output.show("thought.edit", session.call("thought.edit", {"thought": thought, **params}), as_json=as_json)
    return 0


for _verb in ("list", "search", "archive", "link"):
    thoughts.add_command(generated.command_of(registry.lookup(f"thought.{_verb}"), _verb))


def _head(thought: Mapping[str, Any]) -> list[str]:
    facts = [
        thought["kind"] + (", archived" if thought["archived"] else ""),
        f"changed {views.ago(thought['updatedAt'])}" if output.is_terminal() else thought["updatedAt"],
        *([f"by {thought['agentId']}"] if thought["agentId"] else []),
        *([", ".join(thought["tags"])] if thought["tags"] else []),
    ]
    return [f"# {thought['title']}", " · ".join(facts), thought["path"]]


def _written(title: str) -> str:
    """Return what the person writes in their editor. Errors: `InvalidParams` when that is nothing."""
    comment = COMMENT.format(title=title)
    descriptor, name = tempfile.mkstemp(prefix="descartes-note-", suffix=".md")
    file = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(f"\n\n{comment}")
        _run_editor(file)
        text = file.read_text(encoding="utf-8", errors="replace").replace(comment, "").strip()
    finally:
        file.unlink(missing_ok=True)
    if not text:
        raise InvalidParams("Nothing was written, so no note was made")
    return f"{text}\n"


def _run_editor(file: Path) -> None:
    """Let the person edit FILE and return when they have. Errors: `InvalidParams` without an editor."""
    given = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ("vi" if sys.stdin.isatty() else "")
    words = shlex.split(given)
    if not words:
        raise InvalidParams("Expected an editor in $EDITOR, or the text as --body; got neither")
    try:
        done = subprocess.run([*words, str(file)], check=False)
    except OSError as error:
        raise InvalidParams(
            f"The editor {given!r} cannot be started: {error.strerror}; set $EDITOR"
        ) from None
    if done.returncode:
        raise InvalidParams(f"The editor {given!r} ended with status {done.returncode}, so nothing was kept")
