"""The operation `lisp.connect`: an image that somebody else started, here or on another host."""

from __future__ import annotations

from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations.context import Context
from descartes_server.operations.registry import Params, operation
from descartes_server.operations.settings import PathPair


class ConnectParams(Params, frozen=True, kw_only=True):
    """The Swank server to attach to; without SECRET the first line of ~/.slime-secret, where there is one.

    SSH: the host from which HOST and PORT are reached. PATHS: folders that are called otherwise there,
    instead of the setting `lisp.paths`.
    """

    host: str
    port: int
    secret: str | None = None
    ssh: str | None = None
    paths: list[PathPair] | None = None


@operation("lisp.connect", kind="effect", needs_trust=True, positional=("host", "port"))
async def connect(context: Context, params: ConnectParams) -> shapes.LispStatus:
    """Attach to a Swank server that runs already."""
    image = context.services.image
    return await image.connect(
        image.server_at(params.host, params.port, params.secret, params.ssh, params.paths)
    )
