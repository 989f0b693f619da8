"""History as a Markdown document: a page of entries, of which one is the present moment.

The last line says what the document shows, so that its lenses and its outline follow from its text alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from descartes_core.model import Event
from descartes_server.ide.lenses import Command, Lens
from descartes_server.ide.svg import counted
from descartes_server.ide.symbols import Symbol
from descartes_server.ide.timeline_entries import LEVELS, MEANINGS, SIGNS, Entry, Level

BODY_LINES = 3
OPEN_LINES = 40
"""How many lines of what was said an entry shows, and the present one."""
BAR = 64
_MARK = "<!-- descartes history "
_HEADING = re.compile(r"^## (▶ )?(\d+) .*$", re.MULTILINE)
_FAST = 64.0


@dataclass(frozen=True)
class Page:
    """What a document shows: ENTRIES around the moment AT of a history, and where they are in it.

    ABOUT is what `history.document` is asked with: `run` or `uri`, and `level`.
    """

    title: str
    facts: str
    about: Mapping[str, Any]
    entries: Sequence[Entry]
    at: int
    level: Level
    first: int
    last: int
    before: int = 0
    after: int = 0
    """How many events lie before and behind the page."""
    marks: Mapping[int, str] = field(default_factory=dict)
    """Kinds of what is worth seeing in the whole history, by sequence number."""
    playback: Mapping[str, Any] | None = None

    @property
    def present(self) -> int:
        """The index of the present entry: the last one that had begun at AT."""
        found = [index for index, entry in enumerate(self.entries) if entry.seq <= self.at]
        return found[-1] if found else 0


def document(page: Page) -> str:
    """Return PAGE in Markdown."""
    lines = [f"# {page.title}", "", page.facts, "", *_bar(page), ""]
    if page.before:
        lines += [f"*{counted(page.before, 'event')} before*", ""]
    present = page.present
    for index, entry in enumerate(page.entries):
        lines += _lines(entry, is_present=index == present)
    if not page.entries:
        lines += ["Nothing has happened yet.", ""]
    if page.after:
        lines += [f"*{counted(page.after, 'event')} behind*", ""]
    state = {**page.about, "level": page.level, "at": page.at}
    if page.entries:
        state["event"] = page.entries[present].event
    if page.playback:
        state["playback"] = page.playback
    return "\n".join(lines) + f"{_MARK}{_json(state)} -->\n"


def _json(state: Mapping[str, Any]) -> str:
    # A comment ends at the first "-->", which a name may contain.
    return json.dumps(state, ensure_ascii=False).replace(">", "\\u003e")


def _bar(page: Page) -> Iterator[str]:
    """Yield a line that stands for the whole history, with what is worth seeing in its place."""
    width = max(page.last - page.first, 1)
    cells = ["─"] * BAR
    for seq, kind in sorted(page.marks.items(), key=lambda each: _WEIGHT.get(each[1], 0)):
        if page.first <= seq <= page.last:
            cells[(seq - page.first) * (BAR - 1) // width] = SIGNS[kind]
    at = min(max(page.at, page.first), page.last)
    cells[(at - page.first) * (BAR - 1) // width] = "▶"
    yield f"    ├{''.join(cells)}┤"
    kinds = [kind for kind in MEANINGS if kind in page.marks.values()]
    if kinds:
        yield f"     {' '.join(f'{SIGNS[kind]} {MEANINGS[kind]} ' for kind in kinds)}".rstrip()


_WEIGHT = {"snapshot": 1, "written": 2, "fork": 3, "question": 4, "error": 5}


def _lines(entry: Entry, *, is_present: bool) -> Iterator[str]:
    sign = "▶ " if is_present else ""
    yield f"## {sign}{entry.seq} {entry.sign} {entry.at[11:19]} {_escaped(entry.who)} {_escaped(entry.what)}"
    yield ""
    body = entry.body.strip("\n")
    if body:
        yield from _quoted(body, OPEN_LINES if is_present else BODY_LINES)
        yield ""
    if is_present:
        yield from _details(entry)


def _quoted(text: str, most: int) -> Iterator[str]:
    lines = text.split("\n")
    shown = lines if len(lines) <= most + 1 else lines[:most]
    for line in shown:
        yield f"    {line[:200]}".rstrip()
    if len(lines) > len(shown):
        yield f"    … {len(lines) - len(shown)} more lines"


def _details(entry: Entry) -> Iterator[str]:
    first = entry.events[0]
    yield f"- time: {entry.at}"
    yield f"- who: {first.actor.kind} {_escaped(first.actor.name)}"
    if first.run:
        yield f"- run: `{first.run[4:12]}`"
    for event in entry.events:
        yield f"- event {event.seq}: `{event.name}` `{event.id}`"
    if first.git_commit:
        yield f"- commit: `{first.git_commit[:12]}`"
    if first.tags:
        yield f"- tags: {', '.join(first.tags)}"
    for event in entry.events:
        yield from _changed(event)
    yield ""


def _changed(event: Event) -> Iterator[str]:
    """Yield what a call wanted to change, as a diff of its arguments."""
    given = event.data.get("arguments") if event.name == "tool.started" else None
    if not isinstance(given, dict):
        return
    old, new = given.get("old"), given.get("new") or given.get("content")
    if not isinstance(new, str):
        return
    removed = old.split("\n") if isinstance(old, str) else []
    lines = [*(f"-{line}" for line in removed), *(f"+{line}" for line in new.split("\n"))]
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", new + str(old or ""))), 3)
    yield ""
    yield f"{fence}diff"
    yield from lines[:OPEN_LINES]
    if len(lines) > OPEN_LINES:
        yield f" … {len(lines) - OPEN_LINES} more lines"
    yield fence


def _escaped(text: str) -> str:
    """Return TEXT so that Markdown takes nothing in it for more than it is."""
    return re.sub(r"([\\`*_<\[])", r"\\\1", text)


@dataclass(frozen=True)
class Heading:
    """An entry as it stands in a document's text."""

    seq: int
    start: int
    end: int
    title: str
    is_present: bool


@dataclass(frozen=True)
class Shown:
    """A document read back: what it is ABOUT, at which moment and LEVEL, and its headings."""

    about: Mapping[str, Any]
    at: int
    level: str
    headings: Sequence[Heading]
    playback: Mapping[str, Any] | None
    event: str | None
    """The first event of the present entry."""

    @property
    def present(self) -> int | None:
        return next((index for index, each in enumerate(self.headings) if each.is_present), None)


def read(text: str) -> Shown | None:
    """Return what the document TEXT shows; None when it is no history document."""
    start = text.rfind(_MARK)
    if start < 0:
        return None
    try:
        state = json.loads(text[start + len(_MARK) :].partition(" -->")[0])
    except ValueError:
        return None
    if not isinstance(state, dict):
        return None
    about = {key: state[key] for key in ("run", "uri") if isinstance(state.get(key), str)}
    event = state.get("event")
    headings = [
        Heading(int(found[2]), found.start(), found.end(), found[0].lstrip("# "), found[1] is not None)
        for found in _HEADING.finditer(text)
    ]
    playback = state.get("playback")
    return Shown(
        about,
        int(state.get("at") or 0),
        str(state.get("level")),
        headings,
        playback if isinstance(playback, dict) else None,
        event if isinstance(event, str) else None,
    )


def lenses(text: str) -> list[Lens]:
    """Return the lenses of the history document TEXT; none when it is no such document."""
    shown = read(text)
    return [] if shown is None else [*_top(shown), *_at_present(shown), *_elsewhere(shown)]


def _top(shown: Shown) -> Iterator[Lens]:
    for command in (*_played(shown), *_zoomed(shown)):
        yield Lens(0, 0, command)
    if "run" in shown.about:
        yield Lens(0, 0, Command("picture", "descartes.history.picture", {**shown.about, "show": True}))


def _played(shown: Shown) -> Iterator[Command]:
    if "run" not in shown.about:
        return
    name, playback = "descartes.history.playback", shown.playback
    about = {"run": shown.about["run"]}
    if playback is None:
        yield Command("▶ play", name, {**about, "from": str(shown.at), "level": shown.level, "show": True})
        return
    if playback["state"] == "playing":
        yield Command("⏸ pause", name, {**about, "action": "pause"})
    else:
        yield Command("▶ go on", name, {**about, "action": "play"})
    speed = float(playback["speed"])
    yield Command("slower", name, {**about, "speed": max(speed / 2, 1 / _FAST)})
    yield Command(f"faster (now × {speed:g})", name, {**about, "speed": min(speed * 2, _FAST)})
    yield Command("■ stop", name, {**about, "action": "stop"})


def _zoomed(shown: Shown) -> Iterator[Command]:
    for level in LEVELS:
        title = f"[{level}]" if level == shown.level else level
        yield _goes_to(shown, title, shown.at, level)


def _at_present(shown: Shown) -> Iterator[Lens]:
    index = shown.present
    if index is None or shown.event is None:
        return
    here = shown.headings[index]
    commands = []
    if index > 0:
        commands.append(_goes_to(shown, "◀ previous", shown.headings[index - 1].seq))
    if index + 1 < len(shown.headings):
        commands.append(_goes_to(shown, "next ▶", shown.headings[index + 1].seq))
    run = shown.about.get("run")
    if run is not None:
        where = {"run": run, "to": shown.event, "ask": True}
        commands.append(Command("restore here", "descartes.restore.preview", where))
        at = {"run": run, "at": shown.event, "show": True}
        commands.append(Command("fork here", "descartes.session.fork", at))
        commands.append(Command("state here", "descartes.history.state", at))
    commands.append(Command("show event", "descartes.history.show", {"event": shown.event, "show": True}))
    for command in commands:
        yield Lens(here.start, here.start, command)


def _elsewhere(shown: Shown) -> Iterator[Lens]:
    for heading in shown.headings:
        if not heading.is_present:
            yield Lens(heading.start, heading.start, _goes_to(shown, "look", heading.seq))


def _goes_to(shown: Shown, title: str, seq: int, level: str | None = None) -> Command:
    arguments = {**shown.about, "at": str(seq), "level": level or shown.level, "show": True}
    return Command(title, "descartes.history.document", arguments)


def symbols(text: str) -> list[Symbol] | None:
    """Return the outline of the history document TEXT: its entries; None when it is no such document."""
    shown = read(text)
    if shown is None:
        return None
    ends = [*(each.start for each in shown.headings[1:]), text.rfind(_MARK)]
    return [
        Symbol(each.title, "definition", "", each.start, end, each.start, each.end, ())
        for each, end in zip(shown.headings, ends, strict=False)
    ]
