"""A debugger without an editor: speaks to a real `descartes dap` and believes nothing.

Every message is checked against the protocol's schema, every response against the request it answers; at the
end each request must have had exactly one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from support.dap_schema import problems_of
from support.framed import LIMIT, SECONDS, FramedClient, Message


class Refused(Exception):
    """The adapter answered with an error; its sentence is the text."""

    def __init__(self, response: Message) -> None:
        self.error: Message = response["body"]["error"]
        self.message: str = response["message"]
        self.code: str = self.error["variables"]["code"]
        super().__init__(self.error["format"])


class DapClient(FramedClient):
    """One client of one adapter process. Everything received is kept in `messages`, in order."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        super().__init__(process.stdout, process.stdin, process)
        self.problems: list[str] = []
        self._asked: dict[int, str] = {}
        self._seq = 0

    def ask(self, command: str, arguments: Any = None) -> int:
        """Send the request COMMAND without waiting; returns its number."""
        self._seq += 1
        self._asked[self._seq] = command
        message = {"seq": self._seq, "type": "request", "command": command}
        self.send(message if arguments is None else {**message, "arguments": arguments})
        return self._seq

    async def request(self, command: str, /, **arguments: Any) -> Any:
        """Return the body of the response to COMMAND. Errors: `Refused`."""
        return await self.response(self.ask(command, arguments or None))

    async def response(self, seq: int) -> Any:
        """Return the body of the response to the request SEQ. Errors: `Refused`."""
        found = await self.message(
            lambda m: m["type"] == "response" and m["request_seq"] == seq,
            f"response to {self._asked.get(seq, seq)}",
        )
        if not found["success"]:
            raise Refused(found)
        return found.get("body")

    async def refused(self, command: str, /, **arguments: Any) -> Refused:
        """Return the error with which COMMAND is answered."""
        try:
            body = await self.request(command, **arguments)
        except Refused as refusal:
            return refusal
        raise AssertionError(f"expected an error, got {body}")

    async def event(
        self, name: str, fits: Callable[[Any], Any] = lambda body: True, *, after: int = 0
    ) -> Any:
        """Return the body of the first event NAME from message AFTER on that FITS."""
        found = await self.message(
            lambda m: m["type"] == "event" and m["event"] == name and fits(m.get("body")),
            f"event {name}",
            after=after,
        )
        return found.get("body")

    async def stopped(self, *, after: int = 0, **expected: Any) -> Message:
        """Return the next stop with EXPECTED in its event."""
        found: Message = await self.event(
            "stopped", lambda body: expected.items() <= body.items(), after=after
        )
        return found

    async def output(self, text: str, *, after: int = 0) -> Message:
        """Return the first output that has TEXT in it."""
        found: Message = await self.event("output", lambda body: text in body["output"], after=after)
        return found

    async def begin(self, command: str = "attach", /, **arguments: Any) -> None:
        """Do what every client does before its user can do anything."""
        await self.request("initialize", adapterID="descartes", clientName="a test")
        await self.request(command, **arguments)
        await self.event("initialized")
        await self.request("configurationDone")

    async def evaluate(self, expression: str, **more: Any) -> str:
        """Return what the console shows for EXPRESSION."""
        return str(
            (await self.request("evaluate", expression=expression, **{"context": "repl"} | more))["result"]
        )

    async def frames(self, thread: int) -> list[Message]:
        """Return the frames of THREAD."""
        found: list[Message] = (await self.request("stackTrace", threadId=thread))["stackFrames"]
        return found

    async def scope(self, frame: int, name: str = "Locals") -> dict[str, Message]:
        """Return the variables of the scope NAME of FRAME by name."""
        return await self.children(await self.container(frame, name))

    async def container(self, frame: int, name: str = "Locals") -> int:
        """Return the reference of the scope NAME of FRAME."""
        scopes = (await self.request("scopes", frameId=frame))["scopes"]
        (reference,) = [each["variablesReference"] for each in scopes if each["name"] == name]
        return int(reference)

    async def children(self, reference: int, **more: Any) -> dict[str, Message]:
        """Return the variables under REFERENCE by name."""
        found = await self.request("variables", variablesReference=reference, **more)
        return {each["name"]: each for each in found["variables"]}

    async def wait(self) -> int:
        """Return the exit status once the process has ended, after looking at what it sent."""
        async with asyncio.timeout(SECONDS):
            status = await self.process.wait()
            await self._reading
        return status

    async def close(self) -> None:
        """End the process whatever state it is in; fails when it did not keep to the protocol."""
        if self.process.returncode is None and not self.ended:
            self.ask("disconnect")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), SECONDS)
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        await asyncio.wait({self._reading}, timeout=SECONDS)
        answered = [m["request_seq"] for m in self.messages if m["type"] == "response"]
        twice = [seq for seq in self._asked if answered.count(seq) > 1]
        never = [f"{seq} {name}" for seq, name in self._asked.items() if seq not in answered]
        assert (self.problems, twice, never) == ([], [], [])

    def _cut_off(self, rest: bytes) -> None:
        if rest:
            self.problems.append(f"bytes that are no message: {rest[:100]!r}")

    def _received(self, message: Message) -> None:
        self.problems += problems_of(message)
        if message["seq"] != len(self.messages) + 1:
            self.problems.append(f"message {len(self.messages) + 1} says it is {message['seq']}")
        if message["type"] == "response":
            asked = self._asked.get(message["request_seq"])
            if asked is not None and asked != message["command"]:
                self.problems.append(f"a response to {asked} says it is one to {message['command']}")
        if "Traceback" in json.dumps(message):
            self.problems.append(f"a traceback: {message}")


@contextlib.asynccontextmanager
async def dap(folder: Path) -> AsyncIterator[DapClient]:
    """Give a client of a new adapter in FOLDER; ends it afterwards."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "descartes_server", "dap"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=folder,
        limit=LIMIT,
    )
    client = DapClient(process)
    try:
        yield client
    except BaseException as error:
        logs = sorted((folder / ".descartes" / "log").glob("*.log"))
        error.add_note("\n".join(f"--- {log}\n{log.read_text(errors='replace')[-3000:]}" for log in logs))
        raise
    finally:
        await client.close()
