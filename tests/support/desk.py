"""The operations as one client calls them, on a real image and a real log, in this process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from descartes_core.model import Principal
from descartes_core.store import EventQuery, Store
from descartes_server.operations import dispatch
from descartes_server.operations.context import Caller, Context, Services
from descartes_server.operations.editors import Editors
from descartes_server.operations.image import Image
from descartes_server.operations.image_work import Places
from descartes_server.operations.lisp_settings import cache
from descartes_server.operations.settings import Settings
from descartes_server.operations.workspace import Workspace
from support.leaving import patient

PERSON = Principal(kind="human", id="ada", name="Ada")


class Desk:
    """The operations as one client sees them, with what was published meanwhile."""

    def __init__(self, context: Context, published: list[tuple[str, Mapping[str, Any]]]) -> None:
        self.context = context
        self.published = published
        self.inputs: list[Mapping[str, Any]] = []
        self.withdrawn: list[Mapping[str, Any]] = []
        self.answers: Callable[[], Awaitable[str]] | None = None
        """What the client answers to a program that reads; None: at once."""

    async def call(self, operation: str, /, **params: Any) -> dict[str, Any]:
        return await dispatch.perform(self.context, operation, patient(operation, params), in_hub=True)

    async def values(self, code: str) -> list[str]:
        """Return what CODE evaluates to."""
        result = await self.call("lisp.eval", code=code)
        assert result["state"] == "done", result
        found: list[str] = result["values"]
        return found

    def printed(self, word: str) -> int:
        """Return how often the image has printed WORD, that anybody knows."""
        output = (params["text"] for method, params in self.published if method == "descartes/lisp/output")
        return "".join(output).count(word)

    async def events(self, name: str) -> list[Any]:
        page = await self.context.services.store.reader.events(EventQuery(type=name, order="asc"))
        return list(page.events)


@pytest.fixture
async def desk(workspace: Path, isolated_environment: Path) -> AsyncIterator[Desk]:
    """Give the operations on the empty workspace; what they started is ended."""
    place = Workspace(workspace)
    place.prepare()
    store = await Store.open(place.database)
    services = Services(place, Settings(), store.reader, store.clock)
    services.store, services.editors = store, Editors()
    published: list[tuple[str, Mapping[str, Any]]] = []
    caller = Caller(principal=PERSON, client_id="editor", trusted=True, environment=dict(os.environ))
    made = Desk(Context(services, caller), published)

    async def answer(client: str, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        made.inputs.append({"client": client, "method": method, **params})
        try:
            return {"text": "forty-two" if made.answers is None else await made.answers()}
        except asyncio.CancelledError:
            made.withdrawn.append(params)
            raise

    services.image = Image(
        store,
        lambda method, params: published.append((method, params)),
        answer,
        Places(workspace, place.runtime, cache(), place.state, fasls=isolated_environment / "fasls"),
        lambda: services.settings.lisp,
    )
    yield made
    await services.image.stop()
    await services.image.detach()
    await store.close()
