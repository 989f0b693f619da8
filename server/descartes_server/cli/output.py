"""How results are printed: tables on a terminal, tab-separated lines to a pipe, JSON when asked for.

What columns a list has is in `views`; nothing here knows an operation.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import click
import msgspec

from descartes_server.cli import views
from descartes_server.cli.views import Column

DOCUMENTS = frozenset({"history.schema"})
"""Operations whose result is made for programs, and is printed as it is."""


def show(operation: str, result: Mapping[str, Any], *, as_json: bool) -> None:
    """Print RESULT, what OPERATION answered."""
    if as_json or operation in DOCUMENTS:
        print_json(result)
        return
    view = views.of(operation)
    if "values" in result and "state" in result:
        show_evaluation(result)
    elif "counts" in result and "results" in result:
        from descartes_server.cli import tests  # it prints with what is here

        tests.show(result)
    elif operation == "history.document":
        click.echo(result["text"].rpartition("<!--")[0].rstrip())
    elif operation == "history.state":
        from descartes_server.cli import moment  # it prints with what is here

        moment.show(result)
    elif operation == "session.show":
        from descartes_server.cli import sessions  # it prints with what is here

        sessions.show(result)
    elif "notes" in result:
        _show_compilation(result, loads=operation != "lisp.compileSystem")
    elif operation.startswith("debugger.") and {"debugger", "evaluation"} >= set(result):
        _show_leaving(result)
    elif operation.startswith("inspector.") and "parts" in result:
        _show_inspection(result)
    elif operation == "debugger.retryWithFix":
        _show_compilation(result["compilation"])
        _show_leaving(result)
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
    from rich.text import Text

    console = Console(force_terminal=True, highlight=False)
    if not rows:
        console.print(f"[dim]{nothing}[/dim]")
        return
    table = Table(
        box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False, show_edge=False, padding=(0, 1, 0, 0)
    )
    shown = [column for column in columns if column.in_table]
    cells = [[Text.from_markup(column.shown(row)) for column in shown] for row in rows]
    widths = _widths(shown, cells, console.width)
    for column, width in zip(shown, widths, strict=True):
        table.add_column(
            column.title,
            no_wrap=column.short,
            overflow="ellipsis" if column.short else "fold",
            min_width=width if column.short else None,
            max_width=width if column.short else None,
        )
    for line in cells:
        table.add_row(*line)
    console.print(table)


def _widths(columns: Sequence[Column], cells: Sequence[Sequence[Any]], room: int) -> list[int]:
    """Return the width of each of COLUMNS: its widest cell, save for the last, which gets what ROOM is left.

    Without this a table that is too wide is narrowed from the left, where the ids are.
    """
    widths = []
    for index, column in enumerate(columns):
        width = max([len(column.title), *(line[index].cell_len for line in cells)])
        widths.append(min(width, column.most or width))
    rest = room - sum(widths[:-1]) - len(widths)
    widths[-1] = min(widths[-1], max(rest, len(columns[-1].title), 12))
    return widths


def _lines(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        # A tab or line end inside a value would make another column or row of it.
        cells = (column.plain(row) for column in columns)
        click.echo("\t".join(" ".join(cell.split()) for cell in cells))


def show_evaluation(result: Mapping[str, Any]) -> None:
    """Print what an evaluation wrote and returned, as a listener would; why it has not, to standard error."""
    text = str(result.get("output") or "")
    click.echo(text, nl=bool(text) and not text.endswith("\n"))
    for value in result["values"]:
        click.echo(click.style(value, fg="cyan") if is_terminal() else value)
    condition = result.get("condition")
    if result["state"] != "done":
        why = f": {condition['type']}: {condition['message']}" if condition else ""
        click.echo(f"{result['state']}{why}", err=True)
    if result["state"] == "lost":
        click.echo("the image went while it worked; `descartes lisp status` says why", err=True)


def show_notes(notes: Sequence[Mapping[str, Any]]) -> None:
    """Print NOTES as compilers do, `file:line:column: severity: message`."""
    for note in notes:
        place = ""
        if note.get("uri") and note.get("range"):
            start = note["range"]["start"]
            place = f"{unquote(urlsplit(note['uri']).path)}:{start['line']}:{start['column']}: "
        click.echo(f"{place}{note['severity']}: {' '.join(note['message'].split())}")


def _show_compilation(result: Mapping[str, Any], *, loads: bool = True) -> None:
    """Print the notes of a compilation and how it went."""
    show_notes(result["notes"])
    if result["state"] == "stopped":
        show_evaluation({**result, "values": []})
    else:
        how = ("compiled and loaded" if loads else "compiled") if result["success"] else "failed"
        if count := len(result.get("files") or ()):
            how += f": {count} {'file' if count == 1 else 'files'}"
        say(f"{how} in {result['durationMs']} ms")
        if result.get("message"):
            say(result["message"])


def _show_leaving(result: Mapping[str, Any]) -> None:
    """Print where leaving a stop has led: to the next stop, or to the evaluation's outcome."""
    if result.get("evaluation"):
        show_evaluation(result["evaluation"])
    if stop := result.get("debugger"):
        condition = stop["condition"]
        say(f"stopped at level {stop['level']}: {condition['type']}: {condition['message']}")


def _show_inspection(result: Mapping[str, Any]) -> None:
    """Print what an inspection shows: before each line the number that opens or sets it."""
    click.echo(f"{result['title']}\n{result['type']}  {result['id']}")
    for part in result["parts"]:
        number = "" if part.get("part") is None else str(part["part"])
        action = ""
        if part.get("action") is not None:
            action = f"  [action {part['action']}: {part.get('actionText') or part['text'].strip('[]')}]"
        click.echo(f"{number:>6}  {part['text']}{action}")
    if result.get("more"):
        say(f"There is more: `descartes inspector more {result['id'][4:12]}`")


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


def _is_events(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, dict) and {"seq", "category", "actor"} <= each.keys() for each in value)
    )


def _in_short(event: Mapping[str, Any]) -> str:
    return " ".join(f"{event['seq']} {event['name']} {views.EVENTS[-1].plain(event)}".split())


def _plain(value: Any) -> str:
    if _is_events(value):
        return "; ".join(_in_short(event) for event in value)
    return value.replace("\n", " ") if isinstance(value, str) else msgspec.json.encode(value).decode()


def _readable(value: Any) -> str:
    if isinstance(value, str):
        return value
    if _is_events(value):
        return "\n".join(_in_short(event) for event in value)
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
