"""`UppercaseAgent`."""

from __future__ import annotations

from descartes_core.trace.agents.text import TextAgent
from descartes_core.trace.types import AgentInfo


class UppercaseAgent(TextAgent):
    """Has the capability `uppercase`."""

    about = AgentInfo(
        "uppercase_agent_v1",
        "Uppercase Agent",
        "1.0.0",
        ["uppercase"],
        "Writes a text of the state in capitals",
    )

    def change(self, text: str) -> str:
        """Return what TEXT becomes."""
        return text.upper()
