"""One command's way to the operations: which workspace, who speaks, and the hub when one is needed."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from descartes_core.errors import PolicyDenied
from descartes_server.cli import output
from descartes_server.operations import principals, settings, trust, workspace

if TYPE_CHECKING:
    from descartes_core.model import Principal
    from descartes_server.hub.door import Door
    from descartes_server.hub.messages import ClientHello
    from descartes_server.operations.registry import Operation

T = TypeVar("T")
NAME = "the command line"


class Session:
    """The workspace that a command works on, and the person or agent who gave it."""

    def __init__(self, folder: str | None) -> None:
        self.workspace = workspace.find(Path(folder) if folder else Path.cwd())

    @property
    def trusted(self) -> bool:
        return trust.is_trusted(self.workspace.root)

    @cached_property
    def principal(self) -> Principal:
        """Who speaks. A run's child is known by its token; the hub then puts the run's agent in its place."""
        return principals.person(self.workspace.root, trusted=self.trusted)

    def run(self, work: Callable[[Door], Awaitable[T]], *, notifications: bool = False) -> T:
        """Return what WORK(door) returns, run to its end on a loop of its own."""

        async def whole() -> T:
            async with self.door(notifications=notifications) as door:
                return await work(door)

        return asyncio.run(whole())

    def call(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return the result of OPERATION with PARAMS."""
        return self.run(lambda door: door.call(operation, params))

    @asynccontextmanager
    async def door(self, *, notifications: bool = False) -> AsyncIterator[Door]:
        """Open the operations of the workspace for the time of the block."""
        from descartes_server.hub.client import HubClient
        from descartes_server.hub.door import Door, local_services
        from descartes_server.hub.process import SocketOpener

        found = settings.load(self.workspace.root, trusted=self.trusted)
        services = await local_services(self.workspace, found.settings)
        client_id = uuid.uuid4().hex
        client = HubClient(SocketOpener(self.workspace), lambda: self._hello(client_id, notifications))
        try:
            yield Door(services, client, lambda: self._caller(client_id))
        finally:
            await client.close()
            await services.reader.close()
            if client.notice:
                output.say(client.notice)

    def ask_for_trust(self, operation: Operation, *, given: bool) -> None:
        """See to it that OPERATION's workspace is trusted if it must be: ask, or take GIVEN for a yes."""
        if not operation.needs_trust or self.trusted:
            return
        asked = f"Trust {self.workspace.root}, so that its code may be evaluated and programs started?"
        on_terminal = sys.stdin.isatty() and sys.stderr.isatty()
        if given or (on_terminal and click.confirm(asked, err=True)):
            self.trust()

    def trust(self) -> None:
        """Trust the workspace from now on. Errors: `PolicyDenied` for the child of a run."""
        if any(principals.run_of_environment()):
            raise PolicyDenied("trusting a workspace is for a person to do, and a run asked for it")
        trust.trust(self.workspace.root)

    def _hello(self, client_id: str, notifications: bool) -> ClientHello:
        from descartes_server import __version__
        from descartes_server.hub.messages import PROTOCOL, ClientHello

        run, token = principals.run_of_environment()
        return ClientHello(
            version=__version__,
            protocol=PROTOCOL,
            client_id=client_id,
            client_name=NAME,
            principal=self.principal,
            run=run,
            token=token,
            notifications=notifications,
            brief=True,
            environment=principals.environment(),
        )

    def _caller(self, client_id: str) -> Any:
        from descartes_server.operations.context import Caller

        run, _ = principals.run_of_environment()
        # What is read here is the same for everybody, so git is not asked for the person's name.
        return Caller(
            principal=principals.user(), client_id=client_id, client_name=NAME, trusted=self.trusted, run=run
        )
