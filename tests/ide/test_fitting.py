"""How well names fit what is typed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from descartes_server.ide.fitting import Typed
from descartes_server.ide.roles import base_name

WORDS = st.text(st.sampled_from("abAé-*|:+% "), max_size=6)


@given(WORDS, st.lists(WORDS))
def test_the_first_look_leaves_out_nothing_that_fits(typed: str, words: list[str]) -> None:
    names = [base_name(word) for word in words]
    fits = Typed(typed)
    assert {name for name in names if fits.fit(name)} <= set(fits.likely(names))
