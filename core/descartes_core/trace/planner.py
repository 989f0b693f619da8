"""`Planner`: has a model turn a request into calls of capabilities, and believes nothing of it unchecked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from descartes_core.trace.llm.base import LLMError, LLMProvider
from descartes_core.trace.session import Session
from descartes_core.trace.types import CapabilityCall, EntryType, ErrorCode, PlanResult, failure

NAME = "planner"
LONGEST_STATE = 8000
BRACKETS = 50
"""Places in an answer at which a plan is looked for."""

SYSTEM = """You turn a request into calls of capabilities. Answer with one JSON object and nothing else:
{{"calls": [{{"capability": "<name>", "params": {{}}}}]}}
The calls are made in order, each on the same state. Use only these capabilities: {capabilities}.
The parameter "key" names the entry of the state that a call works on."""


class Planner:
    """Plans with the model LLM and the names of CAPABILITIES. It executes nothing."""

    def __init__(self, llm: LLMProvider, capabilities: Sequence[str]) -> None:
        self._llm = llm
        self._capabilities = sorted(set(capabilities))

    def plan(self, request: str, session: Session) -> PlanResult:
        """Return the calls with which the model would do REQUEST on the state of SESSION.

        A plan is written into the trajectory, and so is a failure, with what the model said.
        """
        if not isinstance(request, str) or not request.strip():
            return _failed(ErrorCode.VALIDATION_ERROR, "Expected a request, got none; say what is to be done")
        raw: str | None = None
        try:
            raw = self._llm.generate(
                self._prompt(request, session),
                system=SYSTEM.format(capabilities=", ".join(self._capabilities)),
                schema=self._schema(),
            )
            calls = self._calls(raw)
        except LLMError as error:
            result = _failed(ErrorCode.PLAN_LLM_ERROR, str(error))
        except _Invalid as error:
            result = _failed(error.code, str(error), raw)
        except Exception as error:
            result = _failed(ErrorCode.PLAN_LLM_ERROR, f"{type(error).__name__}: {error}", raw)
        else:
            result = PlanResult(True, calls, None, raw)
        self._note(request, result, session)
        return result

    def _note(self, request: str, result: PlanResult, session: Session) -> None:
        told: dict[str, Any] = {"request": request, "raw": result.raw}
        if result.success:
            told["calls"] = [call.to_dict() for call in result.calls]
            session.append(NAME, EntryType.PLAN_CREATED, told)
        else:
            session.append(NAME, EntryType.AGENT_FAILED, {**told, "error": result.error})

    def _prompt(self, request: str, session: Session) -> str:
        state = json.dumps(session.get_state(), ensure_ascii=False)
        if len(state) > LONGEST_STATE:
            state = json.dumps({"keys": session.keys()}, ensure_ascii=False)[:LONGEST_STATE]
        return f"State: {state}\nRequest: {request.strip()}"

    def _schema(self) -> Mapping[str, Any]:
        call = {
            "type": "object",
            "properties": {
                "capability": {"type": "string", "enum": self._capabilities},
                "params": {"type": "object"},
            },
            "required": ["capability", "params"],
        }
        calls = {"type": "array", "items": call}
        return {"type": "object", "properties": {"calls": calls}, "required": ["calls"]}

    def _calls(self, raw: str) -> list[CapabilityCall]:
        found = next(_plans(raw), None)
        if found is None:
            raise _Invalid(f"Expected a JSON list of calls from the model, got {raw[:200]!r}; ask again")
        if not found:
            raise _Invalid("The model gave a plan without calls; word the request differently", empty=True)
        return [self._call(each) for each in found]

    def _call(self, given: Any) -> CapabilityCall:
        try:
            call = CapabilityCall.from_dict(given)
        except (ValueError, AttributeError):
            raise _Invalid(
                f"Expected a call with a capability and params, got {str(given)[:200]}; ask again"
            ) from None
        if call.capability not in self._capabilities:
            raise _Invalid(
                f"The model planned the capability {call.capability!r}, which nobody has; it may use"
                f" {', '.join(self._capabilities)}"
            )
        return call


class _Invalid(Exception):
    """What the model said is no plan."""

    def __init__(self, message: str, *, empty: bool = False) -> None:
        super().__init__(message)
        self.code = ErrorCode.PLAN_GENERATION_FAILED if empty else ErrorCode.PLAN_INVALID_FORMAT


def _failed(code: ErrorCode, message: str, raw: str | None = None) -> PlanResult:
    return PlanResult(False, [], failure(code, message), raw)


def _plans(raw: str) -> Iterator[list[Any]]:
    """Yield each list of calls that stands in RAW, whatever the model wrote around it.

    Example: 'Sure:\\n```json\\n[{"capability": "reverse"}]\\n```' -> [{"capability": "reverse"}]
    """
    decoder = json.JSONDecoder()
    place = 0
    for _ in range(BRACKETS):
        place = _next_bracket(raw, place)
        if place < 0:
            return
        try:
            value, place = decoder.raw_decode(raw, place)
        except (ValueError, RecursionError):
            place += 1
            continue
        if isinstance(value, dict):
            value = value.get("calls", [value] if "capability" in value else None)
        if isinstance(value, list):
            yield value


def _next_bracket(text: str, start: int) -> int:
    places = [place for bracket in "[{" if (place := text.find(bracket, start)) >= 0]
    return min(places, default=-1)
