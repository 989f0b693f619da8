"""Every failure as the error of a response: one sentence, a stable number and code, never a traceback."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from descartes_core.errors import BY_CODE, DebuggerStale, DescartesError

FIRST_NUMBER = 1000
INTERNAL, OUT_OF_ORDER, NOT_STOPPED, UNKNOWN_COMMAND = 900, 901, 902, 903
_NUMBERS = {code: FIRST_NUMBER + index for index, code in enumerate(sorted(BY_CODE))}

log = logging.getLogger(__name__)


class OutOfOrder(DescartesError):
    """A request that comes too early, or once too often."""

    code = "out_of_order"


class NotStopped(DescartesError):
    """A request about a stopped thread that runs."""

    code = "not_stopped"


class UnknownCommand(DescartesError):
    """A request that this adapter does not know."""

    code = "unknown_command"


OWN = {OutOfOrder.code: OUT_OF_ORDER, NotStopped.code: NOT_STOPPED, UnknownCommand.code: UNKNOWN_COMMAND}
WORDS = {"cancelled": "cancelled", NotStopped.code: "notStopped"}
"""Messages that the protocol gives a meaning; the sentence is then in the body alone."""


LOOKS = frozenset({"stackTrace", "scopes", "variables", "exceptionInfo"})
GONE = frozenset({DebuggerStale.code, NotStopped.code})
"""Clients look by themselves, and what they look at may be left meanwhile: no news for a person."""


def of(error: BaseException, command: str, log_path: str) -> dict[str, Any]:
    """Return message and body of the response that says how COMMAND failed with ERROR.

    Faults of the program go to the log, at LOG_PATH.
    """
    if isinstance(error, asyncio.CancelledError):
        return _refusal(f"{command} was cancelled", "cancelled", _NUMBERS["cancelled"])
    if isinstance(error, DescartesError):
        number = OWN.get(error.code) or _NUMBERS.get(error.code, INTERNAL)
        refusal = _refusal(error.message, error.code, number)
        if command in LOOKS and error.code in GONE:
            refusal["body"]["error"]["showUser"] = False
        return refusal
    log.error("%s failed", command, exc_info=error)
    sentence = f"Descartes could not answer {command} because of a fault of its own; see {log_path}"
    return _refusal(sentence, "internal_error", INTERNAL)


def _refusal(sentence: str, code: str, number: int) -> dict[str, Any]:
    error: dict[str, Any] = {"id": number, "format": sentence, "variables": {"code": code}}
    # What an evaluation says of its failure stands where it was asked for.
    error["showUser"] = code not in ("evaluation_failed", "cancelled")
    return {"message": WORDS.get(code, sentence), "body": {"error": error}}
