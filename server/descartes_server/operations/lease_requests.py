"""Asking the holder of a lease to let go: an intervention there, and what its answer does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

import msgspec

from descartes_core.errors import InterventionClosed, LeaseHeld, NotFound
from descartes_core.model import Choice, Event, Intervention, Principal
from descartes_core.policy.interventions import list_interventions
from descartes_server.operations.context import Services

RELEASE = "release"
CHOICES = [Choice(id=RELEASE, title="Let go of it"), Choice(id="keep", title="Keep it")]
ENDINGS = frozenset({"lease.released", "lease.expired", "lease.stolen", "lease.moved"})
HUB = Principal(kind="service", id="hub", name="the hub")


async def ask(services: Services, about: str, who: Principal, message: str) -> Intervention:
    """Open a question to the holder of ABOUT in the name of WHO and return it.

    Errors: `NotFound` when nobody else holds it.
    """
    lease = await services.leases.request(about, who, message)
    why = f": {message}" if message else ""
    return await services.interventions.open(
        "lease",
        title=f"{who.name} asks {lease.holder.name} for {lease.path}",
        detail=f"{who.name} ({who.kind}) asks for {lease.path}, which {lease.holder.name} holds{why}",
        choices=CHOICES,
        default="keep",
        by=who,
        run=lease.run,
        data={"path": lease.path, "holder": msgspec.to_builtins(lease.holder)},
    )


async def follow_answer(services: Services, answered: Intervention, choice: str) -> None:
    """Do what the CHOICE for ANSWERED, if it is about a lease, says."""
    if answered.kind != "lease" or choice != RELEASE:
        return
    holder = msgspec.convert(answered.data["holder"], Principal)
    # It may have ended meanwhile, which is what was asked for.
    with suppress(LeaseHeld, NotFound):
        await services.leases.release(answered.data["path"], holder)


async def close_settled(services: Services, events: Iterable[Event]) -> None:
    """Close the questions about leases that EVENTS ended: there is nothing left to ask."""
    ended = {key: how for event in events for key, how in _ended_by(event)}
    if not ended:
        return
    for question in await list_interventions(services.reader):
        if question.kind != "lease":
            continue
        holder = question.data["holder"]
        if how := ended.get((question.data["path"], holder["kind"], holder["id"])):
            # Somebody may answer at this moment.
            with suppress(InterventionClosed):
                await services.interventions.close(question.id, f"the lease was {how}", by=HUB)


def _ended_by(event: Event) -> Iterator[tuple[tuple[str, str, str], str]]:
    """Yield each lease that EVENT ended by path and holder, since a path may have several, and how."""
    how = event.name.partition(".")[2]
    if event.name == "lease.stolen":
        for each in event.metadata.get("previous", ()):
            yield (each["path"], each["kind"], each["id"]), how
    elif event.name in ENDINGS:
        holder = event.data["holder"]
        yield (event.data.get("from", event.data["path"]), holder["kind"], holder["id"]), how
