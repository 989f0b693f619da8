"""One run's work with its agent from its start to its end: introduced, told its task, listened to."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata

from acp import PROTOCOL_VERSION, RequestError, schema

from descartes_core.agents.conversation import Conversation
from descartes_core.agents.hands import Hands
from descartes_core.model import Principal
from descartes_core.processes.kept import Command, Exit, KeptProcess
from descartes_core.runs.acp.agent import AUTH_REQUIRED, Agent
from descartes_core.runs.acp.channel import Channel
from descartes_core.runs.acp.files import Files
from descartes_core.runs.acp.narrator import Narrator
from descartes_core.runs.acp.permissions import Permissions
from descartes_core.runs.acp.standing import Standing
from descartes_core.runs.equipment import executor_of
from descartes_core.runs.output import Output
from descartes_core.runs.work import Ending, Job
from descartes_core.store import secret_variables
from descartes_core.vault.masking import Patterns, StreamMask

START_SECONDS = 120.0
"""How long an agent may take until it has begun a session; some are fetched before they start."""
MOST_REASONS = 3
"""How often an agent is told by itself why its calls were refused, so that no two talk for ever."""
DESCARTES = Principal(kind="service", id="hub", name="Descartes")
INTERRUPTED = (
    "Descartes was started anew while you were at work. What you had begun may be half done: look, and go on."
)
SHOWN_CHARACTERS = 200
OURS = "DESCARTES_"
WITHHELD = frozenset({secret_variables.VARIABLE})
"""What speaks of secrets that the agent's own environment has, and its servers' has not."""
ENDINGS = {
    "max_tokens": "the agent stopped because it had no tokens left; give it a smaller task",
    "max_turn_requests": "the agent stopped because it had asked its model as often as it may in one turn",
    "refusal": "the agent refused to go on",
}


class Session:
    """The agent of the run of JOB and everything that speaks with it; importing this imports the library."""

    def __init__(
        self,
        job: Job,
        conversation: Conversation,
        hands: Hands,
        standing: Standing,
        output: Output,
        earlier: str | None = None,
    ) -> None:
        """EARLIER is the agent's own session, which is gone on with; a new one is begun when None."""
        self._job = job
        self._earlier = earlier
        self._conversation = conversation
        self._standing = standing
        self._output = output
        self._mask = StreamMask(Patterns(job.secrets.masked()))
        self._narrator = Narrator(job, conversation, standing, self._say)
        self._permissions = Permissions(job, conversation, hands, standing, self._narrator)
        self._files = Files(
            job.around.workspace,
            standing,
            self._narrator,
            lambda tools: executor_of(job, conversation, hands, standing, tools),
        )
        self._agent: Agent | None = None
        self._reasons_told = 0
        fifo = job.places.records / f"said.{uuid.uuid4().hex[:8]}"
        self.channel = Channel(fifo, self._stray, self._room)
        self._fifo = fifo

    async def start(self) -> KeptProcess:
        """Start the agent under a keeper and listen to it. Errors: `InvalidParams` when it cannot be."""
        job = self._job
        environment = await job.secrets.environment(
            job.environment, job.record.secrets, allowed=True, call=None
        )
        command = Command(
            command=job.record.command or [],
            cwd=str(job.around.workspace),
            environment=environment,
            stdout=str(self._fifo),
            stderr=str(self._output.file("stderr")),
            converses=True,
            secrets=job.secrets.masked(),
        )
        kept = await KeptProcess.start(job.places.records / f"{self._fifo.name}.process", command)
        await self.channel.connect(kept)
        self._agent = Agent(self.channel, self._standing, self._narrator, self._files, self._permissions)
        return kept

    async def work(self) -> Ending:
        """Have the agent do the task, and what it is told meanwhile; return how that ended.

        Errors: `ConnectionError` when the agent is not there any more.
        """
        agent = self._connected()
        narrating = asyncio.ensure_future(agent.narrate())
        talking = asyncio.ensure_future(self._talk(agent))
        try:
            await asyncio.wait({narrating, talking}, return_when=asyncio.FIRST_COMPLETED)
            if narrating.done():
                narrating.result()
            return await talking
        except ConnectionError:
            await agent.settled()
            raise
        finally:
            for each in (narrating, talking):
                each.cancel()
            await asyncio.gather(narrating, talking, return_exceptions=True)

    @property
    def prompted(self) -> bool:
        """Whether the agent is at work on something it was told."""
        return self._agent is not None and self._agent.prompted

    async def cancel(self) -> None:
        """Have the agent end its turn."""
        await self._connected().cancel()

    async def close(self) -> None:
        """End the conversation, without touching the agent."""
        if self._agent is not None:
            await self._agent.close()
        await self.channel.close()
        await self._narrator.flush()
        self._write(self._mask.finish())

    def lost(self, ended: Exit | None, said: str) -> Ending:
        """Return what became of a run whose agent ENDED, or is not heard any more; SAID is its last line."""
        code = None if ended is None else ended.code
        if self.channel.wrong:
            return Ending("fail", f"the agent {self.channel.wrong}", code)
        how = "closed its output" if ended is None else f"ended ({ended})"
        words = f"; the last it said: {said[:SHOWN_CHARACTERS]}" if said else ""
        if self.channel.strays:
            words += f"; it printed {self.channel.strays!r} where messages of the protocol were expected"
        return Ending("fail", f"the agent {how} before its work was done{words}", code)

    async def _talk(self, agent: Agent) -> Ending:
        try:
            failed = await self._introduced(agent)
            if failed is not None:
                return failed
            await self._standing.begin()
            await self._standing.boundary()
            while texts := await self._to_tell():
                answer = await agent.prompt(texts)
                await self._standing.boundary()
                if (ending := await self._after(answer.stop_reason)) is not None:
                    return ending
        except RequestError as problem:
            return Ending("fail", f"the agent failed: {_one_line(problem)}")
        return Ending("complete")

    async def _introduced(self, agent: Agent) -> Ending | None:
        """Return None when the agent is ready to be told things, else how the run ends."""
        methods: Sequence[str] = ()
        try:
            async with asyncio.timeout(START_SECONDS):
                known = await agent.initialize(_version())
                methods = [each.name for each in known.auth_methods or []]
                session = await self._begun(agent)
        except TimeoutError:
            return Ending("fail", self._silent())
        except RequestError as problem:
            if problem.code == AUTH_REQUIRED:
                return Ending("fail", self._unknown_to_it(methods))
            raise
        info = known.agent_info
        data = {
            "protocol": PROTOCOL_VERSION,
            "name": info.name if info else None,
            "version": info.version if info else None,
            "agentSession": session,
            "loads": bool(known.agent_capabilities and known.agent_capabilities.load_session),
        }
        journal = self._job.journal
        await journal.add(journal.event("system", "agent.connected", data))
        return None

    async def _begun(self, agent: Agent) -> str:
        folder, servers = self._job.around.workspace, self._servers()
        if self._earlier is None:
            return await agent.begin(folder, servers)
        session = await agent.load(self._earlier, folder, servers)
        await self._add_message(INTERRUPTED)
        return session

    async def _add_message(self, text: str) -> None:
        """Have the agent told TEXT next, by Descartes itself."""
        message = {"role": "user", "content": text, "messageId": uuid.uuid4().hex}
        journal = self._job.journal
        await journal.add(journal.event("communication", "message", message, by=DESCARTES))

    async def _to_tell(self) -> list[str]:
        """Return what the agent has to be told now; nothing when it has done what it was told."""
        reasons, self._permissions.reasons = self._permissions.reasons, []
        if reasons and self._reasons_told < MOST_REASONS:
            self._reasons_told += 1
            await self._add_message("This was refused:\n" + "\n".join(f"- {each}" for each in reasons))
        messages, new = self._conversation.request()
        return [message.content for message in messages[len(messages) - new :]]

    async def _after(self, reason: schema.StopReason) -> Ending | None:
        """Return how the run ends when a turn ended for REASON; None when it may go on."""
        if reason == "end_turn":
            return None
        if reason == "cancelled":
            return Ending("terminate", "the agent cancelled its turn")
        return Ending("fail", ENDINGS.get(reason, f"the agent stopped: {reason}"))

    def _servers(self) -> list[schema.McpServerStdio]:
        """Return the servers of tools that the agent is told of: it starts them itself, as its children."""
        server = self._job.around.tool_server
        if server is None or self._job.record.tool_level == "read-only":
            return []
        environment = [
            schema.EnvVariable(name=name, value=value)
            for name, value in self._job.environment.items()
            if name.startswith(OURS) and name not in WITHHELD
        ]
        program, *words = server.command
        return [schema.McpServerStdio(name=server.name, command=program, args=words, env=environment)]

    def _silent(self) -> str:
        said = self.channel.strays
        printed = f", and printed {said!r}" if said else ""
        return (
            f"expected the agent to introduce itself within {START_SECONDS:g} s, it did not{printed};"
            " is this the command that makes it speak the Agent Client Protocol"
        )

    def _unknown_to_it(self, methods: Sequence[str]) -> str:
        program = (self._job.record.command or ["it"])[0]
        offers = f" (it offers: {', '.join(methods)})" if methods else ""
        return (
            f"the agent wants you to sign in first{offers}; start {program} by itself once and sign in, or"
            " give the run its key with --secret"
        )

    def _connected(self) -> Agent:
        assert self._agent is not None
        return self._agent

    async def _room(self) -> None:
        await self._connected().room()

    def _say(self, text: str) -> None:
        self._write(self._mask.feed(text.encode("utf-8", "replace")))

    def _stray(self, line: str) -> None:
        self._output.append("stderr", self._job.secrets.text(line) + "\n")

    def _write(self, data: bytes) -> None:
        if data:
            self._output.append("stdout", data.decode("utf-8", "replace"))


def _version() -> str:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version("descartes-lsp")
    return "0"


def _one_line(problem: RequestError) -> str:
    details = problem.data.get("details") if isinstance(problem.data, dict) else None
    text = f"{problem}: {details}" if isinstance(details, str) else str(problem)
    return " ".join(text.split())[:500]
