"""A file that somebody else holds, as a diagnostic: information at first, a warning once the person types."""

from __future__ import annotations

from collections.abc import Iterator

from descartes_server.ide import holding
from descartes_server.ide.actions import LEASE_CODE
from descartes_server.ide.lenses import Scene
from descartes_server.ide.stops import Mark, Severity


def marks(scene: Scene, *, typed: bool) -> Iterator[Mark]:
    """Yield a mark on the first line for each lease of somebody else; TYPED: the person changed it."""
    _, end = scene.lines.line_span(0)
    for lease in scene.leases:
        if holding.is_foreign(lease, scene.me) and lease.mode != "shared":
            until = holding.sentence(lease, scene.me, scene.now)
            more = "; ask for it or take it over before you save" if typed else ""
            severity: Severity = "warning" if typed else "information"
            yield Mark(0, max(end, 1), f"This file is {until}{more}", severity, LEASE_CODE)
