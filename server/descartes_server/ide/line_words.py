"""Who changed a line, in a sentence of Markdown below the hover."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from descartes_server.ide.timeline_entries import one_line
from descartes_server.ide.times import ago

if TYPE_CHECKING:
    from descartes_core.timetravel.blame import LineChange

_REASON = 120


def remark(change: LineChange, now: datetime, subject: str = "") -> str:
    """Return what is said of CHANGE, of a line or of the definition SUBJECT; empty when nothing is known.

    Example: "✎ **fixer** changed this line 3 min ago (run `10645aa4`, event 42): *Now I guard the mean.*"
    """
    if change.at is None:
        return ""
    if change.commit is not None:
        who, where = change.author or "somebody", f"commit `{change.commit[:8]}`"
    elif change.by is None:
        return f"✎ Changed by somebody outside Descartes, before {ago(change.at, now)}"
    else:
        run = f"run `{change.run[4:12]}`, " if change.run else ""
        who, where = change.by.name, f"{run}event {change.seq}"
    reason = f": *{_plain(change.reason)}*" if change.reason else ""
    what = f"last changed `{subject}`" if subject else "changed this line"
    return f"✎ **{_plain(who)}** {what} {ago(change.at, now)} ({where}){reason}"


def _plain(text: str) -> str:
    """Return TEXT in one line, with nothing that Markdown would take for more."""
    line = one_line(text, _REASON)
    for sign in "\\`*_<[":
        line = line.replace(sign, f"\\{sign}")
    return line
