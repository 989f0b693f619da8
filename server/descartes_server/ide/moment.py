"""What a run knew and held at a moment, in lines for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from descartes_server.ide.timeline_entries import one_line

SHOWN_LINES = 12
NAMES = {"user": "you", "assistant": "agent", "tool": "tool"}


def lines(state: Mapping[str, Any], width: int) -> Iterator[str]:
    """Yield STATE in lines of at most WIDTH columns: what it was, then the conversation to its end."""
    context = state["context"]
    status = state["status"] or "not begun"
    if state["phase"]:
        status += f" ({state['phase']})"
    at = f" · {state['at']}" if state["at"] else ""
    yield f"run {state['run'][4:12]} · event {state['seq']}{at}"
    yield f"{status} · turn {state['turn']} · {one_line(context.get('task', ''), width - len(status) - 16)}"
    yield from _section("said", [_said(each, width) for each in state["messages"]])
    yield from _section("to be done", [_call(each["call"], width) for each in state["pending"]])
    yield from _section("asked, and not answered", [each["title"] for each in state["questions"]])
    yield from _section("written", [f"{each['path']} × {len(each['events'])}" for each in state["files"]])
    yield from _section("leased", state["leases"])
    yield from _section("thought", [one_line(each["content"], width - 2) for each in state["thoughts"]])
    yield from _section("not in the log any more", state["skipped"])


def _section(title: str, found: Sequence[str]) -> Iterator[str]:
    if not found:
        return
    yield ""
    yield f"{title}:"
    if len(found) > SHOWN_LINES:
        yield f"  … {len(found) - SHOWN_LINES} before"
    for line in found[-SHOWN_LINES:]:
        yield f"  {line}"


def _said(message: Mapping[str, Any], width: int) -> str:
    calls = ", ".join(_call(each, width) for each in message["toolCalls"])
    text = " ".join(message["content"].split())
    what = " → ".join(part for part in (text, calls) if part)
    return f"{NAMES[message['role']]:<6}{one_line(('✗ ' if message['failed'] else '') + what, width - 8)}"


def _call(call: Mapping[str, Any], width: int) -> str:
    arguments = call["arguments"]
    about = arguments.get("path") or arguments.get("command") or arguments.get("code") or ""
    return one_line(f"{call['name']} {about}".strip(), width - 2)
