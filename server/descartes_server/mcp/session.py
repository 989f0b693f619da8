"""One MCP client's way to the operations of a workspace, from its first call to its end."""

from __future__ import annotations

import os
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
from descartes_server.operations import principals, settings, trust, workspace
from descartes_server.operations.context import Caller
from descartes_server.operations.guarding import HOLDER_VARIABLE
from descartes_server.operations.workspace import Workspace

LONGEST_NAME = 64
NAMELESS = "mcp"


def principal_of(client_name: str, environment: Mapping[str, str]) -> Principal:
    """Return who a client is that calls itself CLIENT_NAME, unless `DESCARTES_HOLDER` names somebody.

    Errors: `InvalidParams` for a holder that is a person, or not KIND:NAME.
    """
    if named := environment.get(HOLDER_VARIABLE):
        holder = principals.parse(named)
        if holder.kind == "human":
            raise InvalidParams(
                f"expected agent:NAME or service:NAME in {HOLDER_VARIABLE}, got {named[:80]!r};"
                " a program does not act as a person"
            )
        return holder
    shown = "".join(each for each in client_name if each.isprintable()).strip()[:LONGEST_NAME] or NAMELESS
    return Principal(kind="service", id=shown, name=shown)


class Session:
    """The operations of PLACE for the client called NAME. Made by `open`."""

    def __init__(self, place: Workspace, name: str) -> None:
        self.workspace = place
        self._me = principal_of(name, os.environ)
        self._client_id = uuid.uuid4().hex
        self._stack = AsyncExitStack()
        self._door: Door
        self._client: HubClient

    @classmethod
    async def open(cls, place: Workspace, name: str) -> Session:
        """Return the way to PLACE; a hub is watched for, and started by the first effect.

        Errors: `InvalidParams`, `WorkspaceInUse` for a state folder that is not followed; `StoreUnavailable`.
        """
        self = cls(place, name)
        found = settings.load(place.root, trusted=self.trusted)
        client = self._client = HubClient(SocketOpener(place), self._hello)
        services = await local_services(place, found.settings)
        self._stack.push_async_callback(services.reader.close)
        self._stack.push_async_callback(client.close)
        self._door = Door(services, client, self._caller)
        client.stay()
        return self

    @property
    def trusted(self) -> bool:
        """Whether the person's list has the workspace."""
        return trust.is_trusted(self.workspace.root)

    async def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of OPERATION. Errors: the operation's own; `HubLost`."""
        return await self._door.call(operation, params)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have LISTENER(method, params) told what the hub tells, until the result is called."""
        return self._client.on_notification(listener)

    async def close(self) -> None:
        """Let go of the hub and the log; leases have their time of grace."""
        await self._stack.aclose()

    def _hello(self) -> ClientHello:
        run, token = principals.run_of_environment()
        return ClientHello(
            version=__version__,
            protocol=PROTOCOL,
            client_id=self._client_id,
            client_name=self._me.name,
            principal=self._me,
            distinct=HOLDER_VARIABLE not in os.environ,
            run=run,
            token=token,
            presence=True,
            notifications=True,
            environment=principals.environment(),
        )

    def _caller(self) -> Caller:
        run, _ = principals.run_of_environment()
        return Caller(
            principal=self._me,
            client_id=self._client_id,
            client_name=self._me.name,
            trusted=self.trusted,
            run=run,
        )


def found(folder: str | None) -> Workspace:
    """Return the workspace of FOLDER, None: of the current one. Errors: `InvalidParams` for no folder."""
    start = Path(folder) if folder else Path.cwd()
    if not start.is_dir():
        raise InvalidParams(f"expected a folder as the workspace, there is none at {str(start)[:200]!r}")
    return workspace.find(start)
