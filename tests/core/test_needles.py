"""Many pieces looked for at once: found and overlapped as each of them alone would be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from descartes_core.needles import FEW, Needles

LETTERS = st.sampled_from(b"ab\nc")
PIECES = st.lists(st.lists(LETTERS, min_size=1, max_size=7).map(bytes), max_size=12)
OTHERS = [b"other %03d of them" % number for number in range(FEW + 1)]


@given(PIECES, st.lists(LETTERS, max_size=40).map(bytes))
def test_as_if_each_were_looked_for(pieces: list[bytes], data: bytes) -> None:
    expected = [piece for piece in dict.fromkeys(pieces) if piece in data]
    ends = [
        size
        for piece in pieces
        for size in range(1, len(piece))
        if size <= len(data) and piece.startswith(data[-size:])
    ]
    for needles in (Needles(pieces), Needles([*pieces, *OTHERS])):
        assert needles.within(data) == expected
        assert needles.overlap(data) == max(ends, default=0)


def test_one_of_many_is_found_at_every_place() -> None:
    needles = Needles([*OTHERS, b"hunter2"])
    for before in range(9):
        for after in range(9):
            data = b"x" * before + b"hunter2" + b"y" * after
            assert needles.within(data) == [b"hunter2"] and needles.overlap(data) == 0
    assert needles.overlap(b"go and hunt") == 4 and needles.overlap(b"other 00") == 8
    assert needles.within(b"") == [] and needles.overlap(b"") == 0 and Needles([]).overlap(b"x") == 0
