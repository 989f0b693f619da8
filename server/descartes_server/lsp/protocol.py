"""pygls' protocol with the promises it does not make itself.

Every request gets exactly one answer, whatever its parameters, its order or its handler do; answers go
out encoded fast; documents are kept by `state`, not by pygls; no failure shows a traceback to anybody.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import uuid
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcMethodNotFound
from pygls.protocol import LanguageServerProtocol

from descartes_server.lsp import codec, errors
from descartes_server.lsp.framing import Garbage

if TYPE_CHECKING:
    from cattrs import Converter
    from pygls.lsp.server import LanguageServer

log = logging.getLogger(__name__)

_OWN_DOCUMENTS = (
    types.TEXT_DOCUMENT_DID_OPEN,
    types.TEXT_DOCUMENT_DID_CHANGE,
    types.TEXT_DOCUMENT_DID_CLOSE,
    types.NOTEBOOK_DOCUMENT_DID_OPEN,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE,
    types.WORKSPACE_EXECUTE_COMMAND,
    types.WINDOW_WORK_DONE_PROGRESS_CANCEL,
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS,
)


class AnswerError(Exception):
    """The client answered one of our requests with an error."""


class Protocol(LanguageServerProtocol):
    """The protocol of one connection."""

    def __init__(self, server: LanguageServer, converter: Converter) -> None:
        super().__init__(server, converter)
        for method in _OWN_DOCUMENTS:
            self.fm.builtin_features.pop(method, None)
        self._structurer = codec.Structurer(lambda: self._converter)
        self._asked: dict[str, asyncio.Future[Any]] = {}
        self._withdrawn: dict[str, Callable[[Any], None]] = {}
        """Who is told of the answers to requests that were cancelled."""
        self._initialized = False
        self.ended: asyncio.Future[int] | None = None
        """Gets the exit status when the client says `exit` or goes away; set by who serves."""
        self.log_path = "the log"
        self.initialize_params: dict[str, Any] = {}
        """The parameters of `initialize` as they came."""

    def receive(self, body: bytes | Garbage) -> None:
        """Handle one message; never raises."""
        if isinstance(body, Garbage):
            self._refuse(None, errors.PARSE_ERROR, str(body), "protocol")
            return
        try:
            message = codec.decode(body)
        except ValueError as error:
            self._refuse(None, errors.PARSE_ERROR, f"expected JSON: {error}", "protocol")
            return
        if not isinstance(message, dict):
            self._refuse(None, errors.INVALID_REQUEST, "expected a JSON-RPC object", "protocol")
        elif isinstance(message.get("method"), str):
            self._incoming(message)
        elif "method" not in message and ("result" in message or "error" in message):
            self._answered(message)
        else:
            self._refuse(_id(message), errors.INVALID_REQUEST, "expected a method's name", "protocol")

    def hang_up(self) -> None:
        """The connection is gone: give up what was asked of the client, and end."""
        for future in self._asked.values():
            future.cancel()
        self._asked.clear()
        self._end()

    def _incoming(self, message: dict[str, Any]) -> None:
        method, params = message["method"], message.get("params")
        if "id" not in message:
            contextvars.copy_context().run(self._notification, method, params)
        elif _id(message) is None:
            self._refuse(
                None, errors.INVALID_REQUEST, f"{method} expects a number or a string as id", "protocol"
            )
        elif message["id"] in self._request_futures:
            text = f"a request with the id {message['id']!r} is under way already"
            self._refuse(message["id"], errors.INVALID_REQUEST, text, "protocol")
        elif refusal := self._untimely(method):
            self._respond_error(message["id"], refusal)
        else:
            contextvars.copy_context().run(self._request, message["id"], method, params)

    def _untimely(self, method: str) -> types.ResponseError | None:
        """Return why METHOD cannot be asked now: before `initialize`, twice, or after `shutdown`."""
        if self._shutdown:
            text = f"the server was asked to shut down and does not answer {method} any more"
            return errors.refusal(errors.INVALID_REQUEST, text, "protocol")
        if method == types.INITIALIZE:
            if self._initialized:
                return errors.refusal(errors.INVALID_REQUEST, "initialize may be sent once only", "protocol")
        elif not self._initialized:
            text = f"expected initialize first, got {method}"
            return errors.refusal(errors.SERVER_NOT_INITIALIZED, text, "protocol")
        return None

    def _request(self, msg_id: Any, method: str, params: Any) -> None:
        self._ctx_msg_id.set(msg_id)
        try:
            handler = self._get_handler(method)
            structured = self._structured(method, params)
            self._execute_handler(
                msg_id,
                handler,
                partial(self._send_handler_result, msg_id=msg_id, method=method),
                (structured,),
            )
        except JsonRpcMethodNotFound:
            self._refuse(msg_id, errors.METHOD_NOT_FOUND, f"{method} is not known here", "method_not_found")
        except Exception as error:
            self._request_futures.pop(msg_id, None)
            self._respond_error(msg_id, errors.response_error(error, method, self.log_path))

    def _structured(self, method: str, params: Any) -> Any:
        try:
            structured = self._structurer.params(method, params)
        except ValueError as error:
            raise errors.Malformed(str(error)) from error
        if method == types.INITIALIZE:
            self._initialized = True
            self.initialize_params = params
        return structured

    def _notification(self, method: str, params: Any) -> None:
        if method == types.CANCEL_REQUEST:
            self._cancel(params)
            return
        if method == types.EXIT:
            self._end()
            return
        if self._shutdown or not self._initialized:
            log.info("%s came out of order and was ignored", method)
            return
        try:
            handler = self._get_handler(method)
            structured = self._structured(method, params)
            key = uuid.uuid4().hex
            self._execute_handler(key, handler, partial(self._noted, method=method, key=key), (structured,))
        except JsonRpcMethodNotFound:
            log.debug("no handler for the notification %s", method)
        except errors.Malformed as error:
            log.warning("ignored: %s", error)
        except Exception:
            log.exception("the notification %s failed", method)

    def _noted(self, future: Any, *, method: str, key: str) -> None:
        self._request_futures.pop(key, None)
        if not future.cancelled() and (error := future.exception()) is not None:
            log.error("the notification %s failed", method, exc_info=error)

    def _cancel(self, params: Any) -> None:
        msg_id = params.get("id") if isinstance(params, dict) else None
        future = self._request_futures.get(msg_id) if isinstance(msg_id, int | str) else None
        if future is not None:
            future.cancel()

    def _end(self) -> None:
        if self.ended is not None and not self.ended.done():
            self.ended.set_result(0 if self._shutdown else 1)

    def lsp_shutdown(self, *args: Any) -> None:  # type: ignore[override]
        """Stop everything under way; each request is answered as cancelled."""
        current = self.msg_id
        for msg_id, future in list(self._request_futures.items()):
            if msg_id != current:
                future.cancel()
        self._shutdown = True

    lsp_shutdown.method_name = types.SHUTDOWN  # type: ignore[attr-defined]

    def _send_handler_result(self, future: Any, *, msg_id: Any, method: str = "") -> None:
        self._request_futures.pop(msg_id, None)
        error: BaseException | None
        try:
            error = asyncio.CancelledError() if future.cancelled() else future.exception()
            if error is None:
                result = codec.plain(future.result())
                self._send({"jsonrpc": "2.0", "id": msg_id, "result": result})
                return
        except Exception as failure:
            error = failure
        self._respond_error(msg_id, errors.response_error(error, method, self.log_path))

    def _respond_error(self, msg_id: Any, error: types.ResponseError) -> None:
        self._send({"jsonrpc": "2.0", "id": msg_id, "error": codec.plain(error)})

    def _refuse(self, msg_id: Any, number: int, message: str, code: str) -> None:
        self._respond_error(msg_id, errors.refusal(number, message, code))

    def _send_data(self, data: Any) -> None:
        """Send DATA, one of pygls' messages: the way its own senders take."""
        if data:
            self._send(codec.plain(data))

    def _send(self, message: dict[str, Any]) -> None:
        body = codec.encode(message)
        if self.writer is not None:
            self.writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def room(self) -> None:
        """Return when the client has read nearly everything that was sent."""
        writer: Any = self.writer
        if writer is not None:
            await writer.room()

    def tell(self, method: str, params: Any) -> None:
        """Send the notification METHOD; PARAMS may be of lsprotocol's types or plain JSON values."""
        self._send({"jsonrpc": "2.0", "method": method, "params": codec.plain(params)})

    async def ask(
        self, method: str, params: Any = None, too_late: Callable[[Any], None] | None = None
    ) -> Any:
        """Return the client's answer to METHOD as plain JSON values.

        Errors: `AnswerError` when the client refuses; CancelledError when it goes away.
        Concurrency: cancelling the awaiting task cancels the request at the client; TOO_LATE gets what it
        answers nevertheless.
        """
        msg_id = f"descartes-{uuid.uuid4().hex[:12]}"
        future = self._asked[msg_id] = asyncio.get_running_loop().create_future()
        message = {"jsonrpc": "2.0", "id": msg_id, "method": method}
        self._send(message if params is None else {**message, "params": codec.plain(params)})
        try:
            return await future
        except asyncio.CancelledError:
            if msg_id in self._asked and not self._shutdown:
                self._withdraw(msg_id, too_late)
            raise
        finally:
            self._asked.pop(msg_id, None)

    def _withdraw(self, msg_id: str, too_late: Callable[[Any], None] | None) -> None:
        if too_late is not None:
            self._withdrawn[msg_id] = too_late
        self.tell(types.CANCEL_REQUEST, {"id": msg_id})

    def _answered(self, message: dict[str, Any]) -> None:
        msg_id = message.get("id")
        if not isinstance(msg_id, str):
            return
        if (too_late := self._withdrawn.pop(msg_id, None)) is not None:
            too_late(message.get("result"))
        future = self._asked.pop(msg_id, None)
        if future is None or future.done():
            return
        if message.get("error") is not None:
            future.set_exception(AnswerError(str(message["error"])))
        else:
            future.set_result(message.get("result"))


def _id(message: dict[str, Any]) -> int | str | None:
    msg_id = message.get("id")
    return msg_id if isinstance(msg_id, int | str) and not isinstance(msg_id, bool) else None
