"""The hub's wire shapes as what `ide` works on: 1-based lines and columns become 0-based places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from descartes_server.ide.stops import Breakpoint, Note, Place, Restart, Stop, place
from descartes_server.ide.test_marks import TestState
from descartes_server.lsp import uris


def stop(debugger: Mapping[str, Any]) -> Stop:
    """Return the Debugger of the wire as a stop."""
    location, condition = debugger.get("location"), debugger["condition"]
    origin = debugger.get("origin") or {}
    path = uris.path_of(location["uri"]) if location else None
    marked = (each for each in debugger.get("frames") or () if location and each.get("location") == location)
    frame = next(marked, None)
    start, end = _range(location["range"]) if location else ((0, 0), (0, 0))
    return Stop(
        thread=debugger["thread"],
        level=debugger["level"],
        condition_type=condition["type"],
        message=condition["message"],
        restarts=tuple(_restart(each) for each in debugger["restarts"]),
        evaluation=debugger.get("evaluation"),
        origin=origin.get("kind", "human"),
        run=origin.get("run"),
        path=uris.real(path) if path else None,
        start=start,
        end=end,
        frame=frame["index"] if frame else None,
        call=frame["description"] if frame else "",
        callable_again=bool(frame and frame["restartable"]),
        since=debugger.get("since"),
        told=(start, end),
    )


def _range(range_: Mapping[str, Any]) -> tuple[Place, Place]:
    return place(range_["start"]), place(range_["end"])


def _restart(restart: Mapping[str, Any]) -> Restart:
    parameters = tuple(each["name"] for each in restart.get("arguments") or ())
    return Restart(restart["index"], restart["name"], restart["description"], parameters)


def breakpoints(found: Iterable[Mapping[str, Any]]) -> tuple[Breakpoint, ...]:
    """Return those Breakpoints of the wire that stand somewhere in a file."""
    return tuple(_breakpoint(each, each["location"]) for each in found if each.get("location"))


def _breakpoint(breakpoint_: Mapping[str, Any], location: Mapping[str, Any]) -> Breakpoint:
    message = breakpoint_.get("message")
    path = uris.path_of(location["uri"])
    start, end = _range(location["range"])
    return Breakpoint(
        id=breakpoint_["id"],
        verified=breakpoint_["verified"],
        path=uris.real(path) if path else "",
        start=start,
        end=end,
        condition=breakpoint_.get("condition"),
        message=message,
        waits="it is set when" in (message or "") or "is set when it is" in (message or ""),
        told=(start, end),
    )


def note(note_: Mapping[str, Any]) -> Note:
    """Return the Note of the wire; one without a range stands at the file's start."""
    where = note_.get("range")
    return Note(
        severity=note_["severity"],
        message=note_["message"],
        start=place(where["start"]) if where else (0, 0),
        end=place(where["end"]) if where else (0, 0),
        references=tuple(note_.get("references") or ()),
    )


def test_states(results: Iterable[Mapping[str, Any]]) -> dict[str, TestState]:
    """Return the TestResults of the wire by name."""
    return {each["name"]: _test_state(each) for each in results}


def _test_state(result: Mapping[str, Any]) -> TestState:
    location = result.get("location")
    path = uris.path_of(location["uri"]) if location else None
    real = uris.real(path) if path else None
    return TestState(result["status"], result.get("message") or "", real, result.get("formDigest"))
