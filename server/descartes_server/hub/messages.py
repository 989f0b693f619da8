"""The messages between a client and the hub: MessagePack maps, one after the other, on a stream.

The envelope is snake_case and says its `type`; `params`, `result` and events are the JSON of `--json`.
Unknown fields are ignored, so that a newer program may say more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgpack
import msgspec

from descartes_core.errors import InvalidParams, TooLarge
from descartes_core.model import Principal

PROTOCOL = 1
"""Raised when an older program could misunderstand; adding fields does not raise it."""
LARGEST = 64 * 1024 * 1024
"""Bytes; a longer message closes the connection."""


_packed: Callable[[Any], bytes] = msgpack.Packer(use_bin_type=True).pack


def _tag(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.removeprefix("Client").removeprefix("Hub")).lower()


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=_tag):
    """Base of all messages; `type` is the class's name in snake_case, without `Client` or `Hub`."""


class ClientHello(Message, frozen=True):
    """The first message of a client, and again when what it says of itself has changed."""

    version: str
    protocol: int
    client_id: str
    client_name: str = ""
    principal: Principal | None = None
    """None: the person who runs the hub."""
    distinct: bool = False
    """Whether an attached client of the same PRINCIPAL is somebody else: then this one is given a number."""
    run: str | None = None
    token: str | None = None
    trusted: bool | None = None
    """The editor's own word on the workspace; None: the person's list counts."""
    presence: bool = False
    """Whether the leases of this person taken through `client_name` live with this connection."""
    notifications: bool = False
    brief: bool = False
    """Whether the client lives for one command; see `Caller.brief`."""
    environment: dict[str, str] = {}
    settings: dict[str, Any] = {}
    """What the client's editor sets, nested as in `descartes.toml`."""


class OperationRequest(Message, frozen=True):
    request_id: str
    operation: str
    params: dict[str, Any] = {}


class Cancel(Message, frozen=True):
    request_id: str


class Subscribe(Message, frozen=True):
    """Asks for the events after SINCE (None: from now on) whose category or name's prefix is in TYPES."""

    since: int | None = None
    types: list[str] = []
    credit: int | None = None
    """How many events may be sent before `credit` is given again; None: as fast as the socket takes them."""


class Credit(Message, frozen=True):
    count: int


class Documents(Message, frozen=True):
    """The files, absolute, that have unsaved changes in this client now."""

    unsaved: list[str]


class Saved(Message, frozen=True):
    """A person saved the file PATH, absolute: with the text AFTER, where BEFORE was opened or saved last.

    A text that is too long to send is None.
    """

    path: str
    before: str | None = None
    after: str | None = None


class Ping(Message, frozen=True):
    payload: Any = None


class ClientResponse(Message, frozen=True, tag="response"):
    """The answer to a `request` of the hub."""

    request_id: str
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class HubHello(Message, frozen=True):
    """The hub's answer to `hello`."""

    version: str
    protocol: int
    pid: int
    workspace: str
    started_at: str
    last_seq: int
    principal: Principal
    trusted: bool


class OperationResponse(Message, frozen=True):
    request_id: str
    success: bool
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class EventMessage(Message, frozen=True, tag="event"):
    event: dict[str, Any]


class Notification(Message, frozen=True):
    method: str
    params: dict[str, Any]


class Lagged(Message, frozen=True):
    """DROPPED notifications were left out because the client did not read; it asks again."""

    dropped: int


class Pong(Message, frozen=True):
    payload: Any = None


class HubRequest(Message, frozen=True, tag="request"):
    """The hub asks this client for something, such as text that a program reads."""

    request_id: str
    method: str
    params: dict[str, Any]


class Withdraw(Message, frozen=True):
    """The hub needs no answer to its `request` REQUEST_ID any more; one that is sent is ignored."""

    request_id: str


class Refused(Message, frozen=True):
    """Why the hub closes this connection."""

    error: dict[str, Any]


FromClient = (
    ClientHello | OperationRequest | Cancel | Subscribe | Credit | Documents | Saved | Ping | ClientResponse
)
FromHub = (
    HubHello
    | OperationResponse
    | EventMessage
    | Notification
    | Lagged
    | Pong
    | HubRequest
    | Withdraw
    | Refused
)


def encode(message: Message) -> bytes:
    """Return MESSAGE as MessagePack bytes. Errors: `TooLarge`; `InvalidParams` for what cannot travel."""
    try:
        data: bytes = _packed(msgspec.to_builtins(message))
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise InvalidParams(f"expected text, got half a character, {half!r}; send whole characters") from None
    except (OverflowError, RecursionError, ValueError) as error:
        raise InvalidParams(f"expected numbers below 2^64 and few levels of nesting: {error}") from None
    if len(data) > LARGEST:
        raise TooLarge(
            f"expected a message of at most {LARGEST} bytes, got {len(data)}; ask for less at once"
        )
    return data


def from_client(value: Any) -> FromClient:
    """Return the message that a client sent as VALUE.

    Errors: `msgspec.ValidationError`.
    """
    message: FromClient = msgspec.convert(value, FromClient)
    return message


def from_hub(value: Any) -> FromHub:
    """Return the message that the hub sent as VALUE.

    Errors: `msgspec.ValidationError`.
    """
    message: FromHub = msgspec.convert(value, FromHub)
    return message


def unpacker() -> msgpack.Unpacker:
    """Return a decoder of a stream of messages."""
    return msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=LARGEST)
