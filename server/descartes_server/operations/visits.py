"""What the variables of a frame were when it was looked into before: at an earlier step, before a `setq`."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from descartes_server.operations import lisp_shapes as shapes

FRAMES, VALUES = 200, 10
"""How many frames are remembered, and how many values of a variable."""
_Frame = tuple[object, ...]


class Visits:
    """The variables of visited frames. Nothing is remembered when it is made."""

    def __init__(self) -> None:
        self._seen: dict[_Frame, dict[str, list[str]]] = {}

    def with_earlier(
        self, debugger: shapes.Debugger, frame: int, variables: Iterable[shapes.Local]
    ) -> list[shapes.Local]:
        """Return VARIABLES of the FRAME of DEBUGGER, each with its other values at earlier visits.

        The frame is the same as long as its evaluation goes on: a call of that function at that depth.
        """
        variables = list(variables)
        key = _frame(debugger, frame)
        if key is None:
            return variables
        seen = self._seen.pop(key, {})
        now = {each.name: _added(seen.get(each.name, []), each.value) for each in variables}
        # At some steps the compiler keeps a variable nowhere; it is seen again at a later one.
        self._seen[key] = seen | now
        while len(self._seen) > FRAMES:
            del self._seen[next(iter(self._seen))]
        return [msgspec.structs.replace(each, earlier=self._seen[key][each.name][1:]) for each in variables]


def _frame(debugger: shapes.Debugger, frame: int) -> _Frame | None:
    if not 0 <= frame < len(debugger.frames):
        return None  # what it calls is not known here
    function = debugger.frames[frame].description.partition(" ")[0]
    return debugger.evaluation, debugger.thread, debugger.frame_count - frame, function


def _added(values: list[str], now: str) -> list[str]:
    """Return VALUES, the newest first, with the one of NOW before them."""
    return values if values[:1] == [now] else [now, *values][: VALUES + 1]
