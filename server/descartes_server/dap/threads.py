"""The threads of the image: those that are stopped, and those that run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descartes_core.errors import DescartesError
from descartes_server.dap import arguments
from descartes_server.dap.requests import request
from descartes_server.dap.stops import Stop

if TYPE_CHECKING:
    from descartes_server.dap.adapter import Adapter


@request("threads", arguments.Nothing)
async def threads(adapter: Adapter, _: arguments.Nothing) -> dict[str, Any]:
    """Return the threads that are stopped and those that run; without what only serves the image's users."""
    names = await _running(adapter)
    stopped = {stop.thread: _stopped(stop, names.get(stop.thread)) for stop in adapter.stops.all()}
    return {"threads": [{"id": id, "name": name} for id, name in sorted({**names, **stopped}.items())]}


@request("terminateThreads", arguments.TerminateThreads)
async def terminate_threads(adapter: Adapter, asked: arguments.TerminateThreads) -> None:
    """End threads of the image; what they evaluate is aborted."""
    for thread in asked.thread_ids:
        await adapter.session.call("lisp.killThread", {"thread": thread})


async def _running(adapter: Adapter) -> dict[int, str]:
    try:
        found = (await adapter.session.call("lisp.threads"))["threads"]
    except DescartesError:
        # The image is busy or gone; what is stopped is known without it.
        return {}
    return {each["id"]: each["name"] for each in found if not each["service"]}


def _stopped(stop: Stop, name: str | None) -> str:
    """Return how the thread of STOP is called: its NAME, whose it is, and how deep it is stopped."""
    origin = stop.debugger["origin"]
    whose = origin.get("name") or ("in the background" if origin["kind"] == "background" else origin["kind"])
    level = f", level {stop.level}" if stop.level > 1 else ""
    return f"{name or f'thread {stop.thread}'} ({whose}{level})"
