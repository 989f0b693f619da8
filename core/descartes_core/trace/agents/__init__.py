"""Two small agents, to begin with and to test with."""

from descartes_core.trace.agents.reverse import ReverseAgent
from descartes_core.trace.agents.uppercase import UppercaseAgent

__all__ = ["ReverseAgent", "UppercaseAgent"]
