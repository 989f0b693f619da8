"""The hub on its Unix socket: who may connect, and a socket file that stays there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
from typing import Any

from descartes_core.errors import PolicyDenied
from descartes_core.processes.identity import identify
from descartes_server import __version__
from descartes_server.hub import messages, record
from descartes_server.hub.attachment import Attachment
from descartes_server.hub.service import Hub
from descartes_server.hub.wire import StreamWire
from descartes_server.operations.workspace import Workspace

log = logging.getLogger(__name__)

HELLO_S = 10.0


class SocketServer:
    """HUB's door for other processes. Made and used only by the holder of the workspace's lock."""

    def __init__(self, hub: Hub, workspace: Workspace) -> None:
        self._hub = hub
        self._workspace = workspace
        self._server: asyncio.Server | None = None
        self._identity: os.stat_result | None = None
        hub.socket = str(workspace.socket)

    async def listen(self) -> None:
        """Listen, in place of a socket that an earlier hub left, and write the record."""
        path = self._workspace.socket
        self._workspace.prepare()
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        path.chmod(0o600)
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: _Connection(self._hub), sock=listener, backlog=100
        )
        self._identity = path.stat()
        record.write(self._workspace, self._record())

    async def keep(self) -> None:
        """Listen again if the socket file is not there any more, as when a cleaner of old files took it."""
        if not self._is_there():
            log.warning("the socket %s vanished; listening there again", self._workspace.socket)
            if self._server is not None:
                self._server.close()
            await self.listen()

    def close(self) -> None:
        """Listen no more and take the socket and the record away."""
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(OSError):
            if self._is_there():
                self._workspace.socket.unlink()
                (self._workspace.runtime / record.NAME).unlink()

    def _is_there(self) -> bool:
        try:
            found = self._workspace.socket.stat()
        except OSError:
            return False
        recorded = (self._workspace.runtime / record.NAME).exists()
        return recorded and self._identity is not None and os.path.samestat(found, self._identity)

    def _record(self) -> record.HubRecord:
        identity = identify(os.getpid())
        assert identity is not None, "this process runs"
        return record.HubRecord(
            pid=identity.pid,
            boot=identity.boot,
            start=identity.start,
            socket=str(self._workspace.socket),
            workspace=str(self._workspace.root),
            version=__version__,
            protocol=messages.PROTOCOL,
            started_at=self._hub.started_at,
        )


class _Connection(StreamWire):
    """The wire to one client of this user; another user's is refused, and so is one that says nothing."""

    def __init__(self, hub: Hub) -> None:
        self._attachment = Attachment(hub)
        super().__init__(self._attachment.receive, self._attachment.lost)
        self._attachment.use(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        user = _peer_user(transport.get_extra_info("socket"))
        if user not in (None, os.geteuid(), 0):
            log.warning("refused a client of user %s", user)
            self._attachment.dismiss(PolicyDenied(f"this hub is user {os.geteuid()}'s, and you are {user}"))
            return
        asyncio.get_running_loop().call_later(HELLO_S, self._expect_hello)

    def _expect_hello(self) -> None:
        if self._attachment.caller is None and not self.transport.is_closing():
            self.transport.abort()


def _peer_user(peer: Any) -> int | None:
    """Return the user id at the other end of the socket PEER, None where the system does not tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None  # the folder of the socket is closed to others there too
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    user: int = struct.unpack("3i", credentials)[1]
    return user
