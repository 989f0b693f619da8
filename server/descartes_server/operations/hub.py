"""The operations `hub.*`: the background process of this workspace itself."""

from __future__ import annotations

from descartes_core.model import Shape
from descartes_server.operations.context import Context
from descartes_server.operations.registry import Empty, NoParams, Params, operation


class HubStatus(Shape, frozen=True, kw_only=True):
    """The hub; PID is None where none runs. SOCKET is where it listens, or would."""

    pid: int | None
    version: str | None
    started_at: str | None
    clients: int
    runs: int
    socket: str
    tasks: int = 0
    """What goes on in its loop at this moment."""


class StopParams(Params, frozen=True, kw_only=True):
    """FORCE: also while runs are at work; they are taken up again by the next hub."""

    force: bool = False


async def _no_hub(context: Context, params: NoParams) -> HubStatus:
    socket = str(context.services.workspace.socket)
    return HubStatus(pid=None, version=None, started_at=None, clients=0, runs=0, socket=socket)


async def _nothing_to_stop(context: Context, params: StopParams) -> Empty:
    return Empty()


@operation("hub.status", kind="ask", without_hub=_no_hub)
async def status(context: Context, params: NoParams) -> HubStatus:
    """Show the hub of this workspace: its process, its clients and runs, its socket."""
    return context.services.hub.status()


@operation("hub.stop", kind="ask", without_hub=_nothing_to_stop)
async def stop(context: Context, params: StopParams) -> Empty:
    """End the hub, unless runs are at work; the image stays."""
    context.services.hub.stop(force=params.force)
    return Empty()
