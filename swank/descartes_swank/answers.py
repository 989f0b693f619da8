"""What our functions in an image take and answer: quoted arguments, `:ok` or why not."""

from __future__ import annotations

from collections.abc import Sequence

from .errors import Cancelled, DebuggerStale, InvalidParams, NotFound, TimedOut
from .forms import Form, Symbol, Value


def quoted(items: Sequence[Form]) -> Form:
    return [Symbol("quote"), list(items)]


def checked(answer: Value) -> list[Value]:
    """Return what follows `:ok` in ANSWER of one of our functions.

    Errors: `DebuggerStale`, `InvalidParams`, `NotFound`, `TimedOut`, `Cancelled`, as other answers say.
    """
    match answer:
        case [":stale"]:
            raise DebuggerStale("The thread is not stopped at that level any more; look at the stops again")
        case [":invalid", str(why)]:
            raise InvalidParams(why[:1].upper() + why[1:].rstrip("."))
        case [":missing", str(why)]:
            raise NotFound(why[:1].upper() + why[1:].rstrip("."))
        case [":late"]:
            raise TimedOut("The code took too long; evaluate it with lisp.eval and open its value")
        case [":cancelled"]:
            raise Cancelled("The restart's question was given up; the thread is stopped as before")
        case [":ok", *rest]:
            return rest
        case _:
            return []
