"""The operation `history.playback`: a history document that moves on by itself, as the run once did.

The hub turns the pages: it writes the document anew for each entry, and tells every client where it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import Literal
from weakref import WeakKeyDictionary

import msgspec

from descartes_core.errors import DescartesError, InvalidParams, NotFound
from descartes_core.model import Shape
from descartes_core.store.times import milliseconds
from descartes_core.timetravel.brain import moment
from descartes_server.ide import view_names
from descartes_server.ide.timeline_document import Page
from descartes_server.ide.timeline_entries import Level
from descartes_server.operations import timeline
from descartes_server.operations import timeline_pages as pages
from descartes_server.operations.context import Context, Services
from descartes_server.operations.lisp_shapes import Range
from descartes_server.operations.registry import Params, operation

log = logging.getLogger(__name__)

CHANGED = "descartes/history/playback"
"""What clients are told by."""
SHORTEST_MS, LONGEST_MS = 400, 2000
"""How long an entry stays at speed 1: as long as it took, within these."""
SLOWEST, FASTEST = 0.001, 1000.0

State = Literal["playing", "paused", "ended"]


class PlaybackParams(Params, frozen=True, kw_only=True):
    """RUN is played FROM an ISO time, event id or number (None: its beginning), SPEED times as fast.

    ACTION: `play`, `pause` or `stop` one that was begun; without one it is begun, or changed.
    LEVEL of detail: `turns`, `steps` or `events`.
    """

    run: str
    action: Literal["play", "pause", "stop"] | None = None
    speed: float | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    level: str | None = None


class Playback(Shape, frozen=True, kw_only=True):
    """Where the playback of RUN is: at the event AT, LEFT events before its end, shown in the file URI."""

    run: str
    uri: str
    path: str
    state: State
    speed: float
    at: int
    left: int
    level: str
    title: str
    """The present entry in a line."""
    range: Range


class Player:
    """One playback under way. Belongs to the hub's loop."""

    def __init__(self, context: Context, run: str, at: int, level: Level, speed: float) -> None:
        self._context = context
        self.run = run
        self.at = at
        self.level: Level = level
        self.speed = speed
        self.state: State = "playing"
        self._changed = asyncio.Event()
        self._showing = asyncio.Lock()
        """Held by who writes the document: of two at once the older page could be the one that stays."""
        self._page: Page
        self._told: Playback | None = None
        """What clients were told last."""

    def change(self) -> None:
        """Look again at `state`, `speed`, `level` and `at`, which somebody has changed."""
        self._changed.set()

    async def play(self) -> None:
        """Move on until the end, or until it is stopped."""
        try:
            while self.state != "ended":
                await self.show()
                page = self._page
                if self.state == "playing" and page.present + 1 >= len(page.entries):
                    self.state = "ended"
                    await self.show()
                elif self.state == "playing" and await self._stays(page):
                    self.at = page.entries[page.present + 1].seq
                elif self.state == "paused":
                    await self._changed.wait()
                    self._changed.clear()
        except DescartesError as problem:
            # The log or its folder is gone, and the workspace with it.
            log.warning("the playback of %s ended: %s", self.run, problem.message)
            self.state = "ended"

    async def show(self) -> Playback:
        """Write the document as it is now, tell every client, and return what they are told.

        That it has ended is told once.
        """
        async with self._showing:
            if self._told is None or self._told.state != "ended":
                state = self.state  # with the place of the same moment
                self._page = await pages.page_of_run(self._context, self.run, self.at, self.level)
                self._told = await self._shown(self._page, state)
                self._context.services.publish(CHANGED, msgspec.to_builtins(self._told))
            return self._told

    async def _shown(self, page: Page, state: State) -> Playback:
        """Write the document with PAGE in STATE, and return what clients are to be told of it."""
        moving = None if state == "ended" else {"state": state, "speed": self.speed}
        name = f"{view_names.of_run(self.run)}.md"
        written = await timeline.write(self._context, replace(page, playback=moving), name)
        entry = page.entries[page.present] if page.entries else None
        return Playback(
            run=self.run,
            uri=written.uri,
            path=written.path,
            state=state,
            speed=self.speed,
            at=page.at,
            left=len(page.entries) - page.present - 1 + page.after if page.entries else 0,
            level=self.level,
            title=f"{entry.sign} {entry.who} {entry.what}" if entry else "",
            range=written.range,
        )

    async def _stays(self, page: Page) -> bool:
        """Wait as long as the present entry is to stay; return whether nothing was changed meanwhile."""
        here, after = page.entries[page.present], page.entries[page.present + 1]
        took = milliseconds(after.at) - milliseconds(here.at)
        seconds = min(max(took, SHORTEST_MS), LONGEST_MS) / 1000 / self.speed
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)
        changed = self._changed.is_set()  # also when that was at the last moment
        self._changed.clear()
        return not changed


_players: WeakKeyDictionary[Services, dict[str, Player]] = WeakKeyDictionary()


@operation("history.playback", kind="effect", positional=("run",))
async def playback(context: Context, params: PlaybackParams) -> Playback:
    """Play a run: its history document moves on as the run once did, at any speed, with pauses."""
    run = await context.services.reader.resolve("run", params.run)
    _check_speed(params.speed)
    players = _players.setdefault(context.services, {})
    player = players.get(run)
    if player is None or player.state == "ended":
        if params.action in ("pause", "stop"):
            raise NotFound(f"The run {run[4:12]} is not being played; begin with history.playback")
        player = players[run] = await _begin(context, run, params)
        told = await player.show()
        context.services.hub.run(player.play())
        return told
    if params.from_ is not None:
        player.at = await moment(context.services.reader, run, params.from_)
    if params.level is not None:
        player.level = pages.level_of(params.level)
    player.speed = params.speed or player.speed
    states: dict[str, State] = {"pause": "paused", "play": "playing", "stop": "ended"}
    player.state = states.get(params.action or "", player.state)
    player.change()
    return await player.show()


async def _begin(context: Context, run: str, params: PlaybackParams) -> Player:
    reader = context.services.reader
    at = 0 if params.from_ is None else await moment(reader, run, params.from_)
    level = pages.level_of(params.level or "steps")
    return Player(context, run, at, level, params.speed or 1.0)


def _check_speed(speed: float | None) -> None:
    if speed is not None and not SLOWEST <= speed <= FASTEST:
        raise InvalidParams(f"Expected a speed from {SLOWEST} to {FASTEST:g}, got {speed:g}; 1 is as it was")
