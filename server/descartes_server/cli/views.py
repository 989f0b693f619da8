"""Which columns the lists have, and how ids, times, people and statuses look in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from descartes_server.ide import times

Row = Mapping[str, Any]
ago = times.ago

COLOURS = {
    "accepted": "green",
    "changed": "yellow",
    "aborted": "magenta",
    "closed": "dim",
    "done": "green",
    "lost": "red",
    "completed": "green",
    "failed": "red",
    "passed": "green",
    "skipped": "yellow",
    "unknown": "yellow",
    "idle": "dim",
    "initializing": "cyan",
    "loaded": "green",
    "missing": "red",
    "open": "yellow",
    "removed": "magenta",
    "paused": "yellow",
    "running": "cyan",
    "terminated": "magenta",
    "thinking": "cyan",
    "action": "blue",
    "communication": "cyan",
    "error": "red",
    "system": "dim",
    "thought": "magenta",
    "decision": "yellow",
    "state_change": "cyan",
    "tool_use": "green",
}


@dataclass(frozen=True)
class Column:
    """One column: its TITLE, its text for a pipe, and how it is SHOWN on a terminal where that differs."""

    title: str
    plain: Callable[[Row], str]
    pretty: Callable[[Row], str] | None = None
    short: bool = True
    """Whether it is cut rather than wrapped."""
    width: int | None = None
    """Characters it always gets."""
    most: int | None = None
    """Characters it gets at most."""
    in_table: bool = True
    """Whether a person sees it too."""

    def shown(self, row: Row) -> str:
        """Return the cell of ROW for a terminal, in rich's markup."""
        return self.pretty(row) if self.pretty else escape(self.plain(row))


@dataclass(frozen=True)
class View:
    """How a result is listed: its ROWS, their COLUMNS, and what is said when there are none."""

    columns: Sequence[Column]
    rows: Callable[[Row], Sequence[Row]]
    nothing: str = "There are none."


def of(operation: str) -> View | None:
    """Return the view of OPERATION's result, None when it is shown field by field."""
    # These are made of what stands here.
    from descartes_server.cli import exploring_views, memory_views, secret_views

    places = (VIEWS, exploring_views.VIEWS, memory_views.VIEWS, secret_views.VIEWS)
    return next((each[operation] for each in places if operation in each), None)


def escape(text: str) -> str:
    """Return TEXT so that rich takes nothing in it for markup."""
    return text.replace("[", "\\[")


def short_id(text: str) -> str:
    """Return the id TEXT as tables show it: `run_0f3c9a1b…` -> `0f3c9a1b`."""
    return text.partition("_")[2][:8] or text[:8]


def who(principal: Row) -> str:
    """Return PRINCIPAL as a list shows it: `agent:refactor`."""
    return f"{principal['kind']}:{principal['name']}"


def coloured(text: str, kind: str | None = None) -> str:
    """Return TEXT in the colour of KIND, a status or category; by default TEXT is that itself."""
    colour = COLOURS.get(kind or text)
    return f"[{colour}]{text}[/{colour}]" if colour else escape(text)


TARGETS = ("path", "command", "code", "title")
"""Arguments of a tool call that say what it is about; the first that it has."""


def summary(event: Row) -> str:
    """Return what EVENT is about in a few words."""
    data, name = event["data"], event["name"]
    if name.startswith("lease."):
        return (
            f"{data.get('path', '')} · {who(data['holder'])}"
            if "holder" in data
            else str(data.get("path", ""))
        )
    if name.startswith("guard.") and "paths" in data:
        return f"{data.get('tool') or data.get('hook') or ''} {' '.join(data['paths'])}".strip()
    if name == "run.status":
        reason = f" · {data['reason']}" if data.get("reason") else ""
        return f"{data.get('from')} → {data.get('to')}{reason}"
    if name.startswith("tool."):
        arguments = data.get("arguments") or {}
        target = next((arguments[key] for key in TARGETS if arguments.get(key)), "")
        return f"{data.get('name') or data.get('tool', '')} {target}".strip()
    if name.startswith("lisp.") and "code" in data:
        values = ", ".join(data.get("values") or []) or data.get("state", "")
        return f"{data['code']} → {values}"
    if name.startswith("session.") and "content" in data:
        from descartes_server.cli import sessions  # which is made of what stands here

        kind = name.removeprefix("session.").replace(".", "_")
        return sessions.said({"type": kind, "content": data["content"]})
    if name == "body.snapshot":
        return f"{data.get('when')} · {data.get('reason')}"
    if name.startswith(("restore.", "edit.")) and "files" in data:
        told = f"{data['what']} · " if data.get("what") else ""
        return f"{told}{data['files']} file{'s' * (data['files'] != 1)}"
    if isinstance(data.get("condition"), dict):
        return f"{data['condition'].get('type')}: {data['condition'].get('message')}"
    program = data.get("implementation") or (data.get("name") if name == "agent.connected" else None)
    if program:
        return f"{program} {data.get('version') or ''}".strip()
    for key in ("title", "text", "content", "task", "message", "reason", "choice", "path"):
        if data.get(key):
            return str(data[key])
    return ""


def place(row: Row) -> str:
    """Return where ROW stands as editors take it: `/a/b.lisp:3:1`."""
    if not row.get("uri"):
        return ""
    start = (row.get("range") or {}).get("start") or {}
    return ":".join(
        [unquote(urlsplit(row["uri"]).path), *(str(start[key]) for key in ("line", "column") if start)]
    )


def _drift(result: Row) -> list[Row]:
    return [*result["forms"], *({**each, "state": "removed"} for each in result["removed"])]


def _time(key: str) -> Column:
    return Column(
        key.removesuffix("At") or "time",
        lambda row: row.get(key) or "",
        lambda row: f"[dim]{ago(row[key])}[/dim]" if row.get(key) else "",
    )


def _id(title: str = "id", key: str = "id") -> Column:
    return Column(
        title,
        lambda row: row.get(key) or "",
        lambda row: f"[bold]{short_id(row[key])}[/bold]" if row.get(key) else "",
        width=8,
    )


def _field(title: str, key: str, *, short: bool = True) -> Column:
    return Column(title, lambda row: "" if row.get(key) is None else str(row[key]), short=short)


def _status(title: str, key: str) -> Column:
    return Column(title, lambda row: row.get(key) or "", lambda row: coloured(row.get(key) or ""))


LEASES = [
    _field("path", "path", short=False),
    Column(
        "holder", lambda row: who(row["holder"]), lambda row: f"[bold]{escape(who(row['holder']))}[/bold]"
    ),
    Column("mode", lambda row: row["mode"]),
    Column("token", lambda row: str(row["token"])),
    Column("expires", lambda row: row["expiresAt"], lambda row: ago(row["expiresAt"])),
    _field("reason", "reason", short=False),
]

RUNS = [
    _id(),
    _status("status", "status"),
    _field("phase", "phase"),
    _field("backend", "backend"),
    _time("startedAt"),
    Column("asks", lambda row: str(row.get("interventions") or 0)),
    _field("task", "task", short=False),
    _field("reason", "reason", short=False),
]

INTERVENTIONS = [
    _id(),
    _status("status", "status"),
    _field("kind", "kind"),
    _id("run", "run"),
    _field("title", "title", short=False),
    Column("choices", lambda row: " ".join(choice["id"] for choice in row["choices"]), short=False),
]

EVENTS = [
    Column("seq", lambda row: str(row["seq"]), lambda row: f"[dim]{row['seq']}[/dim]", width=4),
    _id(),
    Column("time", lambda row: row["at"], lambda row: f"[dim]{row['at'][11:19]}[/dim]", width=8),
    Column("category", lambda row: row["category"], in_table=False),
    Column("name", lambda row: row["name"], lambda row: coloured(row["name"], row["category"]), width=18),
    Column("who", lambda row: who(row["actor"]), lambda row: escape(row["actor"]["name"]), most=16),
    Column("what", summary, lambda row: escape(" ".join(summary(row).split())), short=True),
]

DEBUGGERS = [
    Column("stop", lambda row: f"{row['thread']} {row['level']}"),
    _time("since"),
    Column(
        "condition",
        lambda row: row["condition"]["type"],
        lambda row: f"[red]{row['condition']['type']}[/red]",
    ),
    Column("message", lambda row: row["condition"]["message"], short=False),
    Column("restarts", lambda row: " ".join(each["name"] for each in row["restarts"]), short=False),
]

BREAKPOINTS = [
    _id(),
    Column("state", lambda row: "set" if row["verified"] else "not set"),
    Column("where", lambda row: row.get("symbol") or place(row), short=False),
    Column("hits", lambda row: str(row["hits"])),
    Column("when", lambda row: row.get("condition") or "", short=False),
    Column("why not", lambda row: row.get("message") or "", short=False),
]

INSPECTIONS = [
    _id(),
    _field("type", "type"),
    _field("object", "title", short=False),
]

HUBS = [
    Column("pid", lambda row: str(row["pid"])),
    _field("workspace", "workspace", short=False),
    _field("version", "version"),
    _time("startedAt"),
]

TESTS = [
    _field("name", "name", short=False),
    _field("framework", "framework"),
    _field("system", "system"),
    Column("place", lambda row: f"{unquote(urlsplit(row['uri']).path)}:{row['range']['start']['line']}"),
]

TEST_RESULTS = [
    _status("status", "status"),
    _field("name", "name", short=False),
    _time("at"),
    _field("message", "message", short=False),
]

SYSTEMS = [
    _field("name", "name", short=False),
    Column("loaded", lambda row: "loaded" if row["loaded"] else ""),
    Column("tests", lambda row: "tests" if row["tests"] else ""),
    Column("file", lambda row: unquote(urlsplit(row.get("uri") or "").path), short=False),
]


DRIFT = [
    _status("state", "state"),
    Column("kind", lambda row: row["kind"]),
    Column("name", lambda row: " ".join([row["name"], row.get("signature") or ""]).strip(), short=False),
    Column("place", place, short=False),
]


JOURNAL = [
    Column("seq", lambda row: str(row["seq"]), lambda row: f"[dim]{row['seq']}[/dim]"),
    Column("time", lambda row: row["at"], lambda row: f"[dim]{row['at'][11:19]}[/dim]", width=8),
    Column("who", lambda row: who(row["by"]), lambda row: escape(row["by"]["name"]), most=16),
    _status("outcome", "outcome"),
    Column("kind", lambda row: row["kind"]),
    _field("package", "package"),
    Column("what", lambda row: " ".join((row.get("code") or place(row)).split())),
]

WENT_BACK = {"body": "files", "brain": "conversation", "image": "image"}
RESTORES = [
    _id(),
    Column("can be", lambda row: {"undo": "undone", "redo": "done again"}[row["can"]]),
    Column("what", lambda row: row["what"] or ", ".join(WENT_BACK[each] for each in row["bodies"])),
    _id("of run", "run"),
    _time("at"),
]

BRANCHES = [
    Column(
        "session",
        lambda row: row["session"],
        lambda row: f"{'  ' * row['depth']}{'└ ' if row['depth'] else ''}{short_id(row['session'])}",
    ),
    _time("at"),
    _id("of run", "run"),
    Column("at event", lambda row: "" if row["seq"] is None else str(row["seq"])),
    Column("runs", lambda row: " ".join(row["runs"]), lambda row: " ".join(map(short_id, row["runs"]))),
    _field("reason", "reason", short=False),
]

SESSIONS = [
    _id(),
    _field("kind", "kind"),
    _field("entries", "entries"),
    Column("state", lambda row: str(row["stateVersion"])),
    _time("changedAt"),
    _id("from", "parent"),
    _field("who", "agent"),
    _field("task", "title", short=False),
]

EXPORTED = [_id(), _field("entries", "entries"), _field("file", "path", short=False)]

GUARD_MODES: dict[str | None, str] = {"block": "is refused", "warn": "is warned of", None: "passes"}

GUARD = [
    Column("hook", lambda row: row["hook"]),
    Column("a change of what others hold", lambda row: GUARD_MODES[row["mode"]]),
    Column("called before", lambda row: row["earlier"] or ""),
]


def _one(result: Row) -> Sequence[Row]:
    return [result]


def _listed(key: str) -> Callable[[Row], Sequence[Row]]:
    return lambda result: result[key]


def _shown_lease(result: Row) -> Sequence[Row]:
    return [result["lease"]] if result.get("lease") else []


VIEWS = {
    "restore.list": View(RESTORES, _listed("restores"), "No restore can be undone."),
    "debugger.list": View(DEBUGGERS, _listed("debuggers"), "Nothing is stopped."),
    "debugger.breakpoints.list": View(BREAKPOINTS, _listed("breakpoints"), "There is no breakpoint."),
    "lisp.journal": View(JOURNAL, _listed("entries"), "Nothing was evaluated yet."),
    "lisp.drift": View(DRIFT, _drift, "The image has nothing of the workspace's files."),
    "history.list": View(EVENTS, _listed("events"), "Nothing has happened."),
    "guard.install": View(GUARD, _listed("hooks"), "This workspace is in no git repository."),
    "guard.status": View(GUARD, _listed("hooks"), "This workspace is in no git repository."),
    "guard.uninstall": View(GUARD, _listed("hooks"), "This workspace is in no git repository."),
    "inspector.list": View(INSPECTIONS, _listed("inspections"), "Nothing is inspected."),
    "intervention.list": View(INTERVENTIONS, _listed("interventions"), "No run asks anything."),
    "session.export": View(EXPORTED, lambda result: [{**result["session"], "path": result["path"]}]),
    "session.import": View(SESSIONS, _one),
    "session.list": View(SESSIONS, _listed("sessions"), "There are no sessions."),
    "session.branches": View(BRANCHES, _listed("branches"), "No session has that id."),
    "lease.acquire": View(LEASES, _one),
    "lease.list": View(LEASES, _listed("leases"), "No file is leased."),
    "lease.move": View(LEASES, _listed("leases"), "It was not leased."),
    "lease.release": View(LEASES, _one),
    "lease.renew": View(LEASES, _one),
    "lease.show": View(LEASES, _shown_lease, "Nobody holds it."),
    "lease.steal": View(LEASES, _one),
    "lisp.testResults": View(TEST_RESULTS, _listed("results"), "No test was run."),
    "lisp.tests": View(TESTS, _listed("tests"), "There are no tests."),
    "lisp.systems": View(SYSTEMS, _listed("systems"), "There is no system in this workspace."),
    "run.list": View(RUNS, _listed("runs"), "There are no runs."),
}
