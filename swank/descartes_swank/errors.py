"""Every error this package raises on purpose, one class for each stable code.

    SwankError
     ├── Aborted              aborted           the Lisp ended the request without a value
     ├── LispLost             lisp_lost         the connection or the process is gone
     │    ├── NotSwank        lisp_lost         what answers there is no Swank
     │    └── LispGone        lisp_lost         the image has ended; trying again is no use
     ├── LispNotFound         lisp_not_found    no Lisp, or no Swank, to start
     ├── DebuggerStale        debugger_stale    that thread and level is not stopped any more
     │    └── RequestInvalid  debugger_stale    the request named a thread that has ended
     ├── InvalidParams        invalid_params    an argument that cannot be sent or understood
     │    └── ReaderError     invalid_params    the Lisp could not read the request
     ├── NotFound             not_found         a restart, frame or evaluation that does not exist
     ├── Unsupported          unsupported       the implementation's Swank has no such thing
     ├── TooLarge             too_large         a message longer than the protocol can carry
     ├── TimedOut             timeout           no answer in time
     └── Cancelled            cancelled         the caller gave up

A message is one sentence for a person, without a full stop: what was expected, what came, what to do.
"""

from __future__ import annotations

from typing import Any, ClassVar


class SwankError(Exception):
    """An error with a stable CODE, a MESSAGE for a person and JSON DATA for a program."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **data: Any) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class Aborted(SwankError):
    """The Lisp ended a request without a value; REASON is what it gave, often a condition's text.

    Requests that unwind the stack (restarts, `sldb-abort`, `restart-frame`) end like this on success.
    """

    code = "aborted"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The Lisp ended the request without a value: {reason}", reason=reason)
        self.reason = reason


class LispLost(SwankError):
    code = "lisp_lost"


class NotSwank(LispLost):
    """Something answers, which is no Swank."""


class LispGone(LispLost):
    """The image has ended; there is nothing to go back to."""


class LispNotFound(SwankError):
    code = "lisp_not_found"


class DebuggerStale(SwankError):
    code = "debugger_stale"


class RequestInvalid(DebuggerStale):
    """The Lisp refused a request because the thread it was sent to does not exist."""


class InvalidParams(SwankError):
    code = "invalid_params"


class ReaderError(InvalidParams):
    """The Lisp could not read a request, or could not encode its answer."""


class NotFound(SwankError):
    code = "not_found"


class Unsupported(SwankError):
    """The Lisp's Swank lacks what was asked for."""

    code = "unsupported"


class TooLarge(SwankError):
    code = "too_large"


class TimedOut(SwankError):
    code = "timeout"


class Cancelled(SwankError):
    code = "cancelled"
