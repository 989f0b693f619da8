"""What the log says of the image of an earlier hub: whether one ran, and which threads were stopped in it.

A hub that is killed says nothing more; the next one compares this with what it finds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from descartes_core.model import Event
from descartes_core.store import EventQuery, Reader

STOPS_LOOKED_AT = 10_000


@dataclass(frozen=True)
class Recalled:
    """RUNNING: whether the log ends with an image at work; PID is its process, where that was known."""

    running: bool = False
    pid: int | None = None
    stops: dict[tuple[int, int], Event] = field(default_factory=dict)
    """The `lisp.debugger.entered` of every stop that was not left, by thread and level."""


async def recall(reader: Reader) -> Recalled:
    """Return what the log that READER reads says of the last image."""
    beginnings = [await _newest(reader, name) for name in ("lisp.started", "lisp.replayed")]
    started = max((each for each in beginnings if each), key=lambda event: event.seq, default=None)
    ends = [await _newest(reader, name) for name in ("lisp.stopped", "lisp.lost")]
    if started is None or any(end is not None and end.seq > started.seq for end in ends):
        return Recalled()
    query = EventQuery(type="lisp.debugger", limit=STOPS_LOOKED_AT)
    stops: dict[tuple[int, int], Event] = {}
    for event in reversed((await reader.events(query)).events):
        key = (event.data["thread"], event.data["level"])
        if event.seq > started.seq and event.name == "lisp.debugger.entered":
            stops[key] = event
        else:
            stops.pop(key, None)
    return Recalled(True, started.data.get("pid"), stops)


async def _newest(reader: Reader, name: str) -> Event | None:
    events = (await reader.events(EventQuery(type=name, limit=1))).events
    return events[0] if events else None
