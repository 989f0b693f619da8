"""`lisp.compare`: the definitions of this image against those of another one."""

from __future__ import annotations

import descartes_swank as swank
from descartes_core.errors import InvalidParams
from descartes_core.model import Shape
from descartes_server.operations.context import Context
from descartes_server.operations.image_work import mapped
from descartes_server.operations.registry import Params, operation
from descartes_server.operations.replay import fresh

LISTED = 10_000


class CompareParams(Params, frozen=True, kw_only=True):
    """OTHER: `replay`, a fresh image with the journal repeated in it, or `host:port` of another Swank.

    SECRET: of that Swank; without it the first line of ~/.slime-secret, where there is one.
    """

    other: str
    secret: str | None = None


class Difference(Shape, frozen=True, kw_only=True):
    """A definition that is not the same: what is said of it HERE and THERE, null where it is not."""

    name: str
    kind: str
    here: str | None = None
    there: str | None = None


class Comparison(Shape, frozen=True, kw_only=True):
    """The differences by name; MORE were left out."""

    definitions: list[Difference]
    more: int = 0


@operation("lisp.compare", kind="effect", needs_trust=True, positional=("other",))
async def compare(context: Context, params: CompareParams) -> Comparison:
    """List the definitions that this image and another one do not have alike."""
    image = context.services.image
    image.running()
    if params.other == "replay":
        async with fresh(context) as (record, _):
            return await _compared(context, record.host, record.port, record.secret)
    host, _, port = params.other.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise InvalidParams(f"expected `other` to be replay or host:port, got {params.other[:200]!r}")
    return await _compared(context, host, int(port), params.secret)


async def _compared(context: Context, host: str, port: int, secret: str | None) -> Comparison:
    image = context.services.image
    here = await image.ask(swank.definitions(image.running()))
    try:
        async with swank.connect(host, port, secret) as other:
            there = await swank.definitions(other)
    except swank.SwankError as error:
        raise mapped(error) from error
    return differences(here, there)


def differences(here: swank.Definitions, there: swank.Definitions) -> Comparison:
    """Return what HERE and THERE do not have alike; a text that one side has not seen tells nothing."""
    found = [
        Difference(name=name, kind=kind, here=here.get((kind, name)), there=there.get((kind, name)))
        for kind, name in sorted({*here, *there}, key=lambda key: (key[1], key[0]))
        if not _alike(here.get((kind, name)), there.get((kind, name)))
    ]
    return Comparison(definitions=found[:LISTED], more=max(0, len(found) - LISTED))


def _alike(here: str | None, there: str | None) -> bool:
    if here is None or there is None:
        return here is there
    known_here, known_there = here.rpartition(" text "), there.rpartition(" text ")
    if known_here[1] and known_there[1]:
        return here == there
    return (known_here[0] if known_here[1] else here) == (known_there[0] if known_there[1] else there)
