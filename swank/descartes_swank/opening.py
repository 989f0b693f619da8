"""Opening a session: reach the server, learn which Lisp it is, and prepare the session of that kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from . import messages
from .attachment import greet, refusal, slime_secret
from .connection import Connection
from .errors import SwankError
from .ways import Way

if TYPE_CHECKING:
    from .session import Lisp


async def opened(
    make: Callable[[bool], Lisp], way: Way, secret: str | None, *, plain: bool, deadline_s: float | None
) -> Lisp:
    """Return a session over WAY; MAKE gives it, plain when it is to use Swank's own calls alone.

    Who answers has DEADLINE_S to say who it is.
    Errors: `LispLost`, one sentence, when nothing answers there, it is no Swank or SECRET is wrong.
    """
    lisp = make(plain)
    if secret is None and way.wants_secret:
        secret = await slime_secret()

    def hear(event: messages.Event) -> None:
        lisp._on_event(event)  # of whichever kind the session turns out to be

    connection = await Connection.open("", 0, secret=secret, on_event=hear, way=way)
    try:
        info = await greet(connection, deadline_s)
        if not plain and info.implementation != "SBCL":
            lisp = make(True)
        lisp.connection, lisp.info = connection, info
        lisp._first_id = await lisp._enter()
    except BaseException as problem:
        await connection.close()
        if isinstance(problem, SwankError):
            raise await refusal(problem, way, secret is not None) from problem
        raise
    connection.closed.add_done_callback(lambda _: lisp._on_closed())
    return lisp
