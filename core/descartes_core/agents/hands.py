"""What tools do to the world, by the rules of the workspace: fenced writes, commands that can be ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from descartes_core.agents import fenced
from descartes_core.agents.journal import Journal
from descartes_core.agents.run_leases import Plan, RunLeases
from descartes_core.agents.running_command import RunningCommand
from descartes_core.agents.step_secrets import StepSecrets
from descartes_core.agents.tools.tool import CommandResult
from descartes_core.leases.standing import Change
from descartes_core.model import Lease
from descartes_core.processes.kept import Command, Exit, KeptProcess

SHOWN_BYTES = 65_536


@dataclass(frozen=True)
class Places:
    """Where a run leaves things: RECORDS of its processes (followed), OUTPUT of its commands (only read)."""

    workspace: Path
    records: Path
    output: Path


class Hands:
    """The hands of one run."""

    def __init__(
        self,
        *,
        journal: Journal,
        leases: RunLeases,
        places: Places,
        environment: Mapping[str, str],
        secrets: StepSecrets,
    ) -> None:
        self._journal = journal
        self._leases = leases
        self._places = places
        self._environment = environment
        self._secrets = secrets
        self._commands: list[RunningCommand] = []
        self._starts: set[asyncio.Future[None]] = set()

    async def lease_all(self, plans: Mapping[Path, Plan], parent: str) -> Lease | None:
        """Take what the run needs to write the files of PLANS, all or nothing; see `RunLeases.take_all`."""
        return await self._leases.take_all(plans, parent)

    async def meet(self, files: Sequence[Path]) -> Lease | None:
        """Look who has one of FILES, which a command is about to change; see `RunLeases.meet`."""
        return await self._leases.meet(files)

    def of(self, call: str, started: str, *, allowed: bool = False) -> CallHands:
        """Return the hands for the tool call CALL, whose execution began with the event STARTED.

        ALLOWED: a person accepted it, with the secrets that it names.
        """
        return CallHands(self, call, started, allowed)

    async def replace(self, changes: Sequence[Change], parent: str) -> bool:
        """Make CHANGES of files at once and log them, if the run may still write them; see `tool.Hands`."""
        return await fenced.replace(
            self._journal, self._leases, self._places.workspace, changes, parent=parent
        )

    async def run_command(
        self, call: str, command: list[str], timeout_seconds: float, secrets: Sequence[str], *, allowed: bool
    ) -> CommandResult:
        """Run COMMAND for CALL; when this is cancelled or the time is over its process group ends at once."""
        output = self._places.output / f"{call}.txt"
        environment = await self._secrets.environment(self._environment, secrets, allowed=allowed, call=call)
        kept = await self._noted(self._start(call, command, output, environment))
        try:
            async with asyncio.timeout(timeout_seconds) as limit:
                ended, timed_out = str(await self._followed(RunningCommand(kept, limit), kept)), False
        except TimeoutError:
            ended, timed_out = str(await kept.end(grace_seconds=0)), True
        finally:
            await kept.end(grace_seconds=0)
            kept.close()
        return CommandResult(ended, await asyncio.to_thread(_shown, output), timed_out)

    async def freeze(self) -> bool:
        """Stop the processes of the command under way where they are; False when there is none.

        One that is just being started is waited for.
        """
        if self._starts:
            await asyncio.wait(self._starts)
        return bool([command for command in self._commands if command.freeze()])

    def thaw(self) -> None:
        """Let what `freeze` stopped go on."""
        for command in self._commands:
            command.thaw()

    async def end_leftovers(self, call: str = "*") -> None:
        """End the processes that outlived the hub of the command of CALL, or of all commands of the run."""
        for folder in sorted(self._places.records.glob(f"{call}.*")):
            kept = await KeptProcess.take_up(folder)
            if kept is not None:
                await kept.end(grace_seconds=0)
                kept.close()

    async def _noted(self, start: Awaitable[KeptProcess]) -> KeptProcess:
        """Return what START brings, noting meanwhile that a command is on its way."""
        over = asyncio.get_running_loop().create_future()
        self._starts.add(over)
        try:
            return await start
        finally:
            self._starts.remove(over)
            over.set_result(None)

    async def _followed(self, command: RunningCommand, kept: KeptProcess) -> Exit:
        """Return how KEPT ended; until then COMMAND can be frozen."""
        self._commands.append(command)
        try:
            return await kept.wait()
        finally:
            self._commands.remove(command)

    async def _start(
        self, call: str, command: list[str], output: Path, environment: dict[str, str]
    ) -> KeptProcess:
        await asyncio.to_thread(self._places.output.mkdir, mode=0o700, parents=True, exist_ok=True)
        number = len(list(self._places.records.glob(f"{call}.*")))
        return await KeptProcess.start(
            self._places.records / f"{call}.{number}",
            Command(
                command=command,
                cwd=str(self._places.workspace),
                environment=environment,
                stdout=str(output),
                stderr=str(output),
                takes_input=False,
                secrets=self._secrets.masked(),
            ),
        )


class CallHands:
    """The hands of a run while it executes one call; what the tools see as `tool.Hands`."""

    def __init__(self, hands: Hands, call: str, started: str, allowed: bool) -> None:
        self._hands = hands
        self._call = call
        self._started = started
        self._allowed = allowed

    async def replace(self, path: Path, before: bytes | None, after: bytes) -> bool:
        """See `tool.Hands`."""
        return await self._hands.replace([Change(path, before, after)], self._started)

    async def replace_all(self, changes: Sequence[Change]) -> bool:
        """See `tool.Hands`."""
        return await self._hands.replace(changes, self._started)

    async def run_command(
        self, command: list[str], timeout_seconds: float, secrets: Sequence[str] = ()
    ) -> CommandResult:
        """See `tool.Hands`."""
        return await self._hands.run_command(
            self._call, command, timeout_seconds, secrets, allowed=self._allowed
        )


def _shown(output: Path) -> str:
    size = output.stat().st_size
    with output.open("rb") as file:
        if size <= SHOWN_BYTES:
            return file.read().decode("utf-8", "replace").rstrip("\n")
        head = file.read(SHOWN_BYTES // 2).decode("utf-8", "replace")
        file.seek(-SHOWN_BYTES // 2, 2)
        tail = file.read().decode("utf-8", "replace")
    return f"{head}\n… ({size - SHOWN_BYTES} bytes left out; all of it is in {output})\n{tail}".rstrip("\n")
