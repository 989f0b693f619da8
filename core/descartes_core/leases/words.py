"""The sentences in which a refused or lost lease is told to a person."""

from __future__ import annotations

from datetime import datetime

import msgspec

from descartes_core.errors import LeaseHeld, LeaseLost, PolicyDenied
from descartes_core.model import Lease


def lease_held(lease: Lease, now_ms: int) -> LeaseHeld:
    """Return the error for somebody who wants what LEASE covers."""
    return LeaseHeld(
        f"Somebody else holds {lease.path!r}: {described(lease, now_ms)}; wait, ask for it or take it over",
        lease=msgspec.to_builtins(lease),
    )


def lease_lost(path: str, taken: Lease | None, now_ms: int) -> LeaseLost:
    """Return the error for somebody whose lease on PATH ended; TAKEN is what is held there now."""
    if taken is None:
        return LeaseLost(f"The lease on {path!r} is not held any more; acquire it again")
    return LeaseLost(
        f"The lease on {path!r} was lost: it is now with {described(taken, now_ms)}; acquire it again",
        lease=msgspec.to_builtins(taken),
    )


def typed_over(path: str, whose: str) -> PolicyDenied:
    """Return the error for an agent that would take PATH over while WHOSE text there is not saved."""
    return PolicyDenied(
        f"{path!r} has unsaved changes of {whose}, which only a person takes over; ask for the lease, or wait"
        " until they are saved"
    )


def described(lease: Lease, now_ms: int) -> str:
    """Return who holds LEASE, why and until when: `fixer (agent) for 'refactor' until 14:03 (in 212 s)`."""
    ends = datetime.fromisoformat(lease.expires_at)
    left = max(0, round(ends.timestamp() * 1000) - now_ms + 999) // 1000
    why = f" for {lease.reason!r}" if lease.reason else ""
    until = ends.astimezone().strftime("%H:%M")
    return f"{lease.holder.name} ({lease.holder.kind}){why} until {until} (in {left} s)"
