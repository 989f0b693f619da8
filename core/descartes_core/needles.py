"""Many short pieces of bytes looked for in one long one, at a cost that hardly grows with their number.

Only the standard library is imported: a keeper carries this module, through `vault.masking`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

GRAM = 4
"""Bytes at the beginning of a piece that it is known by; what is shorter is always looked for."""
FEW = 64
"""So many pieces are looked for one by one sooner than by their beginnings."""


class Needles:
    """The PIECES that may stand in some data. Never changes; safe from any thread."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._order = {piece: place for place, piece in enumerate(dict.fromkeys(pieces)) if piece}
        self._short = [piece for piece in self._order if len(piece) < GRAM]
        self._by_gram: dict[int, list[bytes]] = {}
        for piece in self._order:
            if len(piece) >= GRAM:
                self._by_gram.setdefault(_number(piece), []).append(piece)
        self._grams = frozenset(self._by_gram)
        self._beginnings = frozenset(
            piece[:size] for piece in self._order for size in range(1, min(GRAM, len(piece)))
        )
        self._longest = max(map(len, self._order), default=0)

    def __len__(self) -> int:
        return len(self._order)

    def within(self, data: bytes) -> list[bytes]:
        """Return the pieces that stand in DATA, in the order in which they were given."""
        found = [piece for piece in self._likely(data) if piece in data]
        return found if len(found) < 2 else sorted(found, key=self._order.__getitem__)

    def overlap(self, data: bytes) -> int:
        """Return the length of the longest end of DATA that is a true beginning of a piece.

        Example: Needles([b"hunter2"]).overlap(b"go and hunt") -> 4
        """
        tail = data[-self._longest :] if self._longest else b""
        whole = max((_overlap(tail, piece) for piece in self._likely(tail)), default=0)
        # What is shorter than a gram is not found by one.
        ends = [size for size in range(1, min(GRAM, len(tail) + 1)) if tail[-size:] in self._beginnings]
        return max(whole, *ends, 0)

    def _likely(self, data: bytes) -> Iterable[bytes]:
        """Return all pieces whose beginning stands in DATA, and perhaps others."""
        if len(self._order) <= FEW:
            return self._order
        found: set[int] = set()
        for shift in range(min(GRAM, len(data))):
            whole = (len(data) - shift) // GRAM * GRAM
            found |= self._grams.intersection(memoryview(data)[shift : shift + whole].cast("I"))
        return [*self._short, *(piece for gram in found for piece in self._by_gram[gram])]


def places(data: bytes, piece: bytes) -> Sequence[int]:
    """Return where PIECE begins in DATA, overlapping ones too."""
    found, at = [], data.find(piece)
    while at >= 0:
        found.append(at)
        at = data.find(piece, at + 1)
    return found


def _overlap(data: bytes, piece: bytes) -> int:
    """Return the length of the longest end of DATA that is a true beginning of PIECE."""
    tail = data[-(len(piece) - 1) :] if len(piece) > 1 else b""
    at = tail.find(piece[:1])
    while at >= 0:
        if piece.startswith(tail[at:]):
            return len(tail) - at
        at = tail.find(piece[:1], at + 1)
    return 0


def _number(piece: bytes) -> int:
    """Return the first bytes of PIECE as a memory view of whole numbers shows them."""
    return int.from_bytes(piece[:GRAM], sys.byteorder)
