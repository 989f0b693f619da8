"""`descartes edit`: a text replaced in many files, with a preview, a question, and all or nothing."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from descartes_core.errors import RestoreConflict
from descartes_server.cli import edit_views, output
from descartes_server.cli.generated import Json, common
from descartes_server.cli.restore import from_root
from descartes_server.cli.session import Session
from descartes_server.cli.views import short_id
from descartes_server.operations import registry

edit = click.Group(
    "edit",
    help="Replace a text in many files of the workspace: looked at first, all or nothing, undone as one.",
    epilog="Example: descartes edit replace old-name new-name --symbol --paths 'src/*.lisp'",
)
SEARCH = (
    click.option("--pattern", "named_pattern", metavar="TEXT", help="The same as the first word."),
    click.option("--replacement", "named_replacement", metavar="TEXT", help="The same as the second word."),
    click.option("--regex", is_flag=True, help=r"PATTERN is a regular expression; \1 is a group of it."),
    click.option("--symbol", is_flag=True, help="PATTERN is a Lisp symbol: no strings, no comments."),
    click.option("--ignore-case", is_flag=True, help="Upper and lower case are the same."),
    click.option(
        "--paths", multiple=True, metavar="GLOB", help="Only these files, folders or globs; repeatable."
    ),
    click.option(
        "--changes",
        multiple=True,
        type=Json(),
        metavar="JSON",
        help="A change named outright: {path, oldText, newText}; repeatable.",
    ),
    click.option("--trust", is_flag=True, help="Trust the workspace from now on, without a question."),
)


def _searching(function: Callable[..., int]) -> Callable[..., int]:
    """Give FUNCTION, called as (session, request, **more), the words and options of a search."""

    @functools.wraps(function)
    def call(
        workspace: str | None,
        pattern: str | None,
        replacement: str | None,
        named_pattern: str | None,
        named_replacement: str | None,
        trust: bool,
        **options: Any,
    ) -> int:
        session = Session(workspace)
        session.ask_for_trust(registry.lookup("edit.preview"), given=trust)
        request = {key: options.pop(key) for key in ("regex", "symbol")}
        request["ignoreCase"] = options.pop("ignore_case")
        if paths := options.pop("paths"):
            request["paths"] = [_glob_from_root(session, each) for each in paths]
        if changes := options.pop("changes"):
            request["changes"] = [_change_from_root(session, each) for each in changes]
        for key, words in (
            ("pattern", (pattern, named_pattern)),
            ("replacement", (replacement, named_replacement)),
        ):
            if (word := next((each for each in words if each is not None), None)) is not None:
                request[key] = word
        return function(session, request, **options)

    made: Any = call
    for option in reversed(SEARCH):
        made = option(made)
    made = click.argument("replacement", required=False)(made)
    return click.argument("pattern", required=False)(made)  # type: ignore[no-any-return]


@edit.command("preview", epilog="Example: descartes edit preview old-name new-name --paths 'src/*.lisp'")
@_searching
@click.option("--diff", "only_diff", is_flag=True, help="Print the unified diff alone.")
@common
def preview(session: Session, request: dict[str, Any], as_json: bool, only_diff: bool) -> int:
    """Show what replacing PATTERN by REPLACEMENT would change; nothing is written."""
    found = session.call("edit.preview", request)
    _show(found, as_json=as_json, only_diff=only_diff)
    if found["files"] and not as_json:
        output.say(f"`descartes edit apply {short_id(found['id'])}` does it within ten minutes.")
    return 1 if found["refused"] else 0


@edit.command("replace", epilog="Example: descartes edit replace old-name new-name --symbol")
@_searching
@click.option("--reason", metavar="TEXT", help="Why, for the history.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
def replace(session: Session, request: dict[str, Any], as_json: bool, reason: str | None, yes: bool) -> int:
    """Replace PATTERN by REPLACEMENT in the files of the workspace, after a look and a question."""
    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError(
            "expected a terminal to ask on; give --yes, or look with `descartes edit preview`"
        )
    found = session.call("edit.preview", request)
    if not as_json:
        _show(found, as_json=False, only_diff=False)
    if not found["files"]:
        return 1
    if found["refused"]:
        raise RestoreConflict(f"Nothing was changed: {found['refused']}; leave it out with --paths")
    if not yes and not click.confirm(edit_views.question(found), default=False, err=True):
        output.say("Nothing was changed.")
        return 1
    return _apply(session, {"confirm": found["id"], "reason": reason}, as_json=as_json)


@edit.command("apply", epilog="Example: descartes edit apply 3f2a9c1e --paths src/shapes.lisp")
@click.argument("confirm", metavar="ID")
@click.option("--paths", multiple=True, metavar="PATH", help="Only these files or folders; repeatable.")
@click.option("--reason", metavar="TEXT", help="Why, for the history.")
@click.option("--trust", is_flag=True, help="Trust the workspace from now on, without a question.")
@common
def apply(
    as_json: bool,
    workspace: str | None,
    confirm: str,
    paths: tuple[str, ...],
    reason: str | None,
    trust: bool,
) -> int:
    """Change the files as the preview ID showed it: all of them, or nothing."""
    session = Session(workspace)
    session.ask_for_trust(registry.lookup("edit.apply"), given=trust)
    chosen = {"paths": [from_root(session, each) for each in paths]} if paths else {}
    return _apply(session, {"confirm": confirm, "reason": reason, **chosen}, as_json=as_json)


def _glob_from_root(session: Session, glob: str) -> str:
    sign = "!" if glob.startswith("!") else ""
    return sign + from_root(session, glob.removeprefix("!"))


def _change_from_root(session: Session, change: Any) -> Any:
    if not isinstance(change, dict) or not isinstance(change.get("path"), str):
        return change  # the operation says what is wrong with it
    return {**change, "path": from_root(session, change["path"])}


def _apply(session: Session, params: dict[str, Any], *, as_json: bool) -> int:
    done = session.call("edit.apply", params)
    if as_json:
        output.print_json(done)
        return 0
    count = len(done["files"])
    output.say(f"{count} file{'s' * (count != 1)} changed; `descartes restore undo` takes it back.")
    return 0


def _show(found: Mapping[str, Any], *, as_json: bool, only_diff: bool) -> None:
    if as_json:
        output.print_json(found)
        return
    if only_diff:
        click.echo("".join(each["diff"] for each in found["files"]), nl=False)
        return
    output.show_rows(edit_views.FILES, found["files"], "No file has a place to change.")
    if output.is_terminal():
        for each in found["files"]:
            click.echo(edit_views.coloured(each["diff"]), color=True)
    for line in edit_views.tail(found):
        click.echo(line, err=True)
