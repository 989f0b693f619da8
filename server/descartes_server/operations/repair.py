"""`hub.repair`: what an interrupted hub left behind is put right, and every table folded again."""

from __future__ import annotations

from descartes_core.model import Shape
from descartes_server.operations.context import Context
from descartes_server.operations.registry import NoParams, operation


class Repaired(Shape, frozen=True, kw_only=True):
    """What became of an interrupted restore, None when there was none; how many EVENTS the log has."""

    restore: str | None
    events: int


@operation("hub.repair", kind="effect", people_only=True)
async def repair(context: Context, params: NoParams) -> Repaired:
    """Finish or roll back an interrupted restore, and rebuild every table of the log."""
    services = context.services
    await services.restores.recover()
    await services.store.rebuild()
    return Repaired(restore=services.restores.recovered, events=await services.reader.last_seq())
