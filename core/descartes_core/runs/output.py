"""What runs print: files that are only appended to, read by cursor, and followed while somebody listens."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal

from descartes_core.config.table import Settings
from descartes_core.errors import InvalidParams
from descartes_core.model import Shape

Stream = Literal["stdout", "stderr"]
STREAMS: Final[tuple[Stream, ...]] = ("stdout", "stderr")
QUICKEST_SECONDS, SLOWEST_SECONDS = 0.02, 0.5


class RunOutput(Shape, frozen=True):
    """A piece of the output of a run. NEXT is the cursor behind it; MORE tells that there is some already."""

    run: str
    stream: str
    text: str
    next: int
    more: bool


class Output:
    """The output of one run, in FOLDER."""

    def __init__(
        self,
        folder: Path,
        run: str,
        listener: Callable[[str, str, str], None] | None,
        settings: Callable[[], Settings] = Settings,
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._run = run
        self._listener = listener
        self._told: dict[Stream, int] = dict.fromkeys(STREAMS, 0)

    def add(self, stream: Stream, text: str) -> None:
        """Append TEXT to STREAM, for runs that have no process of their own."""
        with self.file(stream).open("a", encoding="utf-8", newline="") as file:
            file.write(text)
        for piece in _pieces(text, self._settings().performance.stream_chunk_size):
            self._tell(stream, piece)

    def append(self, stream: Stream, text: str) -> None:
        """Append TEXT to STREAM, for runs whose output is followed."""
        with self.file(stream).open("a", encoding="utf-8", newline="") as file:
            file.write(text)

    def file(self, stream: Stream) -> Path:
        """Return the file of STREAM, its folder made."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._folder / stream

    def read(self, stream: str, since: int, limit: int) -> RunOutput:
        """Return at most LIMIT bytes of what STREAM has from the byte SINCE on, cut behind a character.

        Errors: `InvalidParams`.
        """
        if since < 0:
            raise InvalidParams(f"The cursor of output counts bytes from 0, not {since}")
        try:
            with (self._folder / _stream(stream)).open("rb") as file:
                file.seek(since)
                data = file.read(limit + 1)
        except FileNotFoundError:
            data = b""
        text, used = _decoded(data[:limit])
        return RunOutput(run=self._run, stream=stream, text=text, next=since + used, more=len(data) > limit)

    async def follow(self) -> None:
        """Tell the listener what processes append, until this is cancelled; files announce nothing."""
        if self._listener is None:
            return
        delay = QUICKEST_SECONDS
        while True:
            await asyncio.sleep(delay)
            delay = QUICKEST_SECONDS if self.tell_new() else min(delay * 1.5, SLOWEST_SECONDS)

    def skip(self) -> None:
        """Take what there is for told."""
        for stream in STREAMS:
            file = self._folder / stream
            self._told[stream] = file.stat().st_size if file.exists() else 0

    def tell_new(self) -> bool:
        """Tell the listener what was appended since it was last told; return whether there was anything.

        Not more of each stream than `performance.streamBufferSize` at a time, so that others have their turn.
        """
        found, sizes = False, self._settings().performance
        for stream in STREAMS:
            piece = self.read(stream, self._told[stream], sizes.stream_buffer_size)
            if piece.text:
                found = True
                self._told[stream] = piece.next
                for part in _pieces(piece.text, sizes.stream_chunk_size):
                    self._tell(stream, part)
        return found

    def _tell(self, stream: Stream, text: str) -> None:
        if self._listener is not None:
            self._listener(self._run, stream, text)


async def read_output(
    state: Path, run: str, stream: str = "stdout", since: int = 0, limit: int = 65_536
) -> RunOutput:
    """Return LIMIT bytes of what RUN, an exact id, wrote on STREAM from the cursor SINCE on."""
    return await asyncio.to_thread(Output(state / "output" / run, run, None).read, stream, since, limit)


def _pieces(text: str, limit: int) -> Iterator[str]:
    """Yield TEXT in pieces of at most LIMIT bytes, each of whole characters."""
    data = text.encode("utf-8", "surrogatepass")
    while len(data) > limit:
        piece, used = _decoded(data[:limit])
        yield piece
        data = data[used:]
    if data:
        yield data.decode("utf-8", "surrogatepass")


def _stream(name: str) -> Stream:
    for stream in STREAMS:
        if stream == name:
            return stream
    raise InvalidParams(f"The streams of a run are {' and '.join(STREAMS)}, not {name!r}")


def _decoded(data: bytes) -> tuple[str, int]:
    """Return the text of DATA and how many bytes it takes; half a character at the end is left for later."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data)
    return text, len(data) - len(decoder.getstate()[0])
