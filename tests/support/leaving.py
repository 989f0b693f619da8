"""Leaving stops without a limit that a busy machine could miss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LEAVING = frozenset(
    f"debugger.{way}"
    for way in ("restart", "abort", "continue", "toplevel", "returnFromFrame", "restartFrame", "step")
) | {"debugger.retryWithFix"}
"""The operations that answer at the next stop or the end, but after a second whatever comes."""
WAIT_MS = 60_000


def patient(operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return PARAMS of OPERATION; one that leaves a stop waits until it is clear what comes of that."""
    return {"waitMs": WAIT_MS, **params} if operation in LEAVING else dict(params)
