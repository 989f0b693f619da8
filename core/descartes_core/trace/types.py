"""What travels between sessions, agents, dispatchers and planners. Nothing here touches a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

SCHEMA_VERSION = 1
DEFAULT_MAX_ARTIFACT_SIZE = 100 * 1024 * 1024


class EntryType(StrEnum):
    """The 15 kinds of entries of a trajectory."""

    SESSION_CREATED = "session_created"
    SESSION_LOADED = "session_loaded"
    SESSION_SAVED = "session_saved"
    STATE_SET = "state_set"
    STATE_DELETED = "state_deleted"
    ARTIFACT_WRITTEN = "artifact_written"
    ARTIFACT_DELETED = "artifact_deleted"
    AGENT_INVOKED = "agent_invoked"
    AGENT_COMPLETED = "agent_completed"
    AGENT_FAILED = "agent_failed"
    PLAN_CREATED = "plan_created"
    PLAN_STEP_STARTED = "plan_step_started"
    PLAN_STEP_COMPLETED = "plan_step_completed"
    USER_INPUT = "user_input"
    SYSTEM_NOTE = "system_note"


class ErrorCode(StrEnum):
    """The 22 stable codes of what can go wrong."""

    SESSION_NOT_FOUND = "session_not_found"
    SESSION_CORRUPTED = "session_corrupted"
    SESSION_INVALID_STATE = "session_invalid_state"
    AGENT_NOT_FOUND = "agent_not_found"
    AGENT_CAPABILITY_NOT_FOUND = "agent_capability_not_found"
    AGENT_INVOCATION_FAILED = "agent_invocation_failed"
    AGENT_INVALID_PARAMS = "agent_invalid_params"
    AGENT_TIMEOUT = "agent_timeout"
    DISPATCH_SEQUENCE_FAILED = "dispatch_sequence_failed"
    DISPATCH_NO_AGENT_FOR_CAPABILITY = "dispatch_no_agent_for_capability"
    PLAN_GENERATION_FAILED = "plan_generation_failed"
    PLAN_INVALID_FORMAT = "plan_invalid_format"
    PLAN_LLM_ERROR = "plan_llm_error"
    PERSIST_SAVE_FAILED = "persist_save_failed"
    PERSIST_LOAD_FAILED = "persist_load_failed"
    PERSIST_FILE_NOT_FOUND = "persist_file_not_found"
    PERSIST_SCHEMA_MISMATCH = "persist_schema_mismatch"
    ARTIFACT_NOT_FOUND = "artifact_not_found"
    ARTIFACT_TOO_LARGE = "artifact_too_large"
    ARTIFACT_INVALID_NAME = "artifact_invalid_name"
    UNKNOWN_ERROR = "unknown_error"
    VALIDATION_ERROR = "validation_error"


@dataclass(frozen=True)
class TrajectoryEntry:
    """One entry of a trajectory. SEQ_NUM counts from 1; TIMESTAMP is UTC."""

    seq_num: int
    timestamp: datetime
    agent_id: str
    entry_type: EntryType
    content: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as JSON, its time in ISO 8601."""
        return {
            "seq_num": self.seq_num,
            "timestamp": self.timestamp.isoformat(),
            "agent_id": self.agent_id,
            "entry_type": self.entry_type.value,
            "content": self.content,
        }


@dataclass(frozen=True)
class CapabilityCall:
    """A call of whichever agent has CAPABILITY, with PARAMS."""

    capability: str
    params: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, call: Mapping[str, Any]) -> CapabilityCall:
        """Return the call written as `{"capability": …, "params": {…}}`. Errors: `ValueError`."""
        capability, params = call.get("capability"), call.get("params", {})
        if not isinstance(capability, str) or not isinstance(params, Mapping):
            raise ValueError(
                f'expected {{"capability": text, "params": object}}, got {str(dict(call))[:200]}; correct it'
            )
        return cls(capability, dict(params))

    def to_dict(self) -> dict[str, Any]:
        """Return the call as JSON."""
        return {"capability": self.capability, "params": self.params}


@dataclass(frozen=True)
class AgentInfo:
    """Who an agent is and what it can do."""

    agent_id: str
    name: str
    version: str
    capabilities: Sequence[str]
    description: str = ""


def failure(code: ErrorCode | str, message: str, details: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the error `{error_code, message, details?}`. Errors: `ValueError` for a code that is none."""
    error: dict[str, Any] = {"error_code": ErrorCode(code).value, "message": message}
    return error if details is None else {**error, "details": dict(details)}


@dataclass(frozen=True)
class InvokeResult:
    """What became of one call. Invariant: there is an error exactly when it is not a success."""

    success: bool
    result: Any = None
    error: dict[str, Any] | None = None
    agent_id: str = ""
    capability: str = ""

    def __post_init__(self) -> None:
        if self.success != (self.error is None):
            raise ValueError("a result has an error exactly when it is not a success; use ok() or fail()")
        if self.error is not None and not {"error_code", "message"} <= self.error.keys():
            raise ValueError("an error has an error_code and a message; use fail()")

    @classmethod
    def ok(cls, result: Any = None, agent_id: str = "", capability: str = "") -> InvokeResult:
        """Return the success of a call of CAPABILITY, with its RESULT."""
        return cls(True, result, None, agent_id, capability)

    @classmethod
    def fail(
        cls,
        error_code: ErrorCode | str,
        message: str,
        agent_id: str = "",
        capability: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> InvokeResult:
        """Return the failure of a call of CAPABILITY. Errors: `ValueError` for a code that is none."""
        return cls(False, None, failure(error_code, message, details), agent_id, capability)


@dataclass(frozen=True)
class DispatchResult:
    """What became of a sequence: the RESULTS of the calls that were made; the last may have failed."""

    results: list[InvokeResult]

    @property
    def success(self) -> bool:
        return self.failed_at is None

    @property
    def failed_at(self) -> int | None:
        """The place of the call that failed, counted from 0."""
        failed = (place for place, result in enumerate(self.results) if not result.success)
        return next(failed, None)

    @property
    def error(self) -> dict[str, Any] | None:
        """What went wrong, `{error_code, message, details?}`."""
        return None if self.failed_at is None else self.results[self.failed_at].error

    @property
    def executed_count(self) -> int:
        return len(self.results)


@dataclass(frozen=True)
class PlanResult:
    """What a planner made of a request: CALLS, or an ERROR; RAW is what the model said, in both cases."""

    success: bool
    calls: list[CapabilityCall] = field(default_factory=list)
    error: dict[str, Any] | None = None
    raw: str | None = None
