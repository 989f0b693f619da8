"""Packets in and out of a byte stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_swank.errors import TooLarge
from descartes_swank.framing import MAX_PACKET, Framer, FramingProblem, encode


@pytest.mark.ledger("D-70")
def test_the_length_counts_octets() -> None:
    assert encode("(a λ)") == "000006(a λ)".encode()
    assert encode("😀" * 100)[:6] == b"000190"


@given(st.lists(st.text(), max_size=5), st.data())
def test_packets_come_back_wherever_the_stream_is_cut(texts: list[str], data: st.DataObject) -> None:
    stream = b"".join(map(encode, texts))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    framer = Framer()
    packets = [
        packet
        for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for packet in framer.feed(stream[begin:end])
    ]
    assert [packet.decode() for packet in packets] == texts


def test_single_bytes_are_enough() -> None:
    framer = Framer()
    packets = [packet for byte in encode("(:ping 1 2)") for packet in framer.feed(bytes([byte]))]
    assert packets == [b"(:ping 1 2)"]


def test_lower_case_lengths_are_understood() -> None:
    assert Framer().feed(b"00000axxxxxxxxxx") == [b"x" * 10]


@pytest.mark.parametrize(
    "garbage", [b"HTTP/1.1 400", b"      ", b"-00001", b"0x0001", b"\xff" * 6, b"+00002"]
)
def test_garbage_is_reported_once_and_ends_the_stream(garbage: bytes) -> None:
    framer = Framer()
    with pytest.raises(FramingProblem, match="check that the port belongs to a Swank server") as caught:
        framer.feed(encode("first") + garbage)
    assert caught.value.data["packets"] == [b"first"]
    assert caught.value.code == "lisp_lost"
    assert framer.feed(encode("second")) == []


def test_the_longest_packet_is_sent_and_one_octet_more_is_refused() -> None:
    packet = encode("x" * MAX_PACKET)
    assert packet[:6] == b"FFFFFF"
    assert Framer().feed(packet) == [packet[6:]]
    with pytest.raises(TooLarge, match="may have 16777215 bytes and this one has 16777216"):
        encode("x" * (MAX_PACKET + 1))


def test_half_a_character_is_sent_as_a_question_mark() -> None:
    assert encode("a\ud800b") == b"000003a?b"
