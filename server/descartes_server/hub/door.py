"""How a door calls operations: what only reads is answered here, what has an effect goes to the hub."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from descartes_core.store import Reader
from descartes_server.hub.client import HubClient
from descartes_server.operations import dispatch, registry
from descartes_server.operations.answers import Answers
from descartes_server.operations.context import Caller, Context, Services
from descartes_server.operations.settings import Settings
from descartes_server.operations.workspace import Workspace


class Door:
    """The operations of one workspace for one client. CALLER says who it is at the moment of a call."""

    def __init__(self, services: Services, client: HubClient, caller: Callable[[], Caller]) -> None:
        self.services = services
        self.client = client
        self._caller = caller
        self._answers = Answers()

    async def call(self, name: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of operation NAME with PARAMS.

        Errors: those of `dispatch.perform` and of `HubClient.call`.
        Concurrency: a hub is started for an effect, if that is not one to refuse, and for what only a hub
        can say of an image that there is.
        """
        operation, given = registry.lookup(name), params or {}
        caller = self._caller()
        in_hub = operation.kind == "effect"
        if operation.kind == "ask":
            in_hub = await self.client.attach(start=operation.of_image and await self._has_image())
        if not in_hub:
            context = Context(self.services, caller)
            if operation.of_events:
                return await self._from_log(context, name, given)
            return await dispatch.perform(context, name, given, in_hub=False)
        # Who is refused where refusals are noted is refused by the hub, if there is one.
        if operation.on_refusal is None or not await self.client.attach():
            dispatch.admit(operation, caller, self.services.workspace.root)
        registry.decode(operation, given)
        return await self.client.call(name, given)

    async def _has_image(self) -> bool:
        """Return whether the workspace has an image; one can outlive its hub."""
        from descartes_swank import read_record  # takes 0.1 s; most doors never ask

        return await asyncio.to_thread(read_record, self.services.workspace.runtime) is not None

    async def _from_log(self, context: Context, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what NAME says of the log's events, which is the same until there is another event."""
        return await self._answers.answer(
            self.services.settings.performance,
            (name, given),
            await self.services.reader.last_seq(),
            lambda: dispatch.perform(context, name, given, in_hub=False),
        )


async def local_services(workspace: Workspace, settings: Settings) -> Services:
    """Return what operations that only read work on, in this process.

    Errors: `WorkspaceInUse`, `InvalidParams` for a state folder that is not followed; `StoreUnavailable`.
    """
    if workspace.database.exists():
        await asyncio.to_thread(workspace.check)
    reader = await Reader.open(workspace.database, settings.performance.connection_pool_size)
    return Services(workspace, settings, reader)
