"""`descartes doctor`: what was found on this machine, and what is wrong with the workspace."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from descartes_core.errors import DescartesError
from descartes_server.cli import output
from descartes_server.cli.generated import common
from descartes_server.cli.session import Session
from descartes_server.cli.views import Column, escape
from descartes_server.operations import settings

NEEDED = "needed"
"""In the place of a Lisp or Swank that is nowhere."""
EDITORS = ("code", "nvim", "emacs")
MARKS = {"ok": "[green]✓[/green]", "missing": "[yellow]–[/yellow]", "wrong": "[red]✗[/red]"}


@dataclass(frozen=True)
class Finding:
    """What was looked for (AREA, PLACE), what was FOUND there, and whether that is ok, missing or wrong."""

    area: str
    place: str
    found: str
    state: str = "ok"


COLUMNS = [
    Column("", lambda row: row["state"], lambda row: MARKS[row["state"]]),
    Column("what", lambda row: row["area"]),
    Column("where", lambda row: row["place"], short=False),
    Column(
        "found",
        lambda row: row["found"],
        lambda row: escape(row["found"]) if row["state"] == "ok" else f"[dim]{escape(row['found'])}[/dim]",
        short=False,
    ),
]


@click.command("doctor", epilog="Example: descartes doctor --json")
@click.option(
    "--fix", is_flag=True, help="Finish or roll back what was interrupted, rebuild the log's tables."
)
@click.option("--all", "every", is_flag=True, help="List also where a Lisp could have been and is not.")
@common
def doctor(workspace: str | None, as_json: bool, fix: bool, every: bool) -> int:
    """Say what was found: Lisp, Swank, git, editors, the log, the settings, the hub."""
    session = Session(workspace)
    fixed = _fix(session) if fix else []
    findings = [
        *fixed,
        *_restore(session),
        *_lisp(session),
        *_programs(),
        *_settings(session),
        *_log(session),
        *_hub(session),
    ]
    wrong = any(each.state == "wrong" for each in findings)
    if as_json:
        root, rows = str(session.workspace.root), msgspec.to_builtins(findings)
        output.print_json({"ok": not wrong, "workspace": root, "findings": rows})
    else:
        output.show_rows(COLUMNS, msgspec.to_builtins(findings if every else _in_short(findings)), "")
    return 1 if wrong else 0


def _in_short(findings: list[Finding]) -> list[Finding]:
    """Return FINDINGS with one line for all places that have no Lisp, unless one is needed."""
    if any(each.place == NEEDED for each in findings):
        return findings
    empty = [each for each in findings if (each.area, each.state) == ("lisp", "missing")]
    if len(empty) < 2:
        return findings
    at = findings.index(empty[-1])
    rest = Finding("lisp", f"{len(empty)} other places", "nothing; --all lists them", "missing")
    return [rest if n == at else each for n, each in enumerate(findings) if n == at or each not in empty]


def _other_lisp(root: Path, lisp: settings.LispSettings) -> Finding | None:
    """Return where the settings LISP say that the image is, when that is no SBCL of this machine."""
    from descartes_server.operations.lisp_target import configured
    from descartes_swank.plain_image import is_plain

    try:
        target = configured(root, lisp)
    except DescartesError as error:
        return Finding("lisp", "settings", error.message, "wrong")
    if target is not None:
        return Finding("lisp", "elsewhere", target.remote or f"{target.host}:{target.port}", "ok")
    if lisp.command and is_plain(lisp.command):
        program, place = shutil.which(lisp.command[0]), f"lisp.command: {lisp.command[0]}"
        return Finding("lisp", place, program or "nothing", "ok" if program else "missing")
    return None


def _lisp(session: Session) -> list[Finding]:
    from descartes_server.operations.lisp_settings import image_settings
    from descartes_swank import discovery
    from descartes_swank.errors import SwankError

    loaded = settings.load(session.workspace.root, trusted=session.trusted)
    if (other := _other_lisp(session.workspace.root, loaded.settings.lisp)) is not None:
        return [other]
    wanted = image_settings(session.workspace.root, loaded.settings.lisp)
    findings = [
        Finding("lisp", each.place, each.found or "nothing", "ok" if each.found else "missing")
        for each in discovery.search_report(wanted)
    ]
    for find in (discovery.find_lisp, discovery.find_swank):
        try:
            find(wanted)
        except SwankError as error:
            findings.append(Finding("lisp", NEEDED, str(error), "missing"))
    return findings


def _programs() -> list[Finding]:
    found = [("git", "git"), *(("editor", name) for name in EDITORS)]
    return [
        Finding(area, name, path or "not on the PATH", "ok" if path else "missing")
        for area, name in found
        for path in [shutil.which(name)]
    ]


def _settings(session: Session) -> list[Finding]:
    loaded = settings.load(session.workspace.root, trusted=session.trusted)
    trust = Finding("trust", str(session.workspace.root), "trusted" if session.trusted else "not trusted")
    places = [
        Finding("settings", f"{each.file}:{each.line}", each.message, "missing") for each in loaded.problems
    ]
    return [trust, *places]


def _log(session: Session) -> list[Finding]:
    from descartes_core import store

    place: Path = session.workspace.database
    try:
        session.workspace.check()
        found = asyncio.run(store.verify(place))
    except DescartesError as error:
        return [Finding("log", str(place), error.message, "wrong")]
    if not place.exists():
        return [Finding("log", str(place), "nothing has been recorded yet")]
    if not found.ok:
        return [Finding("log", str(place), f"event {found.wrong} is wrong: {found.reason}", "wrong")]
    return [Finding("log", str(place), f"{found.events} events, unbroken")]


def _restore(session: Session) -> list[Finding]:
    place = session.workspace.state / "restore" / "current"
    if not any((place / name).exists() for name in ("journal", "phase")):
        return []
    told = "a restore or a bulk edit was interrupted; run descartes doctor --fix"
    return [Finding("restore", str(place), told, "wrong")]


def _fix(session: Session) -> list[Finding]:
    """Have the hub, which alone changes anything, put right what was interrupted."""
    root = str(session.workspace.root)
    try:
        done = session.call("hub.repair", {})
    except DescartesError as error:
        return [Finding("fix", root, error.message, "wrong")]
    told = done["restore"] or "no restore or bulk edit was interrupted"
    return [
        Finding("fix", root, told),
        Finding("fix", str(session.workspace.database), f"tables rebuilt from {done['events']} events"),
    ]


def _hub(session: Session) -> list[Finding]:
    from descartes_server.hub import record

    found = record.read(session.workspace)
    if found is None:
        return [Finding("hub", str(session.workspace.socket), "not running; started when needed")]
    return [Finding("hub", found.socket, f"process {found.pid}, version {found.version}")]
