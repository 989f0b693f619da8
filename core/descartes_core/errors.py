"""Every error that a person or another program can see, one class for each stable code.

    DescartesError
     ├── NotFound, RunNotFound, InvalidParams, InvalidTransition, TooLarge
     ├── LeaseHeld, LeaseLost
     ├── LispNotRunning, LispNotFound, LispLost, DebuggerStale, Unsupported
     ├── HubLost, WorkspaceInUse, WorkspaceNotTrusted, UnsavedChanges
     ├── PolicyDenied, InterventionClosed, RestoreConflict
     ├── StreamConflict, StoreUnavailable
     └── TimedOut, Cancelled

A message is one sentence for a person, without a full stop: what was expected, what came, what to do.
Errors that are bugs are never of this tree; they are logged, and the person sees the log's path.
"""

from __future__ import annotations

from typing import Any, ClassVar

LONGEST_MESSAGE = 1500


class DescartesError(Exception):
    """An error with a stable CODE, a MESSAGE for a person and JSON DATA for a program."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **data: Any) -> None:
        # What came may be a whole file, and is part of many messages.
        if len(message) > LONGEST_MESSAGE:
            message = f"{message[: LONGEST_MESSAGE // 2]} … {message[-LONGEST_MESSAGE // 2 :]}"
        super().__init__(message)
        self.message = message
        self.data = data

    def as_json(self) -> dict[str, Any]:
        """Return `{code, message, data}` as every door shows it."""
        return {"code": self.code, "message": self.message, "data": self.data}


class NotFound(DescartesError):
    code = "not_found"


class RunNotFound(DescartesError):
    code = "run_not_found"


class InvalidParams(DescartesError):
    code = "invalid_params"


class InvalidTransition(DescartesError):
    code = "invalid_transition"


class TooLarge(DescartesError):
    code = "too_large"


class LeaseHeld(DescartesError):
    code = "lease_held"


class LeaseLost(DescartesError):
    code = "lease_lost"


class LispNotRunning(DescartesError):
    code = "lisp_not_running"


class LispNotFound(DescartesError):
    code = "lisp_not_found"


class LispLost(DescartesError):
    code = "lisp_lost"


class DebuggerStale(DescartesError):
    code = "debugger_stale"


class Unsupported(DescartesError):
    code = "unsupported"


class HubLost(DescartesError):
    code = "hub_lost"


class WorkspaceInUse(DescartesError):
    code = "workspace_in_use"


class WorkspaceNotTrusted(DescartesError):
    code = "workspace_not_trusted"


class UnsavedChanges(DescartesError):
    code = "unsaved_changes"


class PolicyDenied(DescartesError):
    code = "policy_denied"


class InterventionClosed(DescartesError):
    code = "intervention_closed"


class RestoreConflict(DescartesError):
    code = "restore_conflict"


class StreamConflict(DescartesError):
    code = "stream_conflict"


class StoreUnavailable(DescartesError):
    code = "store_unavailable"


class TimedOut(DescartesError):
    code = "timeout"


class Cancelled(DescartesError):
    code = "cancelled"


BY_CODE: dict[str, type[DescartesError]] = {kind.code: kind for kind in DescartesError.__subclasses__()}


def from_json(error: dict[str, Any]) -> DescartesError:
    """Return the exception that ERROR, `{code, message, data}`, was made from; the reverse of `as_json`."""
    kind = BY_CODE.get(str(error.get("code")), DescartesError)
    return kind(str(error.get("message", "")), **(error.get("data") or {}))
