"""`ReverseAgent`."""

from __future__ import annotations

from descartes_core.trace.agents.text import TextAgent
from descartes_core.trace.types import AgentInfo


class ReverseAgent(TextAgent):
    """Has the capability `reverse`."""

    about = AgentInfo(
        "reverse_agent_v1", "Reverse Agent", "1.0.0", ["reverse"], "Reverses a text of the state"
    )

    def change(self, text: str) -> str:
        """Return what TEXT becomes."""
        return text[::-1]
