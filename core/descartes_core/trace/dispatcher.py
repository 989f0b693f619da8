"""`Dispatcher`: brings each call to the agent that has its capability, and stops at the first failure."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

from descartes_core.errors import DescartesError
from descartes_core.trace.agent import Agent
from descartes_core.trace.session import Session
from descartes_core.trace.session_log import acting_as
from descartes_core.trace.types import (
    CapabilityCall,
    DispatchResult,
    EntryType,
    ErrorCode,
    InvokeResult,
    TrajectoryEntry,
)

NAME = "dispatcher"
LONGEST_SUMMARY = 200

Call = CapabilityCall | Mapping[str, Any]


class Dispatcher:
    """The agents that can be called. It keeps nothing of what happens: that stands in the session."""

    def __init__(self) -> None:
        self._agents: dict[str, Agent] = {}

    def register(self, agent: Agent) -> None:
        """Let AGENT do what it can; of several agents with one capability the last registered does it.

        An agent with the same id is replaced.
        """
        info = agent.info()
        self.unregister(info.agent_id)
        for capability in info.capabilities:
            self._agents[capability] = agent

    def unregister(self, agent_id: str) -> bool:
        """Forget the agent AGENT_ID and return whether it had capabilities; those of others stay theirs."""
        own = [name for name, agent in self._agents.items() if agent.info().agent_id == agent_id]
        for name in own:
            del self._agents[name]
        return bool(own)

    def get_capabilities(self) -> list[str]:
        """Return what can be called, sorted."""
        return sorted(self._agents)

    def get_agent(self, capability: str) -> Agent | None:
        """Return the agent that does CAPABILITY."""
        return self._agents.get(capability)

    def dispatch_single(
        self, capability: str, session: Session, params: Mapping[str, Any] | None = None
    ) -> InvokeResult:
        """Return what became of one call; the trajectory is that of a sequence of one."""
        return self.dispatch_sequence([CapabilityCall(capability, dict(params or {}))], session).results[0]

    def dispatch_sequence(self, calls: Sequence[Call], session: Session) -> DispatchResult:
        """Make CALLS one after the other until one fails, and return what became of those that were made."""
        return self._run([_call(call) for call in calls], session, {})

    def resume_sequence(self, calls: Sequence[Call], session: Session) -> DispatchResult:
        """Make those of CALLS that the last sequence of SESSION did not complete, as after a crash.

        A call counts as completed when the same one, at the same place, is in the trajectory with success;
        its result then is `{"skipped": True}`.
        """
        made = [_call(call) for call in calls]
        completed = _completed(session.get_trajectory())
        skipped = {
            place: InvokeResult.ok({"skipped": True}, completed[place][1], call.capability)
            for place, call in enumerate(made)
            if place in completed and completed[place][0] == call.to_dict()
        }
        return self._run(made, session, skipped)

    def _run(
        self, calls: Sequence[CapabilityCall], session: Session, skipped: Mapping[int, InvokeResult]
    ) -> DispatchResult:
        results: list[InvokeResult] = []
        for place, call in enumerate(calls):
            results.append(skipped[place] if place in skipped else self._step(place, call, session))
            if not results[-1].success:
                break
        return DispatchResult(results)

    def _step(self, place: int, call: CapabilityCall, session: Session) -> InvokeResult:
        step = {"step_index": place, **call.to_dict()}
        session.append(NAME, EntryType.PLAN_STEP_STARTED, step)
        agent = self._agents.get(call.capability)
        result = self._nobody(call) if agent is None else _invoke(agent, call, session)
        outcome = {
            "step_index": place,
            "capability": call.capability,
            "agent_id": result.agent_id,
            "success": result.success,
            "result_summary": str(result.result if result.success else result.error)[:LONGEST_SUMMARY],
        }
        session.append(NAME, EntryType.PLAN_STEP_COMPLETED, outcome)
        return result

    def _nobody(self, call: CapabilityCall) -> InvokeResult:
        return InvokeResult.fail(
            ErrorCode.DISPATCH_NO_AGENT_FOR_CAPABILITY,
            f"No agent has the capability {call.capability!r}; register one, or call one of these:"
            f" {', '.join(self.get_capabilities()) or 'there is none'}",
            NAME,
            call.capability,
            {"available_capabilities": self.get_capabilities()},
        )


def _call(call: Call) -> CapabilityCall:
    return call if isinstance(call, CapabilityCall) else CapabilityCall.from_dict(call)


def _invoke(agent: Agent, call: CapabilityCall, session: Session) -> InvokeResult:
    """Return what AGENT makes of CALL; whatever it raises is a failure, and a failure is written down."""
    agent_id = agent.info().agent_id
    session.append(agent_id, EntryType.AGENT_INVOKED, call.to_dict())
    try:
        with acting_as(agent_id):
            result = _checked(agent.invoke(call.capability, session, copy.deepcopy(call.params)))
    except Exception as error:
        result = InvokeResult.fail(
            ErrorCode.AGENT_INVOCATION_FAILED,
            error.message if isinstance(error, DescartesError) else f"{type(error).__name__}: {error}",
            agent_id,
            call.capability,
            {"exception": type(error).__name__},
        )
    if not result.success:
        told = {"capability": call.capability, "error": _plain(result.error)}
        session.append(agent_id, EntryType.AGENT_FAILED, told)
    return result


def _checked(result: Any) -> InvokeResult:
    if isinstance(result, InvokeResult):
        return result
    raise TypeError(f"expected an InvokeResult, got {result!r:.60}; correct the agent")


def _plain(error: Any) -> Any:
    """Return ERROR as JSON; details that an agent made of other things become text."""
    return json.loads(json.dumps(error, default=repr))


def _completed(trajectory: Sequence[TrajectoryEntry]) -> Mapping[int, tuple[dict[str, Any], str]]:
    """Return the completed calls of the last sequence, with who made them, by place."""
    started: dict[int, dict[str, Any]] = {}
    completed: dict[int, tuple[dict[str, Any], str]] = {}
    for entry in trajectory:
        content = entry.content
        if entry.agent_id != NAME:
            continue
        place = content.get("step_index")
        if entry.entry_type is EntryType.PLAN_STEP_STARTED and isinstance(place, int):
            if place == 0:
                started, completed = {}, {}
            started[place] = {"capability": content["capability"], "params": content["params"]}
        elif (
            entry.entry_type is EntryType.PLAN_STEP_COMPLETED and content.get("success") and place in started
        ):
            completed[place] = (started[place], content.get("agent_id", ""))
    return completed
