"""The leases of a run that was taken up again."""

from __future__ import annotations

from contextlib import suppress

from descartes_core.agents.run_leases import take_lease
from descartes_core.errors import LeaseHeld, LeaseLost
from descartes_core.runs.work import Job


async def lease_again(job: Job) -> None:
    """Take what a recovered run held and lost while there was no hub to renew it, if it is free."""
    over = await job.around.store.reader.rows(
        "SELECT path FROM lease WHERE run = ? AND (ended IS NULL OR ended = 'expired')", (job.record.id,)
    )
    for row in over:
        with suppress(LeaseHeld, LeaseLost):
            await take_lease(
                job.around.leases,
                job.journal,
                row["path"],
                reason=job.record.purpose,
                ttl_seconds=job.lease_seconds(),
            )
