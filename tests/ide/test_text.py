"""Offsets to lines and columns and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_server.ide.text import LineIndex


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a\n", ["a", ""]),
        ("a\r\nb\rc\n\nd", ["a", "b", "c", "", "d"]),
        ("é😀€\n\tx", ["é😀€", "\tx"]),
    ],
)
def test_lines_end_at_every_kind_of_line_end(text: str, lines: list[str]) -> None:
    index = LineIndex(text)
    assert [index.line_text(number) for number in range(index.line_count)] == lines


@given(st.text("ab\n\r😀", max_size=40), st.data())
def test_every_offset_comes_back_from_its_position(text: str, data: st.DataObject) -> None:
    index = LineIndex(text)
    offset = data.draw(st.integers(0, len(text)))
    line, column = index.position(offset)
    start, end = index.line_span(line)
    assert start + column == offset
    assert index.offset(line, column) == min(offset, end)


def test_a_position_outside_the_text_is_the_nearest_one_inside() -> None:
    index = LineIndex("ab\r\ncd")
    assert index.offset(0, 99) == 2
    assert index.offset(9, 0) == 6
    assert index.offset(-1, 5) == 0
    assert index.position(99) == (1, 2)
