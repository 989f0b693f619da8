"""Operations that ask the image: in the hub its own image, at another door the image that a record names.

What they ask stands in `swank/descartes_swank/lisp/`: `exploring`, `threads`, `xref`, `trace`, `profile`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import descartes_swank as swank
from descartes_core import errors
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations import texts
from descartes_server.operations.context import Context
from descartes_server.operations.editors import Editors
from descartes_server.operations.image_work import mapped
from descartes_server.operations.parsed import parsed
from descartes_server.operations.registry import Params

DEADLINE_MS = 10_000
"""What a question of a person may take; the image itself gives it up then."""
USER_PACKAGE = "COMMON-LISP-USER"


class SymbolParams(Params, frozen=True, kw_only=True):
    """SYMBOL as written in PACKAGE, else in the package of the file URI at POSITION, else in CL-USER."""

    symbol: str
    package: str | None = None
    uri: str | None = None
    position: shapes.Position | None = None
    document: shapes.Document | None = None

    async def package_in(self, context: Context) -> str:
        """Return the designator of the package that the symbol is read in."""
        return self.package or await package_at(context, self.uri, self.position, self.document)


async def package_at(
    context: Context, uri: str | None, position: shapes.Position | None, document: shapes.Document | None
) -> str:
    """Return the package of the file URI at POSITION, else at its end; without a file CL-USER."""
    if uri is None:
        return USER_PACKAGE
    source = await texts.read(editors_of(context), uri, document, use_disk=not in_hub(context))
    offset = source.offset(position) if position else len(source.text)
    return (await parsed(source)).package_at(offset)


def in_hub(context: Context) -> bool:
    """Return whether CONTEXT is the hub's, which alone has an image of its own."""
    try:
        return context.services.image is not None
    except errors.HubLost:
        return False


def editors_of(context: Context) -> Editors:
    """Return the buffers of the attached editors; without a hub none is attached."""
    return context.services.editors if in_hub(context) else Editors()


async def ask(
    context: Context, request: Mapping[str, Any], *, deadline_ms: int = DEADLINE_MS, start: bool = False
) -> Any:
    """Return the image's answer to REQUEST, `{question, …}`; START: begin one when none runs.

    Errors: `LispNotRunning`; `NotFound` and `InvalidParams` as the image says; `TimedOut`.
    Concurrency: cancelling stops the work in the image.
    """
    if not in_hub(context):
        return await _ask_recorded(context, request, deadline_ms)
    image = context.services.image
    if start:
        await image.started(context.caller.environment)
    return await image.question(request, deadline_ms)


async def _ask_recorded(context: Context, request: Mapping[str, Any], deadline_ms: int) -> Any:
    """The image outlives its hub, and answers whoever asks."""
    record = await asyncio.to_thread(swank.read_record, context.services.workspace.runtime)
    if record is None or not record.service_socket:
        raise errors.LispNotRunning("expected a running Lisp, there is none; start one with lisp.start")
    try:
        questions = await swank.ServiceQuestions.open(record.service_socket, deadline_ms=deadline_ms)
        try:
            return await questions.relay(dict(request))
        finally:
            await questions.close()
    except swank.SwankError as error:
        raise mapped(error) from error
