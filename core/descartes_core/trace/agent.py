"""What an agent of a session is: something with declared capabilities that can be invoked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from descartes_core.trace.session import Session
from descartes_core.trace.types import AgentInfo, ErrorCode, InvokeResult


class Agent(ABC):
    """Base of all agents. What it remembers belongs into the session, not into the agent."""

    @abstractmethod
    def info(self) -> AgentInfo:
        """Return who the agent is and what it can do."""

    @abstractmethod
    def invoke(self, capability: str, session: Session, params: dict[str, Any]) -> InvokeResult:
        """Do CAPABILITY on SESSION with PARAMS and return what became of it."""

    def _unknown_capability(self, capability: str) -> InvokeResult:
        """Return the failure for a CAPABILITY that this agent does not have."""
        info = self.info()
        return InvokeResult.fail(
            ErrorCode.AGENT_CAPABILITY_NOT_FOUND,
            f"Expected one of {', '.join(info.capabilities)}, got {capability!r}; call another agent",
            info.agent_id,
            capability,
        )
