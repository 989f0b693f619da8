"""How results are printed: tables on a terminal, tab-separated lines to a pipe, JSON when asked for.

What columns a list has is in `views`; nothing here knows an operation.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
import msgspec

from descartes_server.cli import views
from descartes_server.cli.views import Column


def show(operation: str, result: Mapping[str, Any], *, as_json: bool) -> None:
    """Print RESULT, what OPERATION answered."""
    if as_json:
        print_json(result)
        return
    view = views.of(operation)
    if "values" in result and "state" in result:
        _show_evaluation(result)
    elif view is None:
        _show_object(result)
    else:
        show_rows(view.columns, view.rows(result), view.nothing)


def print_json(result: Any) -> None:
    """Print RESULT as JSON that a person can read too."""
    text = msgspec.json.format(msgspec.json.encode(result), indent=2).decode()
    click.echo(text)


def show_rows(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], nothing: str) -> None:
    """Print ROWS as a table or lines; NOTHING is said on a terminal when there are none."""
    if is_terminal():
        _table(columns, rows, nothing)
    else:
        _lines(columns, rows)


def say(text: str) -> None:
    """Print TEXT, which is no result, to standard error, unless the person wants results only."""
    context = click.get_current_context(silent=True)
    if context is None or not context.find_root().obj["quiet"]:
        click.echo(text, err=True)


def is_terminal() -> bool:
    """Return whether a person reads standard output."""
    context = click.get_current_context(silent=True)
    wanted = context.find_root().color if context is not None else None
    return sys.stdout.isatty() if wanted is None else wanted


def _table(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], nothing: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(force_terminal=True, highlight=False)
    if not rows:
        console.print(f"[dim]{nothing}[/dim]")
        return
    table = Table(
        box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False, show_edge=False, padding=(0, 1, 0, 0)
    )
    shown = [column for column in columns if column.in_table]
    for column in shown:
        table.add_column(
            column.title,
            no_wrap=column.short,
            overflow="ellipsis" if column.short else "fold",
            min_width=column.width,
            max_width=column.most,
        )
    for row in rows:
        table.add_row(*(column.shown(row) for column in shown))
    console.print(table)


def _lines(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        # A tab or line end inside a value would make another column or row of it.
        cells = (column.plain(row) for column in columns)
        click.echo("\t".join(" ".join(cell.split()) for cell in cells))


def _show_evaluation(result: Mapping[str, Any]) -> None:
    """Print what an evaluation wrote and returned, as a listener would; why it has not, to standard error."""
    text = str(result.get("output") or "")
    click.echo(text, nl=bool(text) and not text.endswith("\n"))
    for value in result["values"]:
        click.echo(click.style(value, fg="cyan") if is_terminal() else value)
    condition = result.get("condition")
    if result["state"] != "done":
        why = f": {condition['type']}: {condition['message']}" if condition else ""
        click.echo(f"{result['state']}{why}", err=True)
    if result["state"] == "stopped" and (stop := result.get("debugger")):
        words = f"--thread {stop['thread']} --level {stop['level']}"
        click.echo(f"`descartes debugger restart {words} --name NAME` goes on", err=True)


def _show_object(result: Mapping[str, Any]) -> None:
    if "text" in result and isinstance(result["text"], str):
        click.echo(result["text"])
        return
    pairs = [(key, value) for key, value in result.items() if value not in (None, [], {})]
    if not is_terminal():
        for key, value in pairs:
            click.echo(f"{key}\t{_plain(value)}")
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(force_terminal=True, highlight=False)
    width = max((len(key) for key, _ in pairs), default=0)
    for key, value in pairs:
        console.print(Text.assemble((f"{key:<{width}}  ", "dim"), _readable(value)), soft_wrap=True)


def _plain(value: Any) -> str:
    return value.replace("\n", " ") if isinstance(value, str) else msgspec.json.encode(value).decode()


def _readable(value: Any) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
