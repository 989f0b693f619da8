"""One client's desk: the operations on a real image, a real log and real files, without a hub's socket."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from descartes_core.model import Principal
from descartes_core.store import EventQuery, Store
from descartes_server.operations import dispatch
from descartes_server.operations.context import Caller, Context, Services
from descartes_server.operations.editors import Editors
from descartes_server.operations.image import Image
from descartes_server.operations.image_work import Places
from descartes_server.operations.lisp_settings import cache
from descartes_server.operations.settings import Settings
from descartes_server.operations.texts import uri_of
from descartes_server.operations.workspace import Workspace
from support.leaving import patient

PERSON = Principal(kind="human", id="ada", name="Ada")


class Desk:
    """The operations as one client sees them."""

    def __init__(self, context: Context, root: Path) -> None:
        self.context, self.root = context, root

    async def call(self, operation: str, /, **params: Any) -> dict[str, Any]:
        return await dispatch.perform(self.context, operation, patient(operation, params), in_hub=True)

    async def drift(self, file: Path, text: str | None = None) -> dict[str, str]:
        """Return the states in FILE by name and, for methods, signature."""
        params: dict[str, Any] = {"uri": uri_of(file)}
        if text is not None:
            params["document"] = {"version": 1, "text": text}
        forms = (await self.call("lisp.drift", **params))["forms"]
        return {each["name"] + (each.get("signature") or ""): each["state"] for each in forms}

    async def events(self, name: str) -> list[Any]:
        page = await self.context.services.store.reader.events(EventQuery(type=name, order="asc"))
        return list(page.events)


@asynccontextmanager
async def lisp_desk(workspace: Path) -> AsyncIterator[Desk]:
    """Give a desk in WORKSPACE; what it started is ended with it."""
    place = Workspace(workspace)
    place.prepare()
    store = await Store.open(place.database)
    services = Services(place, Settings(), store.reader, store.clock)
    services.store, services.editors = store, Editors()
    caller = Caller(principal=PERSON, client_id="editor", trusted=True, environment=dict(os.environ))

    async def answer(client: str, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"text": "no"}

    services.image = Image(
        store,
        lambda method, params: None,
        answer,
        Places(workspace, place.runtime, cache(), place.state),
        lambda: services.settings.lisp,
    )
    yield Desk(Context(services, caller), workspace)
    await services.image.stop()
    await services.image.detach()
    await store.close()


def images_of(workspace: Path) -> list[int]:
    """Return the processes of images that work in WORKSPACE."""
    return [
        each.info["pid"]
        for each in psutil.process_iter(["pid", "name", "cwd", "status"])
        if each.info["cwd"] == str(workspace)
        and "sbcl" in (each.info["name"] or "")
        and each.info["status"] != "zombie"
    ]
