"""Wisdom: what was learned by working here, trusted as far as its outcomes allow.

The confidence in a piece of wisdom is the mean of a beta distribution. It begins as if `PRIOR` outcomes had
been seen, of which the share `initial` was good; each outcome, from 0 (no help) to 1 (it helped), moves it:

    confidence = (PRIOR × initial + sum of outcomes) / (PRIOR + number of outcomes)

The order of outcomes does not matter, no single one decides, and many outweigh any beginning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from descartes_core.errors import InvalidParams, NotFound, TooLarge
from descartes_core.memory.embedding import HashingEmbedder, similarity
from descartes_core.memory.notebook import Author
from descartes_core.memory.shapes import Wisdom
from descartes_core.memory.thoughts import checked_tags
from descartes_core.model import Event
from descartes_core.ports import new_id
from descartes_core.store import Reader, Store
from descartes_core.store.projections import Executes, Projection

PRIOR = 2.0
OF_A_PERSON, OF_AN_AGENT = 0.75, 0.5
"""What a person states is believed at first; what an agent noticed must help once before others are told."""
LONGEST = 2000
CONSIDERED = 1000
"""How many pieces of wisdom are compared with a task: the most trusted."""
ALIKE = 0.1
"""How alike a task and an insight must be, as `embedding.similarity` counts."""
TOLD = 3


@dataclass(frozen=True)
class Relevant:
    """A piece of wisdom with how ALIKE it is to what was asked."""

    wisdom: Wisdom
    alike: float


def confidence(initial: float, outcomes: float, count: int) -> float:
    """Return the confidence that follows from INITIAL and COUNT outcomes whose sum is OUTCOMES.

    Example: confidence(0.5, 1.0, 1) -> 0.667
    """
    return round((PRIOR * initial + outcomes) / (PRIOR + count), 3)


class WisdomView:
    """Reads wisdom through READER, at any door."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def list(
        self, *, tags: Sequence[str] = (), min_confidence: float = 0.0, limit: int = 100
    ) -> Sequence[Wisdom]:
        """Return what is trusted at least MIN_CONFIDENCE and has all TAGS, the most trusted first."""
        if limit < 1:
            raise InvalidParams(f"The limit of a list is 1 or more, not {limit}")
        rows = await self._reader.rows("SELECT * FROM wisdom ORDER BY confidence DESC, seq DESC")
        wanted = {tag.casefold() for tag in tags}
        found = [_wisdom(row) for row in rows if row["confidence"] >= min_confidence]
        return [each for each in found if wanted <= {tag.casefold() for tag in each.tags}][:limit]

    async def show(self, id_prefix: str) -> Wisdom:
        """Return the wisdom whose id begins with ID_PREFIX. Errors: `NotFound`, `InvalidParams`."""
        id_ = await self._reader.resolve("evt", id_prefix)
        for row in await self._reader.rows("SELECT * FROM wisdom WHERE id = ?", (id_,)):
            return _wisdom(row)
        raise NotFound(f"{id_prefix!r} is no wisdom; `descartes wisdom list` shows what there is")

    async def relevant(
        self, text: str, *, min_confidence: float = 0.0, limit: int = TOLD, alike: float = ALIKE
    ) -> Sequence[Relevant]:
        """Return up to LIMIT pieces of wisdom about what TEXT is about, the most fitting first.

        What fits is weighed with how far it is trusted.
        """
        embed = HashingEmbedder().embed
        asked = embed(text)
        known = await self.list(min_confidence=min_confidence, limit=CONSIDERED)
        compared = [
            Relevant(each, similarity(asked, embed(f"{each.insight} {' '.join(each.tags)}")))
            for each in known
        ]
        fitting = [each for each in compared if each.alike >= alike]
        return sorted(fitting, key=lambda each: -each.alike * each.wisdom.confidence)[:limit]


class WisdomBook(WisdomView):
    """Writes wisdom too. Concurrency: belongs to the store's loop."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.reader)
        self._store = store

    async def add(
        self,
        insight: str,
        by: Author,
        *,
        category: str = "general",
        tags: Sequence[str] = (),
        initial: float | None = None,
    ) -> Wisdom:
        """Add INSIGHT and return it; INITIAL is the confidence it begins with.

        Errors: `InvalidParams`, `TooLarge`.
        """
        if not insight.strip() or not category.strip():
            raise InvalidParams("Expected an insight of some words and a category, got nothing")
        if len(insight) > LONGEST:
            raise TooLarge(f"An insight may have {LONGEST} characters, not {len(insight)}; write a note")
        begins = (OF_AN_AGENT if by.agent else OF_A_PERSON) if initial is None else initial
        id_ = new_id("evt")
        data = {
            "insight": insight.strip(),
            "category": " ".join(category.split()),
            "tags": checked_tags(tags),
            "initial": _checked(begins, "the confidence"),
            **by.remembering(f"wisdom/{id_}", insight.strip()),
        }
        await self._store.append(by.event("action", "wisdom.added", "wisdom", data, id=id_))
        return await self.show(id_)

    async def outcome(self, id_prefix: str, effect: float, by: Author, *, note: str | None = None) -> Wisdom:
        """Take into account that the wisdom ID_PREFIX had EFFECT, from 0 to 1, and return it as it is then.

        Errors: `NotFound`, `InvalidParams`.
        """
        about = await self.show(id_prefix)
        data = {"wisdom": about.id, "effect": _checked(effect, "the effect"), "note": note}
        await self._store.append(by.event("action", "wisdom.outcome", "wisdom", data))
        return await self.show(about.id)


def _checked(share: float, what: str) -> float:
    if not 0 <= share <= 1:
        raise InvalidParams(f"Expected {what} to be from 0 to 1, got {share}")
    return float(share)


def _wisdom(row: Mapping[str, Any]) -> Wisdom:
    added = msgspec.json.decode(row["added"], type=Wisdom)
    return msgspec.structs.replace(
        added, confidence=row["confidence"], outcomes=row["outcomes"], last_outcome_at=row["last_at"]
    )


def _apply(tx: Executes, event: Event) -> None:
    data = event.data
    match event.name:
        case "wisdom.added":
            initial = data["initial"]
            added = Wisdom(
                id=event.id,
                insight=data["insight"],
                category=data["category"],
                tags=data["tags"],
                confidence=confidence(initial, 0, 0),
                initial=initial,
                by=event.actor,
                at=event.at,
                run=event.run,
            )
            tx.execute(
                "INSERT INTO wisdom VALUES (?, ?, ?, 0, 0, ?, NULL, ?)",
                (event.id, event.seq, initial, added.confidence, msgspec.json.encode(added).decode()),
            )
        case "wisdom.outcome":
            found = tx.execute("SELECT initial, total, outcomes FROM wisdom WHERE id = ?", (data["wisdom"],))
            initial, total, outcomes = found.fetchone()
            total, outcomes = total + data["effect"], outcomes + 1
            tx.execute(
                "UPDATE wisdom SET total = ?, outcomes = ?, confidence = ?, last_at = ? WHERE id = ?",
                (total, outcomes, confidence(initial, total, outcomes), event.at, data["wisdom"]),
            )


WISDOM = Projection(
    name="wisdom",
    version=1,
    tables={
        "wisdom": """
CREATE TABLE wisdom (
  id TEXT PRIMARY KEY,
  seq INTEGER NOT NULL,
  initial REAL NOT NULL,
  total REAL NOT NULL,
  outcomes INTEGER NOT NULL,
  confidence REAL NOT NULL,
  last_at TEXT,
  added TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX wisdom_confidence ON wisdom (confidence, seq);
"""
    },
    prefixes=("wisdom.",),
    apply=_apply,
)
