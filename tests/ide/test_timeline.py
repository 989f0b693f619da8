"""History as entries and as a document: what a person reads, and what the text alone gives back."""

from __future__ import annotations

from typing import Any

import pytest

from descartes_core.model import Event, Principal
from descartes_server.ide import timeline_document, timeline_entries
from descartes_server.ide.timeline_document import Page
from descartes_server.ide.timeline_entries import Level

FIXER = Principal(kind="agent", id="run_1", name="fixer")
ANN = Principal(kind="human", id="ann", name="Ann")


def event(seq: int, category: str, name: str, data: dict[str, Any], parent: int | None = None) -> Event:
    return Event(
        id=f"evt_{seq}", seq=seq, at=f"2026-11-21T10:00:{seq:02}.000Z", category=category,  # type: ignore[arg-type]
        name=name, actor=FIXER, run="run_1", parent=f"evt_{parent}" if parent else None, data=data,
    )  # fmt: skip


CALL = {"id": "c1", "name": "edit", "arguments": {"path": "a.lisp"}}
HISTORY = [
    event(1, "system", "run.spawned", {"task": "Tidy <b>*up*</b>", "backend": "model"}),
    event(2, "communication", "message", {"role": "user", "content": "Tidy"}),
    event(3, "state_change", "run.status", {"from": "idle", "to": "initializing"}),
    event(4, "communication", "message", {"role": "assistant", "content": "", "toolCalls": [CALL]}),
    event(5, "decision", "intervention.opened", {"id": "int_1", "title": "edit a.lisp", "detail": "d"}, 4),
    event(6, "decision", "intervention.answered", {"id": "int_1", "choice": "accept", "reason": "fine"}, 5),
    event(7, "tool_use", "tool.started", {"callId": "c1", "tool": "edit",
          "arguments": {"path": "a.lisp", "old": "(a)", "new": "(b)\n```"}}, 4),
    event(8, "action", "file.written", {"path": "a.lisp"}, 7),
    event(9, "tool_use", "tool.completed",
          {"callId": "c1", "tool": "edit", "result": "ok", "durationMs": 1500}, 7),
    event(10, "tool_use", "tool.started",
          {"callId": "c2", "tool": "shell", "arguments": {"command": "x"}}, 4),
    event(11, "tool_use", "tool.failed", {"callId": "c2", "tool": "shell", "error": {"message": "No x"}}, 10),
    event(12, "error", "error", {"message": "No x"}, 11),
    event(13, "communication", "message", {"role": "assistant", "content": "Done -->", "toolCalls": []}),
    event(14, "state_change", "run.status", {"from": "thinking", "to": "completed"}),
]  # fmt: skip


def told(level: Level) -> list[str]:
    return [f"{each.seq} {each.sign} {each.what}" for each in timeline_entries.entries(HISTORY, level)]


def test_a_step_is_a_call_with_what_became_of_it() -> None:
    assert told("steps") == [
        "1 ● began the run Tidy <b>*up*</b>",
        "2 ❝ said",
        "5 ? asked: edit a.lisp — Ann answered accept: fine".replace("Ann", "fixer"),
        "7 ✎ edit a.lisp (1.5 s)",
        "10 ✗ shell x",
        "13 ❝ said",
        "14 ● completed",
    ]
    bodies = [each.body for each in timeline_entries.entries(HISTORY, "steps")]
    assert bodies[3:6] == ["ok", "No x", "Done -->"]


def test_a_turn_is_everything_up_to_the_next_answer() -> None:
    entries = timeline_entries.entries(HISTORY, "turns")
    assert [each.seq for each in entries] == [1, 2, 13, 14]
    assert entries[1].body == "Tidy\n2 calls · 1 failed · asked 1 time · wrote a.lisp"


def test_every_event_has_words_of_its_own() -> None:
    assert len(told("events")) == len(HISTORY)
    assert told("events")[3] == "4 ❝ wants edit a.lisp"


def page(at: int, **more: Any) -> Page:
    entries = timeline_entries.entries(HISTORY, "steps")
    fields: dict[str, Any] = {
        "title": "Tidy", "facts": "fixer", "about": {"run": "run_1"}, "entries": entries, "at": at,
        "level": "steps", "first": 1, "last": 14, "marks": {11: "error", 8: "written"},
    }  # fmt: skip
    return Page(**fields | more)


def test_a_document_gives_back_what_it_shows() -> None:
    text = timeline_document.document(page(9))
    shown = timeline_document.read(text)
    assert shown is not None
    assert (shown.about, shown.at, shown.level, shown.event) == ({"run": "run_1"}, 9, "steps", "evt_7")
    assert [each.seq for each in shown.headings] == [1, 2, 5, 7, 10, 13, 14]
    assert shown.present == 3
    assert text.splitlines()[4].count("▶") == 1
    assert "✗" in text.splitlines()[4]
    assert "````diff\n-(a)\n+(b)\n+```\n````" in text


def test_the_lenses_lead_to_what_is_beside() -> None:
    lenses = timeline_document.lenses(timeline_document.document(page(9)))
    ways = {each.command.title: each.command.arguments for each in lenses if each.command.title != "look"}
    assert ways["◀ previous"]["at"] == "5"
    assert ways["next ▶"] == {"run": "run_1", "at": "10", "level": "steps", "show": True}
    assert ways["restore here"] == {"run": "run_1", "to": "evt_7", "ask": True}
    assert ways["turns"]["at"] == "9" and ways["turns"]["level"] == "turns"
    assert "[steps]" in ways
    first = timeline_document.lenses(timeline_document.document(page(0)))
    assert "◀ previous" not in [each.command.title for each in first]
    last = timeline_document.lenses(timeline_document.document(page(99)))
    assert "next ▶" not in [each.command.title for each in last]


@pytest.mark.parametrize("name", ["a --> b", "<!-- x -->", "ü😀"])
def test_a_name_never_ends_the_document_early(name: str) -> None:
    text = timeline_document.document(page(3, about={"uri": f"file:///{name}"}))
    shown = timeline_document.read(text)
    assert shown is not None and shown.about == {"uri": f"file:///{name}"}


@pytest.mark.parametrize(
    "text",
    ["", "# x\n", "<!-- descartes history {", "<!-- descartes history [] -->", "<!-- descartes history"],
)
def test_what_is_no_history_document_has_no_lenses(text: str) -> None:
    assert timeline_document.lenses(text) == []
    assert timeline_document.symbols(text) is None


def test_a_page_in_between_says_what_is_left_out() -> None:
    text = timeline_document.document(page(9, before=1, after=12345))
    assert "*1 event before*" in text and "*12,345 events behind*" in text
    assert "Nothing has happened yet." in timeline_document.document(page(9, entries=[]))
