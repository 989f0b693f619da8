"""What happened, as entries that a person reads: events put together, with a sign and a sentence each.

Three levels of detail: every event; steps, where a call and what became of it are one; turns, where
everything that an agent did between two answers is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from descartes_core.model import Event
from descartes_server.ide.svg import counted

Level = Literal["events", "steps", "turns"]
LEVELS: tuple[Level, ...] = ("turns", "steps", "events")
HIDDEN = ("run.phase", "run.usage", "lease.renewed", "lease.acquired", "lease.released", "lease.expiring")
"""Names of events that are shown on the level of all events only."""
SIGNS = {
    "said": "❝",
    "thought": "∴",
    "call": "▸",
    "written": "✎",
    "question": "?",
    "error": "✗",
    "snapshot": "◆",
    "fork": "⑂",
    "status": "●",
    "lisp": "λ",
    "other": "·",
}
MEANINGS = {
    "error": "error", "question": "question", "written": "file written", "snapshot": "snapshot",
    "fork": "fork", "said": "said", "call": "tool call", "status": "status",
}  # fmt: skip
_QUIET = frozenset(["idle", "initializing", "running", "thinking"])
_LINE = 100


@dataclass(frozen=True)
class Entry:
    """One entry. KIND is a key of `SIGNS`; EVENTS are those it stands for, the first one named by SEQ."""

    seq: int
    event: str
    at: str
    who: str
    kind: str
    what: str
    body: str = ""
    events: tuple[Event, ...] = field(default=(), repr=False)

    @property
    def sign(self) -> str:
        return SIGNS[self.kind]

    @property
    def last(self) -> Event:
        return self.events[-1]


def entries(events: Sequence[Event], level: Level) -> list[Entry]:
    """Return EVENTS, oldest first, as entries on LEVEL."""
    if level == "events":
        return [entry_of(event) for event in events]
    steps = _steps(events)
    return steps if level == "steps" else _turns(steps)


def entry_of(event: Event) -> Entry:
    """Return EVENT as an entry of its own."""
    kind, what, body = _words(event)
    who = event.actor.name
    return Entry(event.seq, event.id, event.at, who, kind, what, body, (event,))


def one_line(text: Any, room: int = _LINE) -> str:
    """Return TEXT in one line of at most ROOM characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= room else f"{line[: room - 1]}…"


def call_words(tool: str, arguments: Any) -> str:
    """Return a call of TOOL in a few words: `edit story.lisp`, `shell make test`."""
    given = arguments if isinstance(arguments, dict) else {}
    about = next((given[key] for key in _TELLING if given.get(key)), "")
    return one_line(f"{tool} {about}".strip(), 80)


_TELLING = ("path", "command", "code", "expression", "pattern", "name", "title")


def _steps(events: Sequence[Event]) -> list[Entry]:
    found: list[Entry] = []
    places: dict[str, int] = {}
    """Where the entry of an event stands, by the event's id, and that of a question by the question's."""
    for event in events:
        place = _joins(event, places)
        if place is not None:
            found[place] = _joined(found[place], event)
            places[event.id] = place
        elif not _is_quiet(event):
            places[event.id] = len(found)
            if event.name == "intervention.opened":
                places[event.data.get("id", "")] = len(found)
            found.append(entry_of(event))
    return found


def _joins(event: Event, places: dict[str, int]) -> int | None:
    match event.name:
        case "tool.completed" | "tool.failed" | "file.written" | "error":
            return places.get(event.parent or "")
        case "intervention.answered" | "intervention.closed":
            return places.get(event.data.get("id", ""))
    return None


def _joined(entry: Entry, event: Event) -> Entry:
    entry = replace(entry, events=(*entry.events, event))
    data = event.data
    match event.name:
        case "tool.completed":
            return replace(entry, what=_timed(entry.what, data), body=str(data.get("result", "")))
        case "tool.failed":
            problem = _message(data.get("error"))
            return replace(entry, kind="error", what=_timed(entry.what, data), body=problem)
        case "file.written":
            return replace(entry, kind="written")
        case "intervention.answered":
            reason = f": {one_line(data['reason'], 60)}" if data.get("reason") else ""
            answer = f"{event.actor.name} answered {data.get('choice')}{reason}"
            return replace(entry, what=f"{entry.what} — {answer}")
        case "intervention.closed":
            return replace(entry, what=f"{entry.what} — closed: {one_line(data.get('reason', ''), 60)}")
    return entry


def _is_quiet(event: Event) -> bool:
    """Whether EVENT is a detail that the entries around it say better."""
    if event.name in HIDDEN:
        return True
    if event.name == "body.snapshot":
        return not event.data.get("fresh", True)
    if event.name == "run.status":
        return event.data.get("to") in _QUIET or event.data.get("phase") == "waiting"
    return event.name == "message" and not event.data.get("content") and bool(event.data.get("toolCalls"))


def _turns(steps: Sequence[Entry]) -> list[Entry]:
    """Join what an agent did with what it said before; what others say and do stands alone."""
    found: list[Entry] = []
    for step in steps:
        alone = step.kind in ("said", "status", "fork") or not found
        if alone:
            found.append(step)
        else:
            found[-1] = replace(found[-1], events=(*found[-1].events, *step.events))
    return [replace(turn, body=_summed(turn)) for turn in found]


def _summed(turn: Entry) -> str:
    rest = turn.events[1:]
    calls = [event for event in rest if event.name == "tool.started"]
    failed = sum(event.name == "tool.failed" for event in rest)
    written = dict.fromkeys(event.data.get("path", "") for event in rest if event.name == "file.written")
    asked = sum(event.name == "intervention.opened" for event in rest)
    parts = [
        counted(len(calls), "call") if calls else "",
        f"{failed} failed" if failed else "",
        f"asked {counted(asked, 'time')}" if asked else "",
        f"wrote {one_line(', '.join(written), 60)}" if written else "",
    ]
    summary = " · ".join(part for part in parts if part)
    return "\n".join(part for part in (turn.body, summary) if part)


def _words(event: Event) -> tuple[str, str, str]:
    """Return the kind of EVENT, what happened in a line, and the text that belongs to it."""
    data, name = event.data, event.name
    if name == "message":
        return _said(data)
    if name.startswith("tool."):
        return _call(name, data)
    if name.startswith("intervention."):
        return _question(name, data)
    if name.startswith("run."):
        return _run(name, data)
    if name.startswith("lease."):
        return "other", f"{name.removeprefix('lease.')} the lease on {data.get('path', '')}", ""
    if name.startswith("lisp."):
        return "lisp", f"{name}{_about(data)}", str(data.get("output") or "")
    if name == "thought":
        kind = "plan" if data.get("thoughtType") == "plan" else "thought"
        return "thought", kind, str(data.get("content", ""))
    if name in ("file.written", "file.saved"):
        return "written", f"{'wrote' if name == 'file.written' else 'saved'} {data.get('path', '')}", ""
    if name == "session.forked":
        return "fork", f"forked at event {data.get('seq')}{_about(data)}", ""
    if name == "body.snapshot":
        return "snapshot", f"kept {counted(data.get('files', 0), 'file')}{_about(data)}", ""
    if name.startswith(("body.", "restore.")):
        return "snapshot", f"{name.replace('.', ' ')}{_about(data)}", ""
    if event.category == "error":
        return "error", one_line(_message(data)), ""
    return "other", f"{name}{_about(data)}", ""


def _said(data: dict[str, Any]) -> tuple[str, str, str]:
    calls = [call_words(each.get("name", ""), each.get("arguments")) for each in data.get("toolCalls") or ()]
    text = str(data.get("content", ""))
    if text:
        return "said", "said", text
    return "said", f"wants {one_line(', '.join(calls))}" if calls else "said nothing", ""


def _call(name: str, data: dict[str, Any]) -> tuple[str, str, str]:
    if name == "tool.started":
        words = call_words(data.get("tool", ""), data.get("arguments"))
        return "call", words if data.get("executed", True) else f"{words}, not executed", ""
    failed = name == "tool.failed"
    body = _message(data.get("error")) if failed else str(data.get("result", ""))
    what = f"{data.get('tool', '')} {'failed' if failed else 'done'}"
    return "error" if failed else "call", _timed(what, data), body


def _question(name: str, data: dict[str, Any]) -> tuple[str, str, str]:
    if name == "intervention.opened":
        return "question", f"asked: {one_line(data.get('title', ''))}", str(data.get("detail", ""))
    if name == "intervention.answered":
        return "question", f"answered {data.get('choice')}", str(data.get("reason") or "")
    return "question", f"question closed: {one_line(data.get('reason', ''))}", ""


def _run(name: str, data: dict[str, Any]) -> tuple[str, str, str]:
    if name == "run.spawned":
        return "status", f"began the run {one_line(data.get('task', ''), 70)}", ""
    if name == "run.status":
        reason = f": {one_line(data['reason'])}" if data.get("reason") else ""
        kind = "error" if data.get("to") == "failed" else "status"
        return kind, f"{data.get('to')}{reason}", ""
    return "other", f"{name}{_about(data)}", ""


def _timed(what: str, data: dict[str, Any]) -> str:
    ms = data.get("durationMs")
    return what if not isinstance(ms, int) or ms < 10 else f"{what} ({duration(ms)})"


def duration(ms: float) -> str:
    """Return MS as people say it: `12 ms`, `3.4 s`, `5 min`, `2.5 h`."""
    for limit, unit, size in ((1000, "ms", 1), (60_000, "s", 1000), (3_600_000, "min", 60_000)):
        if ms < limit:
            return f"{ms / size:.0f} {unit}" if size == 1 else f"{ms / size:.1f} {unit}"
    return f"{ms / 3_600_000:.1f} h"


def _message(error: Any) -> str:
    return str(error.get("message", "")) if isinstance(error, dict) else str(error or "")


def _about(data: dict[str, Any]) -> str:
    for key in ("reason", "title", "code", "path", "symbol", "name", "message", "task"):
        if isinstance(data.get(key), str) and data[key]:
            return f": {one_line(data[key], 70)}"
    return ""


def paths_in(events: Iterable[Event]) -> list[str]:
    """Return the files that EVENTS wrote, each once."""
    return [*dict.fromkeys(event.data.get("path", "") for event in events if event.name == "file.written")]
