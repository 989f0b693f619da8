"""Moments as people say them."""

from __future__ import annotations

from datetime import UTC, datetime


def ago(at: str, now: datetime | None = None) -> str:
    """Return the ISO time AT as seen from NOW: `4 min ago`, `in 2 h`."""
    seconds = ((now or datetime.now(UTC)) - datetime.fromisoformat(at)).total_seconds()
    size = abs(seconds)
    for limit, unit, length in ((90, "s", 1), (5400, "min", 60), (129_600, "h", 3600)):
        if size < limit:
            amount = f"{round(size / length)} {unit}"
            break
    else:
        amount = f"{round(size / 86_400)} d"
    return f"{amount} ago" if seconds >= 0 else f"in {amount}"
