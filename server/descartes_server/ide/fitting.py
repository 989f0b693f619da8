"""How well names fit what is typed: as a beginning, by shortened words, as a part, or letter by letter."""

from __future__ import annotations

from collections.abc import Iterable


class Typed:
    """What is typed, ready to be compared with thousands of names."""

    def __init__(self, prefix: str) -> None:
        self._typed = prefix.lower()
        self._first = self._typed[:1]
        self._words = self._typed.split("-") if "-" in self._typed else []

    def fit(self, label: str) -> float:
        """Return how well LABEL fits: 0 not at all, to 500 for the same word.

        Words may be shortened each: `m-v-b` fits `multiple-value-bind`, `w/o` nothing.
        """
        typed, name = self._typed, label.lower()
        if not typed:
            return 100.0
        # Nearly all names end here: what does not hold the typed text begins with its first letter.
        if name[:1] != self._first and typed not in name and self._first != "-":
            return 0.0
        if name.startswith(typed):
            return 500.0 - min(90, len(name) - len(typed))
        if self._first not in "*+%&:" and name.lstrip("*+%").startswith(typed):
            return 400.0 - min(90, len(name) - len(typed))
        if self._words and self._compound(name):
            return 300.0 - min(90, len(name) - len(typed))
        place = name.find(typed)
        if place > 0 and len(typed) > 1:
            return 200.0 - min(90, place + len(name) - len(typed))
        if len(typed) > 2 and name[:1] == self._first and _subsequence(typed, name):
            return 100.0 - min(90, len(name) - len(typed))
        return 0.0

    def likely(self, names: Iterable[str]) -> list[str]:
        """Return NAMES without most of those that do not fit: a look at each, no more.

        NAMES are in lower case, but for those with bars.
        """
        typed, first = self._typed, self._first
        if not typed or first == "-":
            return list(names)
        return [name for name in names if name[:1] == first or typed in name or "|" in name]

    def _compound(self, name: str) -> bool:
        words = name.split("-")
        return len(self._words) <= len(words) and all(
            word.startswith(part) for part, word in zip(self._words, words, strict=False)
        )


def _subsequence(typed: str, name: str) -> bool:
    letters = iter(name)
    return all(letter in letters for letter in typed)
