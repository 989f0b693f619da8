"""How `descartes session show` looks: the session in one line, then its state, artifacts and trajectory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
import msgspec

from descartes_server.cli import output
from descartes_server.cli.views import Column, ago, short_id, summary

WIDEST = 100


def show(result: Mapping[str, Any]) -> None:
    """Print RESULT, what `session.show` answered; to a pipe the trajectory alone."""
    if not output.is_terminal():
        output.show_rows(TRAJECTORY, result["trajectory"], "")
        return
    click.echo(_headline(result))
    if result["state"]:
        rows = [{"key": key, "value": _text(value)} for key, value in result["state"].items()]
        output.show_rows(STATE, rows, "")
    if result["artifacts"]:
        output.show_rows(ARTIFACTS, result["artifacts"], "")
    output.show_rows(TRAJECTORY, result["trajectory"], "It has no entries.")


def _headline(result: Mapping[str, Any]) -> str:
    session = result["session"]
    parts = [
        session["id"],
        f"entry {result['seqNum']} of {session['entries']}",
        f"state version {result['stateVersion']}",
        f"changed {ago(session['changedAt'])}",
    ]
    if session.get("parent"):
        parts.insert(1, f"forked from {short_id(session['parent'])}")
    if session.get("run"):
        parts.insert(1, f"run {short_id(session['run'])}: {session.get('title') or ''}")
    return " · ".join(parts)


def said(entry: Mapping[str, Any]) -> str:
    """Return what ENTRY, of a trajectory, says in a few words.

    Example: {"type": "state_set", "content": {"key": "n", "new_value": 1, …}, …} -> "n = 1"
    """
    content = entry["content"]
    match entry["type"], content:
        case "state_set", {"key": key, "new_value": value}:
            return f"{key} = {_text(value)}"
        case "state_deleted", {"key": text} | {"name": text}:
            return str(text)
        case "artifact_written", {"name": name, "size": size, **rest}:
            version = f", version {rest['version']}" if "version" in rest else ""
            return f"{name}, {size} bytes{version}"
        case _, {"capability": capability, "params": params}:
            return f"{capability} {_text(params)}"
        case _, {"capability": capability, "result_summary": result, "success": success}:
            return f"{capability} {'→' if success else 'failed:'} {_text(result)}"
        case _, {"event": name, "data": data}:
            about = summary({"name": name, "data": data, "category": ""})
            return f"{name} · {_text(about)}" if about else str(name)
    return _text(content)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    text = " ".join(text.split())
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


ARTIFACTS = [
    Column("artifact", lambda row: row["name"], short=False),
    Column("version", lambda row: str(row["version"])),
    Column("bytes", lambda row: str(row["size"])),
    Column("entry", lambda row: str(row["seqNum"])),
]
STATE = [
    Column("key", lambda row: row["key"]),
    Column("value", lambda row: row["value"]),
]
TRAJECTORY = [
    Column("entry", lambda row: str(row["seqNum"]), lambda row: f"[dim]{row['seqNum']}[/dim]"),
    Column("time", lambda row: row["at"], lambda row: f"[dim]{row['at'][11:19]}[/dim]", width=8),
    Column("type", lambda row: row["type"]),
    Column("who", lambda row: row["agent"], most=24),
    Column("what", said),
]
