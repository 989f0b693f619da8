"""How alike two texts are, without a model and without a network.

A text becomes a sparse vector by feature hashing (the hashing trick) of its words and of the pieces of
three and four characters of each word, so that other forms and small mistakes still meet. The same text gives
the same vector on every machine and in every version of Python.
"""

from __future__ import annotations

import math
import re
import struct
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Protocol

Vector = Mapping[int, float]
"""The parts that are not zero, by their place; its length is 1, or it is empty."""

DIMENSIONS = 1 << 20
WORD, PIECES = 1.0, 1.0
"""How much a word counts, and all its pieces together."""
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be but by do does for from has have how if in into is it its no not of on or so "
        "that the their them then there these they this to was were what when where which who why will with "
        "you your",
    )
)
_PAIR = struct.Struct("<If")


class Embedder(Protocol):
    """What makes vectors of texts; vectors of one embedder can be compared."""

    def embed(self, text: str) -> Vector:
        """Return the vector of TEXT."""
        ...


class HashingEmbedder:
    """The embedder that is always there."""

    def embed(self, text: str) -> Vector:
        """Return the vector of TEXT; empty for a text without words.

        Example: similarity(embed("parse the file"), embed("parsing files")) is about 0.5
        """
        weights: defaultdict[int, float] = defaultdict(float)
        for word, count in Counter(words_of(text)).items():
            for feature, weight in _features(word):
                weights[abs(feature) % DIMENSIONS] += math.copysign(weight * (1 + math.log(count)), feature)
        length = math.sqrt(sum(weight * weight for weight in weights.values()))
        return (
            {place: weight / length for place, weight in sorted(weights.items()) if weight} if length else {}
        )


def similarity(one: Vector, other: Vector) -> float:
    """Return the cosine between two vectors: 1 for the same direction, 0 for nothing in common."""
    if len(other) < len(one):
        one, other = other, one
    total = math.fsum(weight * other.get(place, 0.0) for place, weight in one.items())
    return max(-1.0, min(1.0, total))


def words_of(text: str) -> Iterator[str]:
    """Yield the words of TEXT that mean something, in lower case.

    Example: words_of("the makeParser of a make-parser") -> make, parser, make, parser
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    for word in re.findall(r"[^\W_]+", parted):
        if (folded := word.casefold()) not in _COMMON:
            yield folded


def packed(vector: Vector) -> bytes:
    """Return VECTOR as bytes, the same on every machine."""
    return b"".join(_PAIR.pack(place, weight) for place, weight in vector.items())


def unpacked(data: bytes) -> Vector:
    """Return the vector whose bytes are DATA."""
    return dict(_PAIR.iter_unpack(data))


@lru_cache(maxsize=20_000)
def _features(word: str) -> tuple[tuple[int, float], ...]:
    padded = f"<{word}>"
    pieces = {padded[at : at + size] for size in (3, 4) for at in range(len(padded) - size + 1)}
    share = PIECES / math.sqrt(max(len(pieces), 1))
    return ((_hash(f"={word}"), WORD), *((_hash(piece), share) for piece in sorted(pieces)))


def _hash(feature: str) -> int:
    """Return a number of either sign for FEATURE; Python's own hash differs from run to run."""
    return int.from_bytes(
        blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True
    )
