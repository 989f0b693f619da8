"""Recordings of a Swank's traffic: kept as lines, made by a proxy, played over real sockets.

A line is a JSON array: who spoke, `c` or `s`, and the packet's text. What the client sent is kept only as far
as it takes to recognise it, and long lists that nobody reads (indentation, features, the source of our own
requests) are shortened; everything else is as Swank sent it. Swank is in the public domain.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

from descartes_swank.framing import Framer, encode
from support.fake_swank import FakeSwank, Peer, fake_swank

FOLDER = Path(__file__).resolve().parent.parent / "swank" / "recorded"
_KEPT = 160
_REX = re.compile(r"\A\(:emacs-rex \(?(?P<function>[^\s()]+)[\s\S]*\s(?P<id>\d+)\)\s*\Z")
_KIND = re.compile(r"\A\((?P<kind>:[\w-]+)")
_RETURN = re.compile(r"\A(\(:return [\s\S]*\s)(\d+)(\)\s*)\Z")

Line = tuple[str, str]


def read(name: str) -> list[Line]:
    """Return the recording NAME."""
    lines = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [(who, text) for who, text in map(json.loads, lines)]


def write(name: str, lines: list[Line]) -> None:
    """Keep LINES as the recording NAME."""
    texts = [json.dumps([who, _shortened(who, text)], ensure_ascii=False) for who, text in lines]
    (FOLDER / f"{name}.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")


def _shortened(who: str, text: str) -> str:
    if who == "c" and len(text) > 2 * _KEPT:
        return f"{text[:_KEPT]} … {text[-60:]}"
    if text.startswith("(:indentation-update"):
        return "(:indentation-update nil)"
    if text.startswith("(:new-features"):
        return '(:new-features (":sbcl"))'
    text = re.sub(r'\(:source-form "(?:[^"\\]|\\.)*"\)', '(:source-form "(shortened)")', text)
    return re.sub(r":features \([^()]*\)", _few_features, text)


def _few_features(match: re.Match[str]) -> str:
    server = ":slynk" if ":slynk" in match[0].split("(")[1] else ":swank"
    return f":features ({server} :sbcl)"


@contextlib.asynccontextmanager
async def proxy(target: int, lines: list[Line]) -> AsyncIterator[int]:
    """Yield the port of a proxy to the port TARGET that puts down what passes into LINES."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(_pass_on("c", reader, there[1], lines), _pass_on("s", there[0], writer, lines))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _pass_on(
    who: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lines: list[Line]
) -> None:
    framer = Framer()
    with contextlib.suppress(ConnectionError, asyncio.CancelledError):
        while data := await reader.read(65536):
            lines.extend((who, packet.decode("utf-8", "replace")) for packet in framer.feed(data))
            writer.write(data)
    writer.close()


@contextlib.asynccontextmanager
async def played(lines: list[Line]) -> AsyncIterator[FakeSwank]:
    """Yield a server that plays LINES to one client: it waits for what was said, and answers as then."""
    async with fake_swank(_Part(lines).play) as fake:
        yield fake


class _Part:
    def __init__(self, lines: list[Line]) -> None:
        self._lines = lines
        self._ids: dict[str, str] = {}
        self._early: list[str] = []

    async def play(self, peer: Peer) -> None:
        for who, text in self._lines:
            if who == "c":
                await self._await(peer, text)
            else:
                peer.send_bytes(encode(self._answer(text)))
        while True:
            await peer.receive_text()

    async def _await(self, peer: Peer, expected: str) -> None:
        """Wait for the packet that EXPECTED was; packets of another order are kept for their turn."""
        while (found := next((each for each in self._early if _same(each, expected)), None)) is None:
            self._early.append(await peer.receive_text())
        self._early.remove(found)
        then, now = _REX.match(expected), _REX.match(found)
        if then and now:
            self._ids[then["id"]] = now["id"]

    def _answer(self, text: str) -> str:
        """Return TEXT with the ids that the client has given its requests now."""
        if match := _RETURN.match(text):
            return match[1] + self._ids.get(match[2], match[2]) + match[3]
        for then, now in self._ids.items():
            if len(then) > 9:  # an id, and no number by chance
                text = text.replace(then, now)
        return text


def _same(one: str, other: str) -> bool:
    return _head(one) == _head(other)


def _head(text: str) -> tuple[str, str]:
    rex = _REX.match(text)
    kind = _KIND.match(text)
    return (kind["kind"] if kind else text[:20], rex["function"] if rex else "")
