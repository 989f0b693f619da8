"""What is said about a lease: who holds it, why and until when, in the words of the person who reads it."""

from __future__ import annotations

from datetime import datetime

from descartes_core.leases.paths import leased_form
from descartes_core.model import Lease, Principal


def holder(lease: Lease, me: Principal | None) -> str:
    """Return who holds LEASE: a name, or for one's own `you, in Emacs`."""
    if me is not None and lease.holder.same_as(me):
        return f"you, in {lease.holder.via}" if lease.holder.via else "you"
    return lease.holder.name


def is_foreign(lease: Lease, me: Principal | None) -> bool:
    """Return whether somebody other than ME holds LEASE."""
    return me is None or not lease.holder.same_as(me)


def form_of(lease: Lease) -> str | None:
    """Return the name of the form that LEASE is about, None when it is about files."""
    return leased_form(lease.path, lease.uri)


def is_typing(lease: Lease, me: Principal | None) -> bool:
    """Return whether LEASE only says that ME has unsaved text there."""
    return lease.mode == "intent" and not is_foreign(lease, me)


def subject(lease: Lease) -> str:
    """Return what LEASE is about in a sentence on its file: `this file`, `the form area`."""
    form = form_of(lease)
    return f"the form {form.lower()}" if form else "this file"


def at_start(lease: Lease) -> str:
    """Return `subject` for the beginning of a sentence."""
    what = subject(lease)
    return f"{what[0].upper()}{what[1:]}"


def is_live(lease: Lease, now: datetime) -> bool:
    """Return whether LEASE still counts at NOW."""
    return expiry(lease) > now


def expiry(lease: Lease) -> datetime:
    """Return when LEASE ends, with its time zone."""
    return datetime.fromisoformat(lease.expires_at)


def time_left(lease: Lease, now: datetime) -> str:
    """Return how long LEASE still counts: `in 40 s`, `in 4 min`, `in 2 h`."""
    seconds = max(0, round((expiry(lease) - now).total_seconds()))
    if seconds < 90:
        return f"in {seconds} s"
    if seconds < 90 * 60:
        return f"in {round(seconds / 60)} min"
    return f"in {round(seconds / 3600)} h"


def sentence(lease: Lease, me: Principal | None, now: datetime) -> str:
    """Return LEASE in one line.

    Example: "held by Ada — refactoring the parser — until 14:05:00 (in 4 min)"
    """
    reason = f" — {' '.join(lease.reason.split())}" if lease.reason else ""
    mode = "" if lease.mode == "exclusive" else f" ({lease.mode})"
    ends = expiry(lease).astimezone(now.tzinfo).strftime("%H:%M:%S")
    return f"held by {holder(lease, me)}{mode}{reason} — until {ends} ({time_left(lease, now)})"
