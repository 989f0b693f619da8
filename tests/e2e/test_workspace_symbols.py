"""`workspace/symbol` through a real server: files, open texts, and what the client can show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.lsp_client import LspClient, lsp
from support.until import answer_that

BEFORE, NAME = "#| é😀 |# (defun ", "feed-é😀"
ZOO = (
    f"(in-package :zoo)\r\n{BEFORE}{NAME} () 1)\r\n(defstruct animal legs)\r\n"
    "(defgeneric (setf\r\n  é😀) (v o))\r\n(deftype size () t)\r\n"
)
CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


def units(text: str, encoding: str) -> int:
    codec, size = CODECS[encoding]
    return len(text.encode(codec)) // size


async def symbols(client: LspClient, query: str) -> list[Any]:
    """Return the answer once the files of the workspace are known."""
    found: list[Any] = await answer_that(
        bool, lambda: client.request("workspace/symbol", {"query": query}), f"{query} is found"
    )
    return found


def shown(found: list[Any]) -> list[tuple[str, int, str | None]]:
    return [(each["name"], each["kind"], each.get("containerName")) for each in found]


@pytest.mark.parametrize("encoding", CODECS)
async def test_places_are_exact_in_files_that_are_not_open(workspace: Path, encoding: str) -> None:
    (workspace / "zoo é.lisp").write_bytes(ZOO.encode())
    async with lsp(workspace, capabilities={"general": {"positionEncodings": [encoding]}}) as client:
        (feed,) = await symbols(client, "zoo:feed")
        start = units(BEFORE, encoding)
        assert feed["location"] == {
            "uri": (workspace / "zoo é.lisp").as_uri(),
            "range": {
                "start": {"line": 1, "character": start},
                "end": {"line": 1, "character": start + units(NAME, encoding)},
            },
        }
        place, *_ = await symbols(client, "(setf é😀)")
        assert place["location"]["range"] == {
            "start": {"line": 3, "character": 12},
            "end": {"line": 4, "character": 3 + units("é😀", encoding)},
        }
        uri = client.open(workspace / "zoo é.lisp")
        flat = await client.of("documentSymbol", uri)
        assert {
            each["name"]: each["kind"] for each in await client.request("workspace/symbol", {"query": ""})
        } == {each["name"]: each["kind"] for each in flat}
        assert (await symbols(client, "zoo:feed"))[0]["location"] == feed["location"]


async def test_kinds_that_the_client_cannot_show_are_others(workspace: Path) -> None:
    (workspace / "zoo.lisp").write_bytes(ZOO.encode())
    kinds = {"symbolKind": {"valueSet": list(range(1, 19))}}
    capabilities = {"workspace": {"symbol": kinds}, "textDocument": {"documentSymbol": kinds}}
    async with lsp(workspace, capabilities=capabilities) as client:
        assert shown(await symbols(client, "animal")) == [("animal", 5, "ZOO")]
        assert shown(await symbols(client, "size")) == [("size", 5, "ZOO")]
        uri = client.open(workspace / "zoo.lisp")
        assert {each["kind"] for each in await client.of("documentSymbol", uri)} <= set(range(1, 19))


async def test_what_is_typed_and_not_saved_counts(workspace: Path) -> None:
    (workspace / "zoo.lisp").write_bytes(ZOO.encode())
    (workspace / "broken.lisp").write_text("(defun open-one (\n\n(defun after-it ())\n")
    async with lsp(workspace) as client:
        assert shown(await symbols(client, "legs")) == [("legs", 8, "animal")]
        uri = client.open(workspace / "zoo.lisp")
        client.change(uri, 2, {"text": ";; é😀\r\n(in-package :zoo) #|😀|# (defun fresh ())"})
        (fresh,) = await client.request("workspace/symbol", {"query": "ZOO::Fresh"})
        assert fresh["name"] == "ZOO::fresh"
        assert fresh["location"]["uri"] == uri
        assert fresh["location"]["range"] == {
            "start": {"line": 1, "character": 32},
            "end": {"line": 1, "character": 37},
        }
        assert await client.request("workspace/symbol", {"query": "legs"}) == []
        assert [each[0] for each in shown(await symbols(client, "after"))] == ["after-it"]
        assert await client.request("workspace/symbol", {"query": "nowhere:"}) == []


async def test_a_query_that_is_cancelled_is_answered_so(workspace: Path) -> None:
    async with lsp(workspace, tcp=True) as client:
        client.send(
            {"jsonrpc": "2.0", "id": 77, "method": "workspace/symbol", "params": {"query": "x"}},
            {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 77}},
        )
        answer = await client.message(lambda m: m.get("id") == 77, "the answer")
        assert answer["error"]["code"] == -32800
