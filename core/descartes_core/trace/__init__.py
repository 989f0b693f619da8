"""Sessions as a library: state, trajectory and artifacts of a piece of work, agents, and plans for them.

    from descartes_core.trace import Session, Dispatcher
    from descartes_core.trace.agents import ReverseAgent

Synchronous; needs neither the server nor a hub. It keeps what it is told in a log of the same kind as a
workspace's (`descartes_core.store`), or in the workspace's own.
"""

from descartes_core.trace.agent import Agent
from descartes_core.trace.dispatcher import Dispatcher
from descartes_core.trace.planner import Planner
from descartes_core.trace.session import Session
from descartes_core.trace.types import AgentInfo, InvokeResult
from descartes_core.trace.working_memory import WorkingMemory

__all__ = ["Agent", "AgentInfo", "Dispatcher", "InvokeResult", "Planner", "Session", "WorkingMemory"]
