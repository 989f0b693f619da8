"""Every request is answered exactly once, whatever is sent, in whatever order."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from descartes_server import app
from support.framed import frame
from support.lsp_client import LspClient, LspError, command, lsp, start_stdio, start_tcp

GARBAGE: list[Any] = [
    None,
    [],
    {},
    "text",
    7,
    {"textDocument": None},
    {"textDocument": {"uri": 5}, "position": {}},
    {"textDocument": {"uri": "file:///nowhere/at/all.lisp"}, "position": {"line": -1, "character": "x"}},
    {"textDocument": {"uri": "no uri at all"}, "position": {"line": 1, "character": 1}, "range": []},
    {"command": "descartes.lease.show", "arguments": [[1]]},
    {"command": "rm -rf", "arguments": 3},
]


def answered_methods() -> list[str]:
    return sorted(set(app.build().server.protocol.fm.features) | set(app.NOT_IMPLEMENTED))


async def test_garbage_to_every_method_is_answered_exactly_once(workspace: Path) -> None:
    async with lsp(workspace) as client:
        methods = [m for m in answered_methods() if m not in (types.SHUTDOWN, types.EXIT)]
        ids = [client.send_request(method, params) for method in methods for params in GARBAGE]
        client.notify("$/cancelRequest", {"id": ids[0]})
        for method in methods:
            client.notify(method, {"textDocument": 3})
        for request_id in ids:
            await client.message(
                lambda m, wanted=request_id: m.get("id") == wanted and "method" not in m,
                f"answer {request_id}",
            )
        assert await client.of("foldingRange", _opened(client, workspace)) == []
        assert {len(client.answers(request_id)) for request_id in ids} == {1}
        for message in client.messages:
            assert "traceback" not in json.dumps(message).lower()
            assert message.get("error", {}).get("code") != -32603, message
        assert not [m for m in client.messages if m.get("method") == "window/showMessage"]


def _opened(client: LspClient, folder: Path) -> str:
    return client.open(folder / "a.lisp", "(a)\n")


async def error_of(client: LspClient, method: str, params: Any = None) -> LspError:
    with pytest.raises(LspError) as caught:
        await client.request(method, params)
    return caught.value


async def test_errors_have_the_numbers_of_the_specification(workspace: Path) -> None:
    client = await start_stdio(cwd=workspace)
    try:
        assert (await error_of(client, "textDocument/hover", {})).number == -32002
        assert (await error_of(client, "initialize", {"capabilities": 3})).number == -32602
        await client.initialize(workspace)
        assert (await error_of(client, "initialize", {"capabilities": {}})).number == -32600
        unknown = await error_of(client, "textDocument/documentColor", {"textDocument": {"uri": "file:///x"}})
        assert (unknown.number, unknown.code) == (-32601, "method_not_found")
        malformed = await error_of(client, "textDocument/hover", {"textDocument": {"uri": "file:///x"}})
        assert (malformed.number, malformed.code) == (-32602, "invalid_params")
        assert "position" in str(malformed)
        missing = await error_of(
            client, "textDocument/foldingRange", {"textDocument": {"uri": "file:///no.lisp"}}
        )
        assert (missing.number, missing.code) == (-32803, "not_found")
        assert await client.request("shutdown") is None
        assert (await error_of(client, "shutdown")).number == -32600
        assert (await error_of(client, "textDocument/hover", {})).number == -32600
        client.notify("exit")
        assert await client.wait() == 0
    finally:
        await client.close()


async def test_exit_without_shutdown_and_a_closed_connection_end_the_process() -> None:
    client = await start_stdio()
    await client.initialize()
    client.notify("exit")
    assert await client.wait() == 1
    await client.close()
    client = await start_stdio()
    await client.initialize()
    client._writer.close()
    assert await client.wait() == 1
    await client.close()


async def test_an_id_in_use_is_refused_and_both_are_answered(workspace: Path) -> None:
    async with lsp(workspace, tcp=True) as client:
        uri = _opened(client, workspace)
        request = {"jsonrpc": "2.0", "id": "same", "method": "textDocument/hover"}
        params = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 1}}
        client.send(request | {"params": params}, request | {"params": params})
        await client.message(lambda m: len(client.answers("same")) == 2, "two answers")
        assert sorted("error" in answer for answer in client.answers("same")) == [False, True]


async def test_a_cancelled_request_is_answered_as_cancelled(workspace: Path) -> None:
    async with lsp(workspace, tcp=True) as client:
        uri = _opened(client, workspace)
        params = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 1}}
        client.send(
            {"jsonrpc": "2.0", "id": 77, "method": "textDocument/hover", "params": params},
            {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 77}},
        )
        with pytest.raises(LspError) as caught:
            await client.answer(77)
        assert caught.value.number == -32800
        assert len(client.answers(77)) == 1


async def test_garbage_between_messages_is_reported_and_skipped(workspace: Path) -> None:
    async with lsp(workspace) as client:
        client.send_bytes(
            b"what is this?\r\n\r\n" + frame(b"{not json") + frame(b"[1, 2]") + frame(b'{"id": 3}')
        )
        client.send_bytes(b"content-length: 2\r\n\r\n{}")
        assert await client.request("workspace/executeCommand", {"command": "descartes.lease.list"}) == {
            "leases": []
        }
        numbers = [m["error"]["code"] for m in client.messages if m.get("error")]
        assert numbers == [-32700, -32700, -32600, -32600, -32600]


async def test_lone_surrogates_and_odd_ids_do_no_harm(workspace: Path) -> None:
    async with lsp(workspace) as client:
        uri = (workspace / "a.lisp").as_uri()
        item = {"uri": uri, "languageId": "lisp", "version": 1, "text": '(print "\ud83d") (defun f ())'}
        client.notify("textDocument/didOpen", {"textDocument": item})
        symbols = await client.of("documentSymbol", uri)
        assert [symbol["name"] for symbol in symbols] == ["f"]
        for odd in (None, 1.5, [1], {"a": 1}, True):
            client.send({"jsonrpc": "2.0", "id": odd, "method": "textDocument/hover", "params": {}})
        await client.message(
            lambda m: len([1 for x in client.messages if x.get("id", 0) is None]) == 5, "five"
        )


async def test_tcp_turns_away_who_does_not_send_the_secret(workspace: Path) -> None:
    client = await start_tcp(cwd=workspace)
    try:
        await client.initialize(workspace)
        host, port = client._writer.get_extra_info("peername")[:2]
        with pytest.raises(OSError):
            await asyncio.open_connection(host, port)
    finally:
        await client.close()


async def test_tcp_wrong_secret(workspace: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *command("--tcp", "127.0.0.1:0"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        announced = json.loads(await process.stdout.readline())
        reader, writer = await asyncio.open_connection(announced["host"], announced["port"])
        writer.write(b"descartes-secret: wrong wrong wrong wrong wrong wrong\n" + frame(b"{}"))
        with pytest.raises(ConnectionError):
            if not await asyncio.wait_for(reader.read(), 60):
                raise ConnectionError
        writer.close()
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("shared", [True, False])
def test_sockets_serve_as_standard_input_and_output(shared: bool) -> None:
    """Node and libuv give their children socket pairs; inetd and socat one socket for both ways."""
    ours, theirs = socket.socketpair()
    answers, out = (ours, theirs) if shared else socket.socketpair()
    with subprocess.Popen(command(), stdin=theirs, stdout=out) as process:
        theirs.close()
        out.close()
        body = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}'
        ours.sendall(frame(body))
        answers.settimeout(60)
        assert answers.recv(65536).startswith(b"Content-Length")
        ours.sendall(frame(b'{"jsonrpc":"2.0","method":"exit"}'))
        assert process.wait(60) == 1
    ours.close()
    answers.close()


def test_a_file_serves_as_standard_input(tmp_path: Path) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}'
    end = b'{"jsonrpc":"2.0","id":2,"method":"shutdown"}'
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(frame(body) + frame(end) + frame(b'{"jsonrpc":"2.0","method":"exit"}'))
    with source.open("rb") as given, target.open("wb") as taken:
        assert subprocess.run(command(), stdin=given, stdout=taken, timeout=60, check=False).returncode == 0
    assert target.read_bytes().count(b"Content-Length") == 2
