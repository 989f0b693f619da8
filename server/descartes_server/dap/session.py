"""One client's way to the operations of a workspace, from the attach to the disconnect."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from descartes_core.errors import InvalidParams
from descartes_core.model import Principal
from descartes_server import __version__
from descartes_server.hub.client import HubClient, Listener
from descartes_server.hub.door import Door, local_services
from descartes_server.hub.messages import PROTOCOL, ClientHello
from descartes_server.hub.process import SocketOpener
from descartes_server.hub.responding import Answer
from descartes_server.operations import principals, settings, trust, workspace
from descartes_server.operations.context import Caller
from descartes_server.operations.workspace import Workspace


class Session:
    """The operations of a workspace for the client called NAME. Made by `open`."""

    def __init__(self, place: Workspace, name: str) -> None:
        self.workspace = place
        self._name = name
        self._client_id = uuid.uuid4().hex
        self._stack = AsyncExitStack()
        self._me: Principal
        self._door: Door
        self.client: HubClient

    @classmethod
    async def open(cls, folder: str | None, name: str) -> Session:
        """Return the way to the workspace of FOLDER, None: of the current one.

        Errors: `InvalidParams` when there is no such folder, or its state is not to be followed.
        """
        start = Path(folder) if folder else Path.cwd()
        if not start.is_dir():
            raise InvalidParams(f"expected a folder as `workspace`, there is none at {str(start)[:200]!r}")
        self = cls(await asyncio.to_thread(workspace.find, start), name)
        root = self.workspace.root
        self._me = await asyncio.to_thread(principals.person, root, trusted=self.trusted, via=name)
        found = settings.load(root, trusted=self.trusted)
        self.client = HubClient(SocketOpener(self.workspace), self._hello)
        self._stack.push_async_callback(self.client.close)
        services = await local_services(self.workspace, found.settings)
        self._stack.push_async_callback(services.reader.close)
        self._door = Door(services, self.client, self._caller)
        return self

    @property
    def trusted(self) -> bool:
        """Whether the person's list has the workspace."""
        return trust.is_trusted(self.workspace.root)

    async def call(self, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of OPERATION. Errors: the operation's own; `HubLost`."""
        return await self._door.call(operation, params)

    def listen(
        self, notified: Listener, attached: Callable[[], None], lost: Callable[[str], None], answer: Answer
    ) -> None:
        """Pass on what the hub tells and asks, and that it came or went; one that dies is replaced."""
        self.client.on_notification(notified)
        self.client.on_attached(attached)
        self.client.on_lost(lost)
        self.client.on_request(answer)
        self.client.stay()

    async def close(self) -> None:
        """Let go of the hub and the log."""
        await self._stack.aclose()

    def _hello(self) -> ClientHello:
        run, token = principals.run_of_environment()
        return ClientHello(
            version=__version__,
            protocol=PROTOCOL,
            client_id=self._client_id,
            client_name=self._name,
            principal=self._me,
            run=run,
            token=token,
            notifications=True,
            environment=principals.environment(),
        )

    def _caller(self) -> Caller:
        run, _ = principals.run_of_environment()
        return Caller(
            principal=self._me,
            client_id=self._client_id,
            client_name=self._name,
            trusted=self.trusted,
            run=run,
        )
