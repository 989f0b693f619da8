"""Values of secrets in text and streams: found in every form, also split; nothing else is touched."""

from __future__ import annotations

import base64
import html
import itertools
import json
import re
import shlex
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.vault.masking import Masks, Patterns, StreamMask, wrapped_forms

VALUE = 'hunter2 & s3cr\'et/"of"\\ häll=='
DATA = VALUE.encode()
MARK = "‹secret:KEY›".encode()
KEY = "-----BEGIN KEY-----\nAAAAB3NzaC1yc2EAAAADAQABAAAB\nshort\nQDJx8f9PLmTz0xWb1Hg==\n-----END KEY-----\n"


def forms() -> dict[str, bytes]:
    return {
        "plain": DATA,
        "base64": base64.b64encode(DATA),
        "base64 for URLs": base64.urlsafe_b64encode(DATA),
        "base64 behind one byte": base64.b64encode(b":" + DATA)[2:],
        "base64 behind two bytes": base64.b64encode(b"u:" + DATA)[3:],
        "base32": base64.b32encode(DATA),
        "hexadecimal": DATA.hex().encode(),
        "HEXADECIMAL": DATA.hex().upper().encode(),
        "URL": urllib.parse.quote(VALUE, safe="").encode(),
        "url": re.sub("%..", lambda found: found[0].lower(), urllib.parse.quote(VALUE, safe="")).encode(),
        "form": urllib.parse.quote_plus(VALUE).encode(),
        "JSON": json.dumps({"x": VALUE}).encode()[7:-2],
        "JSON in UTF-8": json.dumps(VALUE, ensure_ascii=False).encode()[1:-1],
        "repr": repr(VALUE).encode()[1:-1],
        "shell": shlex.quote(VALUE).replace("'\"'\"'", "'\\''").encode(),
        "HTML": html.escape(VALUE).encode(),
        "Lisp": VALUE.replace("\\", "\\\\").replace('"', '\\"').encode(),
    }


@pytest.mark.parametrize("form", forms())
def test_every_form(form: str) -> None:
    shown = Patterns([("KEY", VALUE)]).mask(b"before " + forms()[form] + b" after")
    assert shown.startswith(b"before ") and shown.endswith(b" after") and MARK in shown
    rest = shown.replace(MARK, b"").replace(b"before ", b"").replace(b" after", b"")
    assert len(rest.rstrip(b"=")) <= 3, rest


def test_base64_broken_over_lines() -> None:
    secret = "a long value of a secret, longer than any line of base64 can be, and then some more"
    patterns = Patterns([("KEY", secret)])
    for before in range(100):
        for width in (64, 76):
            text = base64.b64encode(b"x" * before + secret.encode()).decode()
            lines = "\r\n".join(text[at : at + width] for at in range(0, len(text), width))
            shown = patterns.mask(lines.encode())
            kept = b"".join(shown.replace(MARK, b"").split()).decode()
            assert not any(core.decode() in kept for core in wrapped_forms(secret))
            assert MARK in shown


def test_a_key_of_several_lines_is_masked_line_by_line() -> None:
    patterns = Patterns([("KEY", KEY)])
    shown = patterns.mask("".join(f"12: {line}\n" for line in KEY.splitlines()).encode())
    assert b"AAAAB3" not in shown and b"QDJx8" not in shown and b"short" in shown
    assert patterns.mask(KEY.encode()) == MARK


PIECES = st.lists(
    st.one_of(
        st.sampled_from(sorted(forms().values())),
        st.sampled_from([DATA[:5], DATA[5:], base64.b64encode(DATA)[:9], b"\n", b"hunter2 ", b"=="]),
        st.binary(max_size=12),
    ),
    max_size=8,
)


@given(PIECES, st.lists(st.integers(0, 200), max_size=12), st.booleans())
def test_a_stream_is_masked_wherever_it_is_split(pieces: list[bytes], cuts: list[int], two: bool) -> None:
    data = b"".join(pieces)
    others = [("OTHER", VALUE + "-and-more"), ("PART", "s3cr'et")] if two else []
    patterns = Patterns([("KEY", VALUE), *others])
    stream = StreamMask(patterns)
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    shown = b"".join(stream.feed(data[a:b]) for a, b in itertools.pairwise(places)) + stream.finish()
    assert shown == patterns.mask(data)
    assert DATA not in shown and base64.b64encode(DATA) not in shown


def test_only_what_may_be_a_beginning_is_kept_back() -> None:
    stream = StreamMask(Patterns([("KEY", VALUE)]))
    assert stream.feed(b"a prompt> ") == b"a prompt> "
    assert stream.feed(b"hunt") == b""
    assert stream.feed(b"ing") == b"hunting"
    assert stream.feed(DATA[:10]) + stream.feed(DATA[10:] + b"!") == MARK + b"!"
    assert stream.feed(b"hunter") + stream.finish() == b"hunter"


def test_json_and_text() -> None:
    masks = Masks()
    untouched = {"a": [VALUE, 1, None]}
    assert masks.data(untouched) is untouched
    masks.protect("KEY", VALUE)
    masks.protect("KEY", "another value of it")
    assert masks.data({"a": [f"x{VALUE}y", 1, None], VALUE: "another value of it"}) == {
        "a": ["x‹secret:KEY›y", 1, None],
        "‹secret:KEY›": "‹secret:KEY›",
    }
    assert masks.text("nothing of it") == "nothing of it"
    assert masks.text("half \ud800 of a character") == "half \ud800 of a character"
