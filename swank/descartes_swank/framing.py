"""Cut Swank's byte stream into packets and back: six hexadecimal digits, then that many octets of UTF-8.

Knows nothing of what a packet says. The length counts octets, not characters.
"""

from __future__ import annotations

import re

from .errors import SwankError, TooLarge

HEADER_LENGTH = 6
MAX_PACKET = 0xFFFFFF

_HEADER = re.compile(rb"[0-9A-Fa-f]{6}")


class FramingProblem(SwankError):
    """What arrived does not start with a length; nothing after it can be understood."""

    code = "lisp_lost"


def encode(text: str) -> bytes:
    """Return TEXT as one packet, header included.

    A character that UTF-8 cannot carry (half of a surrogate pair) becomes a question mark.
    Errors: `TooLarge` over 16,777,215 octets.
    Example: encode("(a λ)") -> b"000006(a \\xce\\xbb)"
    """
    payload = text.encode("utf-8", "replace")
    if len(payload) > MAX_PACKET:
        raise TooLarge(
            f"A message to the Lisp may have {MAX_PACKET} bytes and this one has {len(payload)}; send less",
            size_bytes=len(payload),
            limit_bytes=MAX_PACKET,
        )
    return b"%06X" % len(payload) + payload


class Framer:
    """Collects bytes as they arrive and gives back whole packets."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._broken = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the packets that DATA completes, without their headers, in order.

        Errors: `FramingProblem` once, when what should be a header is not one, with the packets that came
        before it in `data["packets"]`. After it everything is ignored.
        """
        if self._broken:
            return []
        buffer = self._buffer
        buffer += data
        packets: list[bytes] = []
        start = 0
        while len(buffer) - start >= HEADER_LENGTH:
            header = bytes(buffer[start : start + HEADER_LENGTH])
            if not _HEADER.fullmatch(header):
                self._fail(header, packets)
            end = start + HEADER_LENGTH + int(header, 16)
            if len(buffer) < end:
                break
            packets.append(bytes(buffer[start + HEADER_LENGTH : end]))
            start = end
        del buffer[:start]
        return packets

    def _fail(self, header: bytes, packets: list[bytes]) -> None:
        self._broken = True
        self._buffer.clear()
        raise FramingProblem(
            f"Expected the length of a Swank message in six hexadecimal digits and got {header!r}; "
            "check that the port belongs to a Swank server",
            packets=packets,
        )
