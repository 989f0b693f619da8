"""`hub.repair`: what an interrupted hub left behind is put right, and every table folded again."""

from __future__ import annotations

from descartes_core.model import Shape
from descartes_server.operations.context import Context
from descartes_server.operations.registry import NoParams, operation
from descartes_server.operations.restore_parts import parts


class Repaired(Shape, frozen=True, kw_only=True):
    """What became of an interrupted restore, told once, None for none; how many EVENTS there are."""

    restore: str | None
    events: int


@operation("hub.repair", kind="effect", people_only=True)
async def repair(context: Context, params: NoParams) -> Repaired:
    """Finish or roll back an interrupted restore, and rebuild every table of the log."""
    services = context.services
    await services.restores.recover(parts(context))
    await services.store.rebuild()
    return Repaired(restore=services.restores.told(), events=await services.reader.last_seq())
