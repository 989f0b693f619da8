"""Parameters that no client should send: one answer each, a result or an error that says what is wrong."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from descartes_core import errors
from descartes_core.model import Principal
from descartes_server import __version__
from descartes_server.hub import messages
from descartes_server.hub.client import HubClient
from descartes_server.hub.process import SocketOpener
from descartes_server.operations import registry
from descartes_server.operations import workspace as workspaces
from support.faults import DEADLINE_S, ask, editor

HUGE = "x" * 1_000_000
VALUES: list[Any] = [
    None, [], [[]], {}, {"line": -1, "column": {}}, True, -1, 0, 1.5, 2**63, 2**64 - 1,
    "", "x", "\0", "../..", "file:///", "no uri:", "*", "é😀€\ud800", HUGE, "[" * 10_000,
]  # fmt: skip
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ENDS_WHAT_IS_TESTED = ("hub.stop", "lisp.restart", "lisp.stop")
"""Asked for only with what they do not take: whatever they do take ends them."""


def cases(operation: registry.Operation) -> Iterator[dict[str, Any]]:
    """Yield wrong and strange parameters of OPERATION."""
    yield {"nobodyKnowsThis": 1}
    fields = msgspec.structs.fields(operation.params)
    if operation.name in ENDS_WHAT_IS_TESTED:
        yield from ({field.encode_name: value} for field in fields for value in wrong_for(field))
        return
    yield {}
    for value in VALUES if fields else []:
        yield {field.encode_name: value for field in fields}
    for field in fields:
        others = {each.encode_name: sensible(each) for each in fields if each is not field and each.required}
        # A megabyte once for each operation: hundreds of them would be about nothing but patience.
        for value in VALUES if field is fields[0] else [each for each in VALUES if each != HUGE]:
            yield others | {field.encode_name: value}


def wrong_for(field: msgspec.structs.FieldInfo) -> Iterator[Any]:
    """Yield the strange values that are not of the type of FIELD."""
    for value in VALUES:
        try:
            msgspec.convert(value, field.type, strict=True)
        except (msgspec.ValidationError, UnicodeEncodeError):  # it quotes what it refuses
            yield value


def sensible(field: msgspec.structs.FieldInfo) -> Any:
    """Return a value of the type of FIELD that names nothing there is."""
    shapes = {"position": {"line": 1, "column": 1}, "uri": "file:///nowhere/at/all.lisp"}
    return shapes.get(field.encode_name, 1 if field.type in (int, float) else "nothing")


def is_clear(code: str, message: str) -> bool:
    """Return whether an error says what is wrong: one of the codes, one sentence, no fault of ours."""
    known = code in errors.BY_CODE and code != errors.DescartesError.code
    return (
        known and bool(message) and len(message) < 2000 and "\n" not in message and "Traceback" not in message
    )


def told(operation: str, params: dict[str, Any], code: str, message: str) -> str:
    return f"{operation} {json.dumps(params):.200}: {code}: {message:.300}"


def log_of(workspace: Path) -> str:
    folders = [workspace / ".descartes" / "log", Path(os.environ["DESCARTES_HOME"]) / "log"]
    return "".join(file.read_text() for folder in folders for file in folder.glob("*.log"))


async def test_wrong_parameters_on_the_hubs_socket(workspace: Path) -> None:
    hello = messages.ClientHello(
        version=__version__,
        protocol=messages.PROTOCOL,
        client_id=uuid.uuid4().hex,
        client_name="a test",
        principal=Principal(kind="human", id="ann", name="Ann"),
        trusted=True,
        environment=dict(os.environ),
    )
    client = HubClient(SocketOpener(workspaces.find(workspace)), lambda: hello)
    try:
        hub = (await client.call("hub.status"))["pid"]
        unclear = []
        for operation in registry.all_operations().values():
            for params in cases(operation):
                try:
                    await asyncio.wait_for(client.call(operation.name, params), DEADLINE_S)
                except errors.DescartesError as error:
                    if not is_clear(error.code, error.message):
                        unclear.append(told(operation.name, params, error.code, error.message))
        assert not unclear, "\n".join(unclear)
        assert (await client.call("hub.status"))["pid"] == hub
    finally:
        await client.close()
    assert " ERROR " not in log_of(workspace), log_of(workspace)[-3000:]


async def test_wrong_parameters_from_an_editor(workspace: Path) -> None:
    async with editor(workspace) as client:
        await client.execute("lease.acquire", {"path": "a.lisp"})
        hub = (await client.execute("hub.status"))["pid"]
        asked = [
            (operation.name, params, ask(client, operation.name, **params))
            for operation in registry.all_operations().values()
            for params in cases(operation)
        ]
        unclear = []
        for name, params, request in asked:
            message = await client.message(
                lambda m, wanted=request: m.get("id") == wanted and "method" not in m,
                f"{name} {params!r:.200}",
                seconds=500,  # thousands are asked at once
            )
            error = message.get("error")
            if error is not None and not is_clear(error["data"]["code"], error["message"]):
                unclear.append(told(name, params, error["data"]["code"], error["message"]))
        assert not unclear, "\n".join(unclear)
        assert (await client.execute("hub.status"))["pid"] == hub
        assert {len(client.answers(request)) for _, _, request in asked} == {1}
    assert " ERROR " not in log_of(workspace), log_of(workspace)[-3000:]
