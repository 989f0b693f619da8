"""Every failure as the protocol's error object: one sentence, a stable code, never a traceback.

Which error gets which number is decided here and nowhere else; the traceback goes to the log.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
SERVER_NOT_INITIALIZED = -32002
REQUEST_FAILED = -32803
CONTENT_MODIFIED = -32801
REQUEST_CANCELLED = -32800

_NUMBERS = {"invalid_params": INVALID_PARAMS, "cancelled": REQUEST_CANCELLED}

log = logging.getLogger(__name__)


class Outdated(Exception):
    """The text moved on while the answer was made; the client asks again when it still wants to know."""


class Malformed(Exception):
    """Parameters that are not as the protocol defines them; the message says where."""


def response_error(error: BaseException, method: str, log_path: str) -> types.ResponseError:
    """Return what a client is told when METHOD failed with ERROR; faults of the program go to LOG_PATH."""
    match error:
        case asyncio.CancelledError():
            return refusal(REQUEST_CANCELLED, f"{method} was cancelled", "cancelled")
        case Outdated():
            return refusal(CONTENT_MODIFIED, f"the text changed while {method} was answered", "outdated")
        case Malformed():
            return refusal(INVALID_PARAMS, str(error), "invalid_params")
        case JsonRpcException():
            return refusal(error.code, error.message.splitlines()[0], "protocol")
    code = getattr(error, "code", None)
    if isinstance(code, str):
        return refusal(
            _NUMBERS.get(code, REQUEST_FAILED), _sentence(error), code, getattr(error, "data", None)
        )
    log.error("%s failed", method, exc_info=error)
    message = f"Descartes could not answer {method} because of a fault of its own; {log_path} has the details"
    return refusal(INTERNAL_ERROR, message, "internal_error")


def refusal(number: int, message: str, code: str, data: Any = None) -> types.ResponseError:
    """Return the error NUMBER with MESSAGE and CODE, and what DATA says beside."""
    extra = data if isinstance(data, dict) else {}
    return types.ResponseError(code=number, message=message, data={**extra, "code": code})


def _sentence(error: BaseException) -> str:
    return str(getattr(error, "message", None) or error) or type(error).__name__
