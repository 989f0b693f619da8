"""How a client gets to a hub and has it say what it is; whatever becomes of that hub, one greeting at a time.

Which hub is good enough is not decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from descartes_core import errors
from descartes_server.hub import messages
from descartes_server.hub.wire import Lost, Receive, Wire

GREETING_S = 5.0
PATIENCE_S = 10.0
"""How long a call waits for a hub that is being replaced."""
AGAIN_S = 0.02


class Opener(Protocol):
    """How a client reaches its hub."""

    async def open(self, receive: Receive, lost: Lost, *, start: bool) -> Wire | None:
        """Return a wire to the hub, started when there is none and START is true; else None.

        Errors: `HubLost` when none could be started; `WorkspaceInUse` when one is held but out of reach.
        """
        ...


class Greeting:
    """Opens wires with OPENER, whose messages go to RECEIVE, and its end to LOST unless a later one came."""

    def __init__(self, opener: Opener, receive: Receive, lost: Lost) -> None:
        self._opener = opener
        self._receive = receive
        self._lost = lost
        self._generation = 0
        self._awaited: asyncio.Future[messages.HubHello] | None = None

    async def greet(self, begin: Callable[[Wire | None], None], *, start: bool) -> messages.HubHello | None:
        """Return what the hub says of itself, None when there is none and START is false.

        BEGIN(wire) says hello over each wire that is opened; it is given None when there is none. A hub that
        dies or ends can still take connections for a moment: then its successor is waited for.
        """
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            try:
                return await self._once(begin, start=start)
            except errors.HubLost:
                if not start:
                    return None
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(AGAIN_S)

    def heard(self, hello: messages.HubHello) -> None:
        """Take in the answer."""
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(hello)

    def failed(self, error: errors.DescartesError) -> None:
        """Take note that there will be no answer."""
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(error)

    async def _once(self, begin: Callable[[Wire | None], None], *, start: bool) -> messages.HubHello | None:
        awaited: asyncio.Future[messages.HubHello] = asyncio.get_running_loop().create_future()
        self._awaited = awaited
        self._generation += 1
        generation = self._generation

        def lost(reason: str) -> None:
            # An earlier wire that closes late must not take the present one with it.
            if generation == self._generation:
                self._lost(reason)

        try:
            wire = await self._opener.open(self._receive, lost, start=start)
        except errors.DescartesError:
            self._awaited = None
            raise
        begin(wire)
        if wire is None:
            self._awaited = None
            return None
        try:
            async with asyncio.timeout(GREETING_S):
                return await awaited
        except TimeoutError:
            wire.close()
            raise errors.WorkspaceInUse(
                f"the hub took the connection and did not answer for {GREETING_S:.0f} s; "
                "`descartes hub stop --force` ends it"
            ) from None


def is_older(one: str, other: str) -> bool:
    """Return whether the version ONE is older than OTHER. Example: is_older("0.9.1", "0.10") -> True"""

    def numbers(version: str) -> list[int]:
        return [int(part) for part in version.split(".") if part.isdigit()]

    return numbers(one) < numbers(other)


def mismatch(hub: messages.HubHello, hello: messages.ClientHello) -> str:
    """Return the sentence for a HUB that speaks another protocol than who says HELLO."""
    return (
        f"expected a hub of protocol {hello.protocol} (version {hello.version}), "
        f"found protocol {hub.protocol} (version {hub.version}); restart the older of the two"
    )
