"""The programs of the Trace document, as they stand there; only the name of the package is another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from descartes_core.trace import Session
from descartes_core.trace.llm import OllamaProvider
from support.log import FakeClock
from support.ollama import FakeOllama

REPOSITORY = Path(__file__).resolve().parents[2]

QUICK_START = """
from trace import Session, Dispatcher
from trace.agents import ReverseAgent, UppercaseAgent

# Create a session
session = Session()
session.set("text", "hello world")

# Set up dispatcher with agents
dispatcher = Dispatcher()
dispatcher.register(ReverseAgent())
dispatcher.register(UppercaseAgent())

# Execute capabilities
dispatcher.dispatch_single("reverse", session, {"key": "text"})
dispatcher.dispatch_single("uppercase", session, {"key": "text"})

print(session.get("text"))  # "DLROW OLLEH"

# Save for later
session.save("my_session.trace")

# Resume anytime
restored = Session.load("my_session.trace")
print(restored.get("text"))  # "DLROW OLLEH"
"""

SESSION = """
session = Session()

# State management
session.set("input", "hello")
value = session.get("input")
version = session.get_state_version()

# Trajectory
session.append("my_agent", EntryType.AGENT_COMPLETED, {"result": "done"})
entries = session.get_trajectory(limit=10)

# Artifacts
session.write_artifact("output.txt", b"result data")
data = session.read_artifact("output.txt")

# Persistence
session.save("session.trace")
restored = Session.load("session.trace")
"""

AGENT = """
from trace import Agent, AgentInfo, InvokeResult
from trace.types import EntryType

class MyAgent(Agent):
    def info(self) -> AgentInfo:
        return AgentInfo(
            agent_id="my_agent_v1",
            name="My Agent",
            version="1.0.0",
            capabilities=["my_capability"],
            description="Does something useful",
        )

    def invoke(self, capability, session, params) -> InvokeResult:
        if capability != "my_capability":
            return self._unknown_capability(capability)

        # Read state
        value = session.get(params.get("key", "text"))

        # Do work
        result = do_something(value)

        # Write state
        session.set(params["key"], result)

        # Record in trajectory
        session.append(
            self.info().agent_id,
            EntryType.AGENT_COMPLETED,
            {"input": value, "output": result},
        )

        return InvokeResult.ok(
            result={"output": result},
            agent_id=self.info().agent_id,
            capability=capability,
        )
"""

DISPATCHER = """
from trace import Dispatcher
from trace.types import CapabilityCall

dispatcher = Dispatcher()
dispatcher.register(ReverseAgent())
dispatcher.register(UppercaseAgent())

# Execute a sequence of calls
calls = [
    CapabilityCall("reverse", {"key": "text"}),
    CapabilityCall("uppercase", {"key": "text"}),
]
result = dispatcher.dispatch_sequence(calls, session)

if result.success:
    print("All calls succeeded!")
else:
    print(f"Failed at step {result.failed_at}: {result.error}")
"""

WORKFLOW = """
from trace import Session, Dispatcher, Planner
from trace.agents import ReverseAgent, UppercaseAgent
from trace.llm import OllamaProvider

# 1. Create session with initial state
session = Session()
session.set("text", "hello world")

# 2. Set up agents and dispatcher
dispatcher = Dispatcher()
dispatcher.register(ReverseAgent())
dispatcher.register(UppercaseAgent())

# 3. Plan using LLM
llm = OllamaProvider()
planner = Planner(llm, capabilities=dispatcher.get_capabilities())
plan = planner.plan("Reverse this text and then uppercase it", session)

# 4. Execute the plan
if plan.success:
    result = dispatcher.dispatch_sequence(plan.calls, session)
    print(f"Result: {session.get('text')}")  # "DLROW OLLEH"

# 5. Save session
session.save("workflow.trace")

# 6. Later: Resume and inspect
restored = Session.load("workflow.trace")
for entry in restored.get_trajectory():
    print(f"[{entry.seq_num}] {entry.agent_id}: {entry.entry_type.value}")
"""

TRAJECTORY = """
session = Session()
session.set("x", 1)
session.set("x", 2)

for entry in session.get_trajectory():
    print(f"{entry.seq_num}: {entry.entry_type.value} by {entry.agent_id}")
    print(f"   Content: {entry.content}")
    print(f"   Time: {entry.timestamp}")
"""

TRAJECTORY_OUTPUT = """
1: session_created by system
   Content: {'session_id': '...', 'max_artifact_size': 104857600, 'schema_version': 1}
   Time: 2024-01-15 10:30:00+00:00
2: state_set by system
   Content: {'key': 'x', 'old_value': None, 'new_value': 1, 'state_version': 1}
   Time: 2024-01-15 10:30:01+00:00
3: state_set by system
   Content: {'key': 'x', 'old_value': 1, 'new_value': 2, 'state_version': 2}
   Time: 2024-01-15 10:30:02+00:00
"""

PERSISTENCE = """
# Save
session.save("my_session.trace")

# Load
restored = Session.load("my_session.trace")

# All data is preserved:
assert restored.session_id == session.session_id
assert restored.get("key") == session.get("key")
assert restored.get_state_version() == session.get_state_version()
"""

ERRORS = """
result = dispatcher.dispatch_sequence(calls, session)

if not result.success:
    print(f"Failed at step {result.failed_at}")
    print(f"Error code: {result.error['error_code']}")
    print(f"Message: {result.error['message']}")

    # Partial results are available
    for i, r in enumerate(result.results):
        status = "✓" if r.success else "✗"
        print(f"  {status} Step {i}: {r.capability}")
"""

IMPORTS = """
from trace import Session, Dispatcher, Planner, Agent, AgentInfo, InvokeResult
from trace.agents import ReverseAgent, UppercaseAgent
from trace.types import EntryType, CapabilityCall
from trace.llm import OllamaProvider
"""


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)


def run(program: str, **names: Any) -> dict[str, Any]:
    """Run PROGRAM as it is but for the package; return its names."""
    code = re.sub(r"^from trace\b", "from descartes_core.trace", program, flags=re.M)
    exec(compile(code, "<the Trace document>", "exec"), names)
    return names


@pytest.mark.ledger("T-01")
def test_the_quick_start(capsys: pytest.CaptureFixture[str]) -> None:
    run(QUICK_START)
    assert capsys.readouterr().out == "DLROW OLLEH\nDLROW OLLEH\n"


def test_the_session(capsys: pytest.CaptureFixture[str]) -> None:
    names = run(IMPORTS + SESSION)
    assert (names["value"], names["version"], names["data"]) == ("hello", 1, b"result data")
    assert [entry.entry_type.value for entry in names["entries"]] == [
        "session_created",
        "state_set",
        "agent_completed",
    ]
    assert names["restored"].read_artifact("output.txt") == b"result data"


@pytest.mark.ledger("T-09")
def test_the_agent_of_ones_own() -> None:
    names = run(IMPORTS + AGENT, do_something=lambda value: value * 2)
    session, dispatcher = Session(), names["Dispatcher"]()
    session.set("text", "ab")
    dispatcher.register(names["MyAgent"]())
    result = dispatcher.dispatch_single("my_capability", session, {"key": "text"})
    assert (result.success, result.result, result.agent_id, result.capability) == (
        True,
        {"output": "abab"},
        "my_agent_v1",
        "my_capability",
    )
    assert session.get("text") == "abab"
    assert names["MyAgent"]().invoke("other", session, {}).error["error_code"] == "agent_capability_not_found"


def test_the_dispatcher(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session()
    session.set("text", "hello world")
    run(IMPORTS + DISPATCHER, session=session)
    assert capsys.readouterr().out == "All calls succeeded!\n"
    assert session.get("text") == "DLROW OLLEH"


def test_the_complete_workflow(
    capsys: pytest.CaptureFixture[str], ollama: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The document's program asks the default address; its port may be taken on this machine.
    monkeypatch.setattr(OllamaProvider.__init__, "__defaults__", ("llama3.1:8b", ollama.url, 60.0))
    ollama.answers.append(
        '{"calls": [{"capability": "reverse", "params": {"key": "text"}},'
        ' {"capability": "uppercase", "params": {"key": "text"}}]}'
    )
    run(WORKFLOW)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Result: DLROW OLLEH"
    assert lines[1:] == [
        "[1] system: session_created",
        "[2] system: state_set",
        "[3] planner: plan_created",
        "[4] dispatcher: plan_step_started",
        "[5] reverse_agent_v1: agent_invoked",
        "[6] reverse_agent_v1: state_set",
        "[7] reverse_agent_v1: agent_completed",
        "[8] dispatcher: plan_step_completed",
        "[9] dispatcher: plan_step_started",
        "[10] uppercase_agent_v1: agent_invoked",
        "[11] uppercase_agent_v1: state_set",
        "[12] uppercase_agent_v1: agent_completed",
        "[13] dispatcher: plan_step_completed",
        "[14] system: session_loaded",
    ]


@pytest.mark.ledger("T-03")
def test_the_trajectory_prints_what_the_document_shows(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock(1_705_314_600_000)

    class Timed(Session):
        """Changes once a second."""

        def set(self, key: str, value: Any, agent_id: str | None = None) -> int:
            clock.advance(1)
            return super().set(key, value, agent_id)

    run(TRAJECTORY, Session=lambda: Timed(clock=clock))
    printed = re.sub(r"'ses_[0-9a-f]{32}'", "'...'", capsys.readouterr().out)
    assert printed == TRAJECTORY_OUTPUT.lstrip()


def test_persistence_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session()
    session.set("key", {"a": [1]})
    names = run(IMPORTS + PERSISTENCE, session=session)
    dispatcher = names["Dispatcher"]()
    dispatcher.register(names["ReverseAgent"]())
    session.set("text", "ab")
    calls = [names["CapabilityCall"]("reverse", {"key": "text"}), names["CapabilityCall"]("fly", {})]
    run(ERRORS, dispatcher=dispatcher, calls=calls, session=session)
    assert capsys.readouterr().out == (
        "Failed at step 1\n"
        "Error code: dispatch_no_agent_for_capability\n"
        "Message: No agent has the capability 'fly'; register one, or call one of these: reverse\n"
        "  ✓ Step 0: reverse\n"
        "  ✗ Step 1: fly\n"
    )


@pytest.mark.ledger("T-19")
def test_the_guide_prints_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    page = (REPOSITORY / "docs" / "sessions.md").read_text(encoding="utf-8")
    shown = re.findall(r"```python\n(.*?)```\n+(?:```text\n(.*?)```)?", page, flags=re.S)
    assert len(shown) == 7
    names: dict[str, Any] = {}
    for program, output in shown:
        exec(compile(program, "<the guide>", "exec"), names)
        assert capsys.readouterr().out == output
    left_for_later = page.partition("## What the Trace document left for later")[2]
    for what in (
        "Distributed sessions", "automatic parallelization", "Logical clocks", "VM isolation",
        "LLM-based compaction", "Pessimistic locking", "Checkpoints", "remote agents",
    ):  # fmt: skip
        assert what in left_for_later
