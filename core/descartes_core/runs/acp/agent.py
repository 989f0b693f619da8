"""One agent as the other end of a conversation: what we ask of it, and what it asks of us.

The protocol's library moves the messages. Every request of the agent gets exactly one answer; it never gets
more than one sentence of ours.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from acp import PROTOCOL_VERSION, RequestError, schema
from acp.connection import Connection
from acp.meta import AGENT_METHODS, CLIENT_METHODS
from pydantic import BaseModel, ValidationError

from descartes_core.errors import (
    DescartesError,
    InvalidParams,
    NotFound,
    RunNotFound,
    Unsupported,
)
from descartes_core.runs.acp.channel import Channel
from descartes_core.runs.acp.files import Files
from descartes_core.runs.acp.narrator import Narrator
from descartes_core.runs.acp.permissions import Permissions
from descartes_core.runs.acp.standing import Standing

Answer = TypeVar("Answer", bound=BaseModel)
Result = TypeVar("Result")

log = logging.getLogger(__name__)

INVALID, NOT_FOUND, REFUSED, AUTH_REQUIRED = -32602, -32002, -32001, -32000
MOST_WAITING = 1000
"""How many updates may wait to be logged before the agent is not read any more."""


class Agent:
    """The agent at the other end of CHANNEL, whose work NARRATOR tells.

    Concurrency: what it tells is logged one after the other; what it asks is answered side by side, each
    behind what it told before.
    """

    def __init__(
        self, channel: Channel, standing: Standing, narrator: Narrator, files: Files, permissions: Permissions
    ) -> None:
        self._standing = standing
        self._narrator = narrator
        self._files = files
        self._permissions = permissions
        self._told: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._fewer = asyncio.Event()
        self._answers: dict[str, Callable[[Any], Awaitable[BaseModel]]] = {
            CLIENT_METHODS["fs_read_text_file"]: self._read,
            CLIENT_METHODS["fs_write_text_file"]: self._write,
            CLIENT_METHODS["session_request_permission"]: self._permit,
        }
        self._connection = Connection(self._heard, channel)
        self._session = ""
        self._repeats = False
        self._cancelled = asyncio.Event()
        self.prompted = False
        """Whether it is at work on something it was told."""

    async def initialize(self, version: str) -> schema.InitializeResponse:
        """Introduce ourselves, with the VERSION of this program, and return what the agent is.

        Errors: `Unsupported` for another version of the protocol.
        """
        abilities = schema.ClientCapabilities(
            fs=schema.FileSystemCapabilities(read_text_file=True, write_text_file=True), terminal=False
        )
        request = schema.InitializeRequest(
            protocol_version=PROTOCOL_VERSION,
            client_capabilities=abilities,
            client_info=schema.Implementation(name="descartes", title="Descartes", version=version),
        )
        answer = await self._ask("initialize", request, schema.InitializeResponse)
        if answer.protocol_version != PROTOCOL_VERSION:
            raise Unsupported(
                f"Expected version {PROTOCOL_VERSION} of the Agent Client Protocol, the agent speaks"
                f" {answer.protocol_version}; update the one that is behind"
            )
        return answer

    async def begin(self, folder: Path, servers: Sequence[schema.McpServerStdio]) -> str:
        """Begin a conversation about FOLDER, in which the agent has the tools of SERVERS; return its id."""
        request = schema.NewSessionRequest(cwd=str(folder), mcp_servers=list(servers))
        answer = await self._ask("session_new", request, schema.NewSessionResponse)
        self._session = answer.session_id
        return self._session

    async def load(self, session: str, folder: Path, servers: Sequence[schema.McpServerStdio]) -> str:
        """Have the agent take up SESSION, which it began before; what it tells of that, the log has."""
        request = schema.LoadSessionRequest(session_id=session, cwd=str(folder), mcp_servers=list(servers))
        self._repeats = True
        await self._ask("session_load", request, schema.LoadSessionResponse)
        self._repeats = False
        self._session = session
        return session

    async def prompt(self, texts: Sequence[str]) -> schema.PromptResponse:
        """Tell the agent TEXTS and return how its turn ended, with everything it told of it in the log."""
        blocks: list[Any] = [schema.TextContentBlock(type="text", text=text) for text in texts]
        request = schema.PromptRequest(session_id=self._session, prompt=blocks)
        self._narrator.told(len(texts))
        self.prompted = True
        try:
            answer = await self._ask("session_prompt", request, schema.PromptResponse)
        finally:
            self.prompted = False
        cancelled = answer.stop_reason == "cancelled"
        await self._in_turn(lambda: self._narrator.turn_over(answer.usage, cancelled=cancelled))
        return answer

    async def cancel(self) -> None:
        """Have the agent end its turn, and every question of it answered so."""
        self._cancelled.set()
        notification = schema.CancelNotification(session_id=self._session)
        await self._connection.send_notification(AGENT_METHODS["session_cancel"], _json(notification))

    async def narrate(self) -> None:
        """Log what the agent tells, until this is cancelled."""
        while True:
            log_it = await self._told.get()
            self._fewer.set()
            await log_it()

    async def settled(self) -> None:
        """Return when all that the agent told so far is in the log."""
        await self._in_turn(self._narrator.settle)

    async def room(self) -> None:
        """Return when there is room for one more update."""
        while self._told.qsize() >= MOST_WAITING:
            self._fewer.clear()
            await self._fewer.wait()

    async def close(self) -> None:
        """End the conversation; whatever waits for an answer of either side is given up."""
        await self._connection.close()

    async def _ask(self, name: str, request: BaseModel, shape: type[Answer]) -> Answer:
        found = await self._connection.send_request(AGENT_METHODS[name], _json(request))
        try:
            return shape.model_validate(found)
        except ValidationError as problem:
            raise InvalidParams(
                f"The agent answered {AGENT_METHODS[name]} with something else than the protocol has:"
                f" {_first(problem)}"
            ) from None

    async def _heard(self, method: str, params: Any, is_notification: bool) -> Any:
        if is_notification:
            if method == CLIENT_METHODS["session_update"]:
                self._take_update(params)
            return None
        answer = self._answers.get(method)
        if answer is None:
            raise RequestError.method_not_found(method)
        try:
            return await answer(params)
        except ValidationError as problem:
            raise RequestError(INVALID, f"{method} has other parameters: {_first(problem)}") from None
        except DescartesError as problem:
            raise _told(problem) from None
        except RequestError:
            raise
        except Exception:
            log.exception("answering %s of an agent failed", method)
            raise RequestError(-32603, "Descartes failed by a bug; its log has the details") from None

    def _take_update(self, params: Any) -> None:
        try:
            update = schema.SessionNotification.model_validate(params).update
        except ValidationError as problem:
            # Newer agents tell more than this version of the protocol knows.
            log.debug("an update of an agent was passed over: %s", _first(problem))
            return
        if not self._repeats:
            self._told.put_nowait(lambda: self._narrator.take(update))

    async def _read(self, params: Any) -> BaseModel:
        request = schema.ReadTextFileRequest.model_validate(params)
        await self._begins()
        content = await self._files.read(request.path, request.line, request.limit)
        return schema.ReadTextFileResponse(content=content)

    async def _write(self, params: Any) -> BaseModel:
        request = schema.WriteTextFileRequest.model_validate(params)
        await self._begins()
        await self._files.write(request.path, request.content)
        return schema.WriteTextFileResponse()

    async def _permit(self, params: Any) -> BaseModel:
        request = schema.RequestPermissionRequest.model_validate(params)
        await self._standing.boundary()
        call = await self._in_turn(lambda: self._narrator.call(request.tool_call, asks=True))
        asking = asyncio.ensure_future(self._permissions.ask(call, request.options))
        cancelled = asyncio.ensure_future(self._cancelled.wait())
        try:
            await asyncio.wait({asking, cancelled}, return_when=asyncio.FIRST_COMPLETED)
            option = asking.result() if asking.done() else None
        finally:
            asking.cancel()
            cancelled.cancel()
        if option is None:
            return schema.RequestPermissionResponse(outcome=schema.DeniedOutcome(outcome="cancelled"))
        chosen = schema.AllowedOutcome(outcome="selected", option_id=option)
        return schema.RequestPermissionResponse(outcome=chosen)

    async def _begins(self) -> None:
        """Return when something that the agent asks for may begin: behind what it told, not in a pause."""
        await self._standing.boundary()
        await self.settled()

    async def _in_turn(self, log_it: Callable[[], Awaitable[Result]]) -> Result:
        """Return what LOG_IT does behind everything that was told before."""
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

        async def in_turn() -> None:
            try:
                result = await log_it()
            except BaseException as problem:
                if not done.cancelled():
                    done.set_exception(problem)
                if not isinstance(problem, DescartesError):
                    raise
            else:
                if not done.cancelled():
                    done.set_result(result)

        await self._told.put(in_turn)
        return await done


def _json(model: BaseModel) -> Any:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def _first(problem: ValidationError) -> str:
    for each in problem.errors(include_input=False, include_url=False):
        return f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
    return "it does not fit"


def _told(problem: DescartesError) -> RequestError:
    match problem:
        case NotFound() | RunNotFound():
            code = NOT_FOUND
        case InvalidParams():
            code = INVALID
        case _:
            code = REFUSED
    return RequestError(code, problem.message, {"code": problem.code})
