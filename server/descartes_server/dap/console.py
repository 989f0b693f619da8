"""What can be typed in the console beside Lisp: commands, which begin with a comma.

A comma begins no form, so that nothing one could evaluate is taken away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from descartes_core.errors import InvalidParams
from descartes_server.dap import arguments, leaving, texts
from descartes_server.dap.channel import Reply
from descartes_server.dap.stops import Frame, Stop

if TYPE_CHECKING:
    from descartes_server.dap.adapter import Adapter

MARK = ","


@dataclass(frozen=True)
class Place:
    """What a command is about: the frame chosen in the client, else the first of the only stopped thread."""

    adapter: Adapter
    chosen: Frame | None

    @property
    def frame(self) -> Frame:
        """The frame. Errors: `InvalidParams` when no thread is stopped, or it is not clear which is meant."""
        if self.chosen is not None:
            return self.chosen
        stops = self.adapter.stops.all()
        if len(stops) != 1:
            there = ", ".join(str(stop.thread) for stop in stops) or "none"
            raise InvalidParams(f"expected one stopped thread, there are {there}; choose a frame of one")
        return Frame(stops[0], 0)

    @property
    def stop(self) -> Stop:
        return self.frame.stop


@dataclass(frozen=True)
class Command:
    """A console command: what it takes, one line of help, and what it does."""

    takes: str
    help: str
    perform: Callable[[Place, str], Awaitable[Reply]]


async def _help(place: Place, rest: str) -> Reply:
    width = max(len(f"{MARK}{name} {each.takes}") for name, each in COMMANDS.items())
    lines = [f"{f'{MARK}{name} {each.takes}':<{width}}  {each.help}" for name, each in COMMANDS.items()]
    return _say("\n".join(lines))


async def _restarts(place: Place, rest: str) -> Reply:
    lines = [f"{each['index']} [{each['name']}] {each['description']}" for each in place.stop.restarts]
    return _say("\n".join(lines))


async def _restart(place: Place, rest: str) -> Reply:
    name, *given = texts.forms(rest) or [""]
    asked = arguments.InvokeRestart(
        thread_id=place.stop.thread,
        level=place.stop.level,
        index=int(name) if name.isdecimal() else None,
        name=None if name.isdecimal() or not name else name,
        arguments=given,
        frame_id=place.adapter.stops.frame_id(place.stop, place.frame.index),
    )
    return _said(await leaving.invoke(place.adapter, asked))


async def _abort(place: Place, rest: str) -> Reply:
    return _said(await leaving.leave(place.adapter, place.stop, "debugger.abort", {}))


async def _toplevel(place: Place, rest: str) -> Reply:
    return _said(await leaving.leave(place.adapter, place.stop, "debugger.toplevel", {}))


async def _continue(place: Place, rest: str) -> Reply:
    return _said(await leaving.go_on(place.adapter, place.stop))


async def _step(place: Place, kind: str) -> Reply:
    return _said(await leaving.step(place.adapter, place.stop, kind, told=False))


async def _return(place: Place, rest: str) -> Reply:
    return _said(await leaving.return_value(place.adapter, place.frame, texts.form(rest)))


async def _retry(place: Place, rest: str) -> Reply:
    given = texts.forms(rest) or None
    return _said(await leaving.call_again(place.adapter, place.frame, given))


COMMANDS: dict[str, Command] = {
    "help": Command("", "say what can be typed here", _help),
    "restarts": Command("", "list the ways out of the stop", _restarts),
    "restart": Command("N|NAME [FORM]…", "leave the stop by a restart, with arguments", _restart),
    "abort": Command("", "leave the stop for the level above it, or give the evaluation up", _abort),
    "toplevel": Command("", "give the evaluation up from whatever level", _toplevel),
    "continue": Command("", "go on by the restart CONTINUE", _continue),
    "into": Command("", "step into the call at hand", lambda place, _: _step(place, "into")),
    "next": Command("", "step to the next call of the function", lambda place, _: _step(place, "next")),
    "out": Command("", "step out of the function", lambda place, _: _step(place, "out")),
    "return": Command("FORM", "return the value of a form from the chosen frame", _return),
    "retry": Command(
        "[FORM]…", "call the chosen frame's function again, with other arguments or the same", _retry
    ),
}


def is_command(text: str) -> bool:
    """Return whether TEXT is a command and no Lisp."""
    return text.lstrip().startswith(MARK)


async def perform(adapter: Adapter, text: str, chosen: Frame | None) -> Reply:
    """Do the command TEXT for the frame that is CHOSEN. Errors: `InvalidParams` when there is no such."""
    name, _, rest = text.strip().removeprefix(MARK).partition(" ")
    command = COMMANDS.get(name.lower())
    if command is None:
        there = ", ".join(f"{MARK}{each}" for each in COMMANDS)
        raise InvalidParams(f"expected a command, got {MARK}{name[:60]}; there are {there}")
    return await command.perform(Place(adapter, chosen), rest.strip())


def _say(text: str) -> Reply:
    return Reply({"result": text, "variablesReference": 0})


def _said(reply: Reply) -> Reply:
    """Return REPLY as the response to an evaluation."""
    return Reply({"result": "", "variablesReference": 0}, reply.after)
