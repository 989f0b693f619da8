"""How the demo tells what happens: steps, and what an editor would show at each."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

Json = dict[str, Any]
SEVERITY = {1: ("error", "red"), 2: ("warning", "yellow"), 3: ("information", "blue"), 4: ("hint", "cyan")}


class Unexpected(Exception):
    """A step of the demo did not happen as described."""


def expect(truth: Any, what: str, came: Any = None) -> None:
    """Go on when TRUTH is true. Errors: `Unexpected`, saying WHAT was expected and what CAME."""
    if not truth:
        raise Unexpected(f"expected {what}" + ("" if came is None else f", got {came!r}"))


class Screen:
    """Prints to the terminal; QUIET prints one line a step."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(highlight=False, soft_wrap=False)
        self._quiet = quiet
        self._began = time.monotonic()

    def step(self, number: int, title: str) -> None:
        """Begin step NUMBER."""
        elapsed = f"{time.monotonic() - self._began:5.1f} s"
        if self._quiet:
            self._console.print(f"{elapsed}  {number}  {title}")
        else:
            self._console.print()
            self._console.rule(
                f"[bold]{number}  {title}[/]  [dim]{elapsed.strip()}[/]", align="left", style="dim"
            )

    def line(self, what: str, shown: str = "", style: str = "") -> None:
        """Print one thing the editor asked for and what came."""
        if not self._quiet:
            self._console.print(Text.assemble((f"  {what:<22}", "dim"), (shown, style)))

    def hover(self, markdown: str) -> None:
        """Print a hover as a box."""
        if not self._quiet:
            self._console.print(Panel(Markdown(markdown), width=88, border_style="blue"))

    def code(self, path: str, text: str, marks: list[Json], lenses: list[Json]) -> None:
        """Print the lines of TEXT that MARKS (diagnostics) and LENSES are about, as an editor shows them."""
        if self._quiet:
            return
        lines = text.splitlines()
        about = {each["range"]["start"]["line"] for each in [*marks, *lenses]}
        shown = sorted({line for at in about for line in range(max(at - 1, 0), min(at + 2, len(lines)))})
        self._console.print(Text(f"  {path}", "bold"))
        for line in shown:
            titles = [each["command"]["title"] for each in lenses if each["range"]["start"]["line"] == line]
            if titles:
                self._console.print(Text("       " + " │ ".join(titles), "blue"))
            self._console.print(Text.assemble((f"  {line + 1:>3}  ", "dim"), lines[line]))
            for mark in marks:
                self._mark(mark, line, lines[line])

    def table(self, columns: list[str], rows: list[list[str]]) -> None:
        """Print ROWS under COLUMNS."""
        if self._quiet:
            return
        table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
        for index, column in enumerate(columns[:-1]):
            width = max(len(cell) for cell in [column, *(row[index] for row in rows)])
            table.add_column(column, no_wrap=True, min_width=width)
        table.add_column(columns[-1], no_wrap=True, overflow="ellipsis")
        for row in rows:
            table.add_row(*row)
        self._console.print(table)

    def end(self) -> None:
        """Say that everything happened as described."""
        self._console.print(
            f"\n[green]Every step happened as described[/], in {time.monotonic() - self._began:.1f} s."
        )

    def failed(self, reason: str, log: str) -> None:
        """Say what did not happen."""
        self._console.print(f"[red]The demo stopped:[/] {reason}\n  logs are in {log}")

    def _mark(self, mark: Json, line: int, text: str) -> None:
        start, end = mark["range"]["start"], mark["range"]["end"]
        if start["line"] != line:
            return
        last = end["character"] if end["line"] == line else len(text)
        name, style = SEVERITY[mark.get("severity", 1)]
        squiggle = "~" * max(last - start["character"], 1)
        message = mark["message"].splitlines()[0]
        self._console.print(Text(f"       {' ' * start['character']}{squiggle} {name}: {message}", style))
