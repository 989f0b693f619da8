"""Many files leased as one thing: all of them or none, renewed while it lasts, given back together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from descartes_core.errors import DescartesError
from descartes_core.leases import arbiter
from descartes_core.leases.arbiter import Granted, Request
from descartes_core.leases.held import Held
from descartes_core.leases.words import lease_held
from descartes_core.model import Lease, Principal
from descartes_core.store import Transaction

if TYPE_CHECKING:
    from descartes_core.leases.leases import Leases

log = logging.getLogger(__name__)


@asynccontextmanager
async def held_meanwhile(
    leases: Leases, files: Iterable[str | Path], holder: Principal, *, ttl_seconds: float, reason: str
) -> AsyncIterator[None]:
    """Lease FILES for HOLDER inside the block however long it takes; what HOLDER had before stays as it was.

    Errors: `LeaseHeld` when somebody else has one, and then none is taken.
    """
    taking = asyncio.ensure_future(leases.acquire_all(files, holder, ttl_seconds=ttl_seconds, reason=reason))
    try:
        given = await asyncio.shield(taking)
    except asyncio.CancelledError:
        with suppress(DescartesError):
            await leases.release_these(await taking)
        raise
    renewing = asyncio.create_task(_renew(leases, given, ttl_seconds / 4))
    try:
        yield
    finally:
        renewing.cancel()
        with suppress(DescartesError):
            await leases.release_these(given)


async def _renew(leases: Leases, given: Sequence[Lease], every_seconds: float) -> NoReturn:
    while True:
        await asyncio.sleep(every_seconds)
        try:
            await leases.renew_these(given)
        except DescartesError as problem:
            log.warning("the leases of %d files were not renewed: %s", len(given), problem.message)


def take(tx: Transaction, requests: Sequence[Request]) -> list[Lease]:
    """Grant REQUESTS and return the leases that are new; a live one of the same holder stays as it is.

    Errors: `LeaseHeld` for the first that another has, and then none is granted.
    """
    given: list[Lease] = []
    for request in requests:
        own = arbiter.own_lease(tx, request.path, request.holder)
        if own is not None and not arbiter.is_over(own, tx.now_ms):
            continue
        outcome = arbiter.grant(tx, request)
        if not isinstance(outcome, Granted):
            raise lease_held(outcome, tx.now_ms)
        given.append(outcome.lease)
    return given


def still_held(tx: Transaction, given: Sequence[Lease]) -> list[Held]:
    """Return those of the leases GIVEN that their holders still have under the same token."""
    found = [(arbiter.lease_named(tx, lease.path, lease.holder), lease) for lease in given]
    return [
        own
        for own, lease in found
        if own is not None and own.lease.token == lease.token and not arbiter.is_over(own, tx.now_ms)
    ]
