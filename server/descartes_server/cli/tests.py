"""How a run of tests is printed: a line for each test, what failed in full, and the counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import click

from descartes_server.cli import output

MARKS = {
    "passed": ("✓", "green"),
    "failed": ("✗", "red"),
    "error": ("✗", "red"),
    "skipped": ("–", "yellow"),
    "unknown": ("?", "yellow"),
}
OUTPUT_LINES = 20


def show(run: Mapping[str, Any]) -> None:
    """Print RUN; to a pipe one tab-separated line for each test."""
    output.show_notes(run["notes"])
    if output.is_terminal():
        _table(run)
    else:
        for result in run["results"]:
            cells = (result["status"], result["name"], f"{result['durationMs']} ms", _place(result))
            message = " ".join((result.get("message") or "").split())
            click.echo("\t".join((*cells, message)))
    if run["state"] in ("stopped", "aborted", "lost"):
        output.show_evaluation({**run, "values": [], "output": ""})
    if run["results"] or run["state"] != "stopped":
        output.say(_sum(run))
    if run.get("message"):
        output.say(run["message"])


def _table(run: Mapping[str, Any]) -> None:
    width = max((len(result["name"]) for result in run["results"]), default=0)
    for result in run["results"]:
        mark, colour = MARKS[result["status"]]
        line = f"{click.style(mark, fg=colour)} {result['name']:<{width}}"
        click.echo(f"{line}  {click.style(_duration(result['durationMs']), dim=True)}")
    for result in run["results"]:
        if result["status"] != "passed" and result.get("message"):
            _details(result)


def _details(result: Mapping[str, Any]) -> None:
    mark, colour = MARKS[result["status"]]
    title = click.style(f"{mark} {result['name']}", fg=colour, bold=True)
    click.echo(f"\n{title}  {_place(result)}".rstrip())
    for line in result["message"].splitlines():
        click.echo(f"  {line}")
    printed = (result.get("output") or "").splitlines()
    if len(printed) > OUTPUT_LINES:
        click.echo(click.style(f"  … {len(printed) - OUTPUT_LINES} lines before", dim=True))
    for line in printed[-OUTPUT_LINES:]:
        click.echo(click.style(f"  │ {line}", dim=True))


def _sum(run: Mapping[str, Any]) -> str:
    counts = run["counts"]
    parts = [f"{number} {name}" for name, number in counts.items() if number] or ["no tests"]
    return f"{', '.join(parts)} in {_duration(run['durationMs'])}"


def _duration(ms: int) -> str:
    return f"{ms} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


def _place(result: Mapping[str, Any]) -> str:
    location = result.get("location")
    if not location:
        return ""
    return f"{unquote(urlsplit(location['uri']).path)}:{location['range']['start']['line']}"
