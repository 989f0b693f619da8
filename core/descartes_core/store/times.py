"""Milliseconds UTC, as the store keeps time, and ISO 8601, as every door shows it."""

from __future__ import annotations

from datetime import UTC, datetime

from descartes_core.errors import InvalidParams


def iso(ms: int) -> str:
    """Return MS as ISO 8601 UTC with milliseconds: `1700000000123` -> `2023-11-14T22:13:20.123Z`."""
    seconds, rest = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest:03}Z"


def milliseconds(text: str) -> int:
    """Return the ISO 8601 time TEXT in milliseconds; a time without a zone is UTC.

    Errors: `InvalidParams` when TEXT is no such time.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidParams(
            f"Expected a time such as 2026-11-21T08:40:32Z, got {text!r}; give an ISO 8601 time"
        ) from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    since_epoch = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (since_epoch.days * 86_400 + since_epoch.seconds) * 1000 + since_epoch.microseconds // 1000
