"""Folds as far as they came, kept to go on from: a cache that may be lost at any time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from descartes_core.store import Reader
from descartes_core.timetravel.fold import Brain

MOST = 8


@dataclass(frozen=True)
class Checkpoint:
    """The fold of everything up to its last event, and what was left out of it. Never changed."""

    brain: Brain
    skipped: Sequence[str]

    @property
    def seq(self) -> int:
        return self.brain.last.seq if self.brain.last else 0


_kept: OrderedDict[tuple[str, str], Checkpoint] = OrderedDict()


async def before(reader: Reader, run: str, seq: int) -> Checkpoint | None:
    """Return a fold of RUN that goes no further than SEQ; None when there is none of this log."""
    found = _kept.get((str(reader.path), run))
    if found is None or found.seq > seq or found.brain.last is None:
        return None
    # The file may be another log by now.
    rows = await reader.rows("SELECT id FROM event WHERE seq = ?", (found.seq,))
    return found if rows and rows[0]["id"] == found.brain.last.id else None


def keep(reader: Reader, run: str, brain: Brain, skipped: Sequence[str]) -> None:
    """Keep BRAIN as it is now, in place of what was kept of RUN before."""
    if brain.spawned.get("id") != run:
        return  # it ends before the run began, in the run that it was forked from
    _kept[(str(reader.path), run)] = Checkpoint(brain.copy(), tuple(skipped))
    _kept.move_to_end((str(reader.path), run))
    while len(_kept) > MOST:
        _kept.popitem(last=False)
