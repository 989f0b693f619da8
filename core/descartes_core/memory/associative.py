"""`AssociativeMemory`: texts with what belongs to them, found by being alike. A table folded from the log.

    knowledge = AssociativeMemory(store, "errors", by)
    await knowledge.add("DIVISION-BY-ZERO in AREA", {"fix": "check the radius"})
    await knowledge.query_similar("division by zero", top_k=3, min_similarity=0.2)

Full-text search (FTS5, by pieces of three characters) finds candidates, vectors of feature hashing decide how
alike they are; both work offline and give the same answer everywhere. With an embedder of one's own, which
may know meanings, every text is compared.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast
from uuid import uuid4

import msgspec

from descartes_core.errors import InvalidParams, NotFound
from descartes_core.memory import embedding
from descartes_core.memory.embedding import Embedder, HashingEmbedder, Vector
from descartes_core.memory.notebook import Author
from descartes_core.memory.temporal import checked_name
from descartes_core.model import Event
from descartes_core.store import Store
from descartes_core.store.projections import Executes, Projection

T = TypeVar("T")

CANDIDATES = 300
"""How many texts are compared with what is asked: those that share the most and the rarest pieces with it."""
WALKED = 20_000
"""How many places in texts the search for candidates looks at, whatever the number of texts."""
FEWEST_PIECES = 6
_OWN = HashingEmbedder()

_CANDIDATES = """
SELECT a.key, a.text, a.value, a.vector FROM association_pieces p JOIN association a ON a.number = p.rowid
WHERE association_pieces MATCH ? AND a.memory = ? ORDER BY bm25(association_pieces) LIMIT ?
"""


@dataclass(frozen=True)
class Match(Generic[T]):
    """A text that was found: its KEY, its VALUE, and its SIMILARITY, at most 1."""

    key: str
    text: str
    value: T
    similarity: float


class AssociativeMemory(Generic[T]):
    """The texts of the memory NAME in the log of STORE, with values of TYPE.

    Concurrency: belongs to the store's loop; several memories of one name are one memory.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        by: Author,
        type: Any = dict[str, Any],
        *,
        embedder: Embedder | None = None,
    ) -> None:
        self.name = checked_name(name)
        self._store = store
        self._by = by
        self._type = type
        self._embedder = embedder
        self._vectors: dict[str, Vector] = {}

    async def add(self, text: str, value: T, *, key: str | None = None) -> str:
        """Add TEXT with VALUE under KEY, in place of what KEY had; return KEY, made when it is not given.

        Errors: `InvalidParams` for a text without words.
        """
        if not any(embedding.words_of(text)):
            raise InvalidParams(f"Expected a text with words that mean something, got {text[:80]!r}")
        key = checked_name(key or uuid4().hex)
        data = {"memory": self.name, "key": key, "text": text, "value": msgspec.to_builtins(value)}
        data |= self._by.remembering(f"{self.name}/{key}", text)
        await self._store.append(self._by.event("action", "memory.associated", self._stream, data))
        return key

    async def remove(self, key: str) -> None:
        """Forget what KEY has. Errors: `NotFound`."""
        known = await self._store.reader.rows(
            "SELECT 1 AS known FROM association WHERE memory = ? AND key = ?", (self.name, key)
        )
        if not known:
            raise NotFound(f"The memory {self.name!r} has nothing under {key[:100]!r}")
        data = {"memory": self.name, "key": key}
        await self._store.append(self._by.event("action", "memory.forgotten", self._stream, data))

    async def query_similar(
        self, text: str, *, top_k: int = 5, min_similarity: float = 0.0
    ) -> list[Match[T]]:
        """Return up to TOP_K texts that are like TEXT at least MIN_SIMILARITY, the most alike first.

        Texts that have nothing in common with it are never among them.
        Errors: `InvalidParams` for numbers that make no sense.
        """
        if top_k < 1 or not -1 <= min_similarity <= 1:
            raise InvalidParams(
                f"Expected topK of 1 or more and minSimilarity from -1 to 1, got {top_k} and {min_similarity}"
            )
        asked = (self._embedder or _OWN).embed(text)
        matches = [
            Match(row["key"], row["text"], row["value"], embedding.similarity(asked, self._vector(row)))
            for row in await self._rows(text)
        ]
        found = [each for each in matches if each.similarity > 0 and each.similarity >= min_similarity]
        best = heapq.nsmallest(top_k, found, key=lambda each: (-each.similarity, each.key))
        return [Match(each.key, each.text, self._value(each.value), each.similarity) for each in best]

    async def _rows(self, text: str) -> list[dict[str, Any]]:
        reader = self._store.reader
        if self._embedder is not None:
            return await reader.rows(
                "SELECT key, text, value FROM association WHERE memory = ?", (self.name,)
            )
        pieces = await self._rarest(pieces_of(text))
        asked = " OR ".join(f'"{piece}"' for piece in pieces)
        return await reader.rows(_CANDIDATES, (asked, self.name, CANDIDATES)) if asked else []

    async def _rarest(self, pieces: list[str]) -> list[str]:
        """Return those of PIECES that say the most: the rarest, as many as can be walked over."""
        counted = await self._store.reader.rows(
            "SELECT term, doc FROM association_vocabulary WHERE term IN (SELECT value FROM json_each(?))"
            " ORDER BY doc, term",
            (msgspec.json.encode(pieces).decode(),),
        )
        found: list[str] = []
        walked = 0
        for row in counted:
            walked += row["doc"]
            if walked > WALKED and len(found) >= FEWEST_PIECES:
                break
            found.append(row["term"])
        return found

    def _vector(self, row: Mapping[str, Any]) -> Vector:
        if self._embedder is None:
            return embedding.unpacked(row["vector"])
        text = row["text"]
        if text not in self._vectors:
            self._vectors[text] = self._embedder.embed(text)
        return self._vectors[text]

    def _value(self, encoded: Any) -> T:
        return cast(T, msgspec.json.decode(encoded, type=self._type))

    @property
    def _stream(self) -> str:
        return f"memory/{self.name}"


def pieces_of(text: str) -> list[str]:
    """Return the pieces of three characters of the words of TEXT, each once."""
    spaced = [f" {word} " for word in embedding.words_of(text)]
    return list(dict.fromkeys(word[at : at + 3] for word in spaced for at in range(len(word) - 2)))


def _apply(tx: Executes, event: Event) -> None:
    data = event.data
    old = tx.execute(
        "SELECT number FROM association WHERE memory = ? AND key = ?", (data["memory"], data["key"])
    ).fetchone()
    if old is not None:
        tx.execute("DELETE FROM association_pieces WHERE rowid = ?", tuple(old))
        tx.execute("DELETE FROM association WHERE number = ?", tuple(old))
    if event.name != "memory.associated":
        return
    text = data["text"]
    tx.execute(
        "INSERT INTO association VALUES (?, ?, ?, ?, ?, ?)",
        (
            event.seq,
            data["memory"],
            data["key"],
            text,
            msgspec.json.encode(data["value"]).decode(),
            embedding.packed(_OWN.embed(text)),
        ),
    )
    words = " ".join(embedding.words_of(text))
    tx.execute("INSERT INTO association_pieces (rowid, text) VALUES (?, ?)", (event.seq, f" {words} "))


ASSOCIATIONS = Projection(
    name="association",
    version=2,
    tables={
        "association": """
CREATE TABLE association (
  number INTEGER PRIMARY KEY,
  memory TEXT NOT NULL,
  key TEXT NOT NULL,
  text TEXT NOT NULL,
  value TEXT NOT NULL,
  vector BLOB NOT NULL,
  UNIQUE (memory, key)
);
""",
        "association_pieces": "CREATE VIRTUAL TABLE association_pieces USING fts5"
        " (text, tokenize = 'trigram case_sensitive 1');",
        "association_vocabulary": "CREATE VIRTUAL TABLE association_vocabulary"
        " USING fts5vocab (association_pieces, row);",
    },
    prefixes=("memory.associated", "memory.forgotten"),
    apply=_apply,
)
