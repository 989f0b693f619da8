"""What agents share that turn one text of the state into another."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from descartes_core.trace.agent import Agent
from descartes_core.trace.session import Session
from descartes_core.trace.types import AgentInfo, EntryType, ErrorCode, InvokeResult


class TextAgent(Agent):
    """Changes the text under the key `key` of its parameters (by default `text`)."""

    about: ClassVar[AgentInfo]

    @abstractmethod
    def change(self, text: str) -> str:
        """Return what TEXT becomes."""

    def info(self) -> AgentInfo:
        """Return who the agent is and what it can do."""
        return self.about

    def invoke(self, capability: str, session: Session, params: dict[str, Any]) -> InvokeResult:
        """Change the text and write down what it was and what it became."""
        if capability not in self.about.capabilities:
            return self._unknown_capability(capability)
        key = params.get("key", "text")
        text = session.get(key) if isinstance(key, str) else None
        if not isinstance(text, str):
            return InvokeResult.fail(
                ErrorCode.AGENT_INVALID_PARAMS,
                f"Expected a text under the key {key!r}, got {text!r:.60}; set it first",
                self.about.agent_id,
                capability,
            )
        output = self.change(text)
        session.set(key, output)
        session.append(
            self.about.agent_id, EntryType.AGENT_COMPLETED, {"key": key, "input": text, "output": output}
        )
        return InvokeResult.ok({"output": output}, self.about.agent_id, capability)
