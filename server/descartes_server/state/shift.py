"""What a change of a text does to the places in it."""

from __future__ import annotations

from descartes_server.ide.stops import Place
from descartes_server.ide.text import LineIndex


class Shift:
    """What a change of the text OLD into NEW does to places in it: one stretch was replaced by another."""

    def __init__(self, old: LineIndex, new: LineIndex) -> None:
        self._old, self._new = old, new
        self._start = _common(old.text, new.text)
        self._end = len(old.text) - _common_end(old.text, new.text, self._start)
        self._by = len(new.text) - len(old.text)

    def place(self, first: int, last: int, *, closed: bool = False) -> tuple[Place, Place] | None:
        """Return where the stretch from FIRST to LAST of the old text stands now; None when it was changed.

        CLOSED: what is put right after it is no part of it.
        """
        if last < self._start or (closed and last == self._start):
            return self._places(first, last)
        if first >= self._end or (closed and self._is_same(first, last)):
            return self._places(first + self._by, last + self._by)
        return None

    def form(self, start: Place, end: Place) -> tuple[Place, Place]:
        """Return where the form from START to END of the old text stands now, edited or not.

        Of a form that is gone, the place where it was.
        """
        first, last = self._old.offset(*start), self._old.offset(*end)
        if (same := self.place(first, last, closed=True)) is not None:
            return same
        by = self._by
        # `(defun ` that is typed before `(defun ` begins after it, for who compares the texts.
        if not self._stands_at(first, first, last) and self._stands_at(first + by, first, last):
            return self._places(first + by, last + by)
        first = min(first, self._start)
        return self._places(first, max(first, last + by if last >= self._end else self._end + by))

    def _places(self, first: int, last: int) -> tuple[Place, Place]:
        return self._new.position(first), self._new.position(last)

    def _is_same(self, first: int, last: int) -> bool:
        """Of `(a)(b)` into `(b)` nobody can tell which parenthesis went: the form is there all the same."""
        return first >= self._start and self._stands_at(first + self._by, first, last)

    def _stands_at(self, there: int, first: int, last: int) -> bool:
        """Return whether what stood from FIRST to LAST stands THERE now."""
        return there >= 0 and self._new.text.startswith(self._old.text[first:last], there)


def _common(one: str, other: str) -> int:
    """Return how many characters ONE and OTHER begin with alike, found by halving."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_end(one: str, other: str, start: int) -> int:
    low, high = 0, min(len(one), len(other)) - start
    while low < high:
        middle = (low + high + 1) // 2
        if one[len(one) - middle : len(one) - low] == other[len(other) - middle : len(other) - low]:
            low = middle
        else:
            high = middle - 1
    return low
