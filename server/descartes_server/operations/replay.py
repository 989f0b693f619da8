"""`lisp.replay`: a fresh image beside the old, brought to the same state, then in its place."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import descartes_swank as swank
from descartes_core.errors import InvalidParams, LispNotRunning
from descartes_core.model import Event, Shape
from descartes_core.store import Reader
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations.context import Context
from descartes_server.operations.image import Image
from descartes_server.operations.image_work import mapped
from descartes_server.operations.journal import Origin, origin, work_events
from descartes_server.operations.loaded_texts import LoadedTexts
from descartes_server.operations.registry import NoParams, operation
from descartes_server.operations.replaying import Listener, Replaying, Skipped


class Replay(Shape, frozen=True, kw_only=True):
    """STATUS of the image that is there now; how many entries were REPEATED, and which were SKIPPED, why."""

    status: shapes.LispStatus
    repeated: int
    skipped: list[Skipped]


@operation("lisp.replay", kind="effect", needs_trust=True)
async def replay(context: Context, params: NoParams) -> Replay:
    """Repeat in a fresh image all that was done in this one, and go on there; the old image ends."""
    image = context.services.image
    before = image.place_now()
    async with fresh(context) as (record, replaying), image.gate.closed():
        await caught_up(context, replaying)
        outcome = replaying.outcome
        replayed = image.replayed(record, outcome)
        await moved_in(image, record, replaying, before)
        await context.services.store.append(replayed)
    return Replay(status=image.status(), repeated=outcome.repeated, skipped=outcome.skipped)


async def moved_in(
    image: Image, record: swank.ImageRecord, replaying: Replaying, before: swank.Lisp | None
) -> None:
    """Put the fresh image of RECORD in the place of that of BEFORE; the gate is closed.

    Errors: `InvalidParams` when there is another one by now; `LispLost`; then nothing has changed.
    """
    if not image.still(before):
        raise InvalidParams(
            "the Lisp was stopped or another one started while the journal was repeated;"
            " the fresh image was ended and nothing has changed"
        )
    # What is stopped there in the background is then nobody's, and the hub takes it up.
    await replaying.close()
    await image.ask(image.move_to(record))


@contextlib.asynccontextmanager
async def fresh(
    context: Context, until: int | None = None
) -> AsyncIterator[tuple[swank.ImageRecord, Replaying]]:
    """Give a fresh image with the journal repeated in it; in the end it is ended, unless it has moved in.

    UNTIL is the last event that counts.

    Errors: `LispNotRunning` when there is no journal; `InvalidParams` when another replay is under way;
    those of starting an image.
    """
    image = context.services.image
    if await origin(context.services.reader, until) is None:
        raise LispNotRunning("expected a journal to repeat, no Lisp was started here yet; use lisp.start")
    async with image.replaying_alone():
        record: swank.ImageRecord | None = None
        try:
            record = await image.ask(_begun(image, context))
            async with _session(image, record) as replaying:
                await caught_up(context, replaying, until)
                yield record, replaying
        finally:
            await asyncio.shield(image.end_beside(record))


async def caught_up(context: Context, replaying: Replaying, until: int | None = None) -> None:
    """Repeat what the journal has, up to event UNTIL, and REPLAYING has not seen."""
    reader = context.services.reader
    began = await origin(reader, until)
    assert began is not None
    async for event in work_of(reader, began, max(replaying.outcome.seen, began.seq), until):
        await replaying.repeat(event)


async def work_of(reader: Reader, began: Origin, seen: int, until: int | None) -> AsyncIterator[Event]:
    """Yield the work that is in the image which BEGAN there, behind event SEEN and up to UNTIL."""
    async for event in work_events(reader, seen + 1):
        if until is not None and event.seq > until:
            return
        if began.has(event.seq):
            yield event


@contextlib.asynccontextmanager
async def _session(image: Image, record: swank.ImageRecord) -> AsyncIterator[Replaying]:
    listener = Listener()
    try:
        lisp = await swank.Lisp.open(record.host, record.port, secret=record.secret, listener=listener)
    except swank.LispLost as error:
        raise mapped(_ended(error)) from error
    texts = LoadedTexts(lambda: lisp)
    try:
        listener.lisp, listener.texts = lisp, texts
        await image.ask(_prepare(image, lisp, texts))
        yield Replaying(lisp, texts, image.blobs)
    finally:
        await lisp.close()
        await texts.close()


async def _prepare(image: Image, lisp: swank.Lisp, texts: LoadedTexts) -> None:
    try:
        await image.serve_workspace(lisp)
        await texts.follow(lisp, image.places.workspace)
    except swank.LispLost as error:
        raise _ended(error) from None


async def _begun(image: Image, context: Context) -> swank.ImageRecord:
    try:
        return await image.start_beside(context.caller.environment)
    except swank.LispLost as error:
        raise _ended(error) from None


def _ended(error: swank.LispLost) -> swank.LispLost:
    message = f"the fresh Lisp ended as it began ({error.message}); the old one is as it was"
    return swank.LispLost(message, **error.data)
