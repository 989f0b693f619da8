"""Leases as diagnostics: what another holds, of more weight once the person types there, and what ends."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from descartes_core.model import Lease
from descartes_server.ide import holding, lenses
from descartes_server.ide.actions import LEASE_CODE
from descartes_server.ide.lenses import Scene
from descartes_server.ide.stops import Mark, Severity

ENDS_SOON = timedelta(seconds=30)


def marks(scene: Scene, *, typed: bool, forms: Collection[str] | None = None) -> Iterator[Mark]:
    """Yield a mark for each lease of somebody else, and for one's own that is about to end.

    TYPED says that the person changed the text; FORMS are the names of the forms that differ, None where
    nobody asked.
    """
    for lease in scene.leases:
        if not holding.is_foreign(lease, scene.me):
            yield from _ending(lease, scene)
        elif lease.mode != "shared":
            yield from _foreign(lease, scene, typed=typed and concerns(lease, forms))


def concerns(lease: Lease, forms: Collection[str] | None) -> bool:
    """Return whether LEASE is about any of FORMS, or about the whole file."""
    form = holding.form_of(lease)
    return form is None or forms is None or form.casefold() in forms


def moments(lease: Lease) -> tuple[datetime, datetime]:
    """Return when LEASE begins to end soon, and when it ends: what is said of it changes then."""
    end = holding.expiry(lease)
    return end - ENDS_SOON, end


def _foreign(lease: Lease, scene: Scene, *, typed: bool) -> Iterator[Mark]:
    more = "; ask for it or take it over before you save" if typed else ""
    severity: Severity = "warning" if typed else "information"
    message = f"{holding.at_start(lease)} is {holding.sentence(lease, scene.me, scene.now)}{more}"
    yield Mark(*_place(lease, scene), message, severity, LEASE_CODE)


def _ending(lease: Lease, scene: Scene) -> Iterator[Mark]:
    """One that an editor keeps is renewed in time."""
    soon, end = moments(lease)
    if lease.holder.via is None and soon <= scene.now < end:
        at = end.astimezone(scene.now.tzinfo).strftime("%H:%M:%S")
        left = holding.time_left(lease, scene.now)
        message = f"Your lease of {holding.subject(lease)} ends at {at} ({left}); renew it to keep it"
        yield Mark(*_place(lease, scene), message, "warning", LEASE_CODE)


def _place(lease: Lease, scene: Scene) -> tuple[int, int]:
    start = next((start for start, _ in lenses.form_places(lease, scene)), 0)
    line, _ = scene.lines.position(start)
    _, end = scene.lines.line_span(line)
    return start, max(end, start + 1)
