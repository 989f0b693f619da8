"""References, call hierarchy and looking around, through a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.lsp_client import LspClient, LspError, lsp
from support.until import answer_that

FIRST = (
    "(defpackage :zoo (:use :cl))\n(in-package :zoo)\n"
    "(defun feed (é😀) (list é😀))\n(defun all () (feed 1))\n"
)
SECOND = "(in-package :zoo)\n(defun day (feed) (feed 2) #'feed (car feed))\n(feed 3)\n"
OTHER = "(in-package :other)\n(defun feed ())\n(defun mine () (feed) (zoo::feed 1))\n"


def spots(found: list[dict[str, Any]]) -> list[str]:
    """Return LOCATIONS as `file line:start-end`, in order."""
    return sorted(
        f"{each['uri'].rpartition('/')[2]} {each['range']['start']['line']}:"
        f"{each['range']['start']['character']}-{each['range']['end']['character']}"
        for each in found
    )


async def eventually(
    client: LspClient, method: str, uri: str, at: tuple[int, int], count: int, **more: Any
) -> Any:
    """Return the answer once it has COUNT parts: the index takes other files in one after the other."""
    return await answer_that(
        lambda found: found and len(found) >= count,
        lambda: client.at(method, uri, *at, **more),
        f"{method} with {count} parts",
    )


@pytest.fixture
def zoo(workspace: Path) -> Path:
    for name, text in (("first", FIRST), ("second", SECOND), ("other", OTHER)):
        (workspace / f"{name}.lisp").write_text(text)
    return workspace


async def test_references_over_files_packages_and_bindings(zoo: Path) -> None:
    context = {"context": {"includeDeclaration": True}}
    async with lsp(zoo) as client:
        uri = client.open(zoo / "first.lisp")
        found = await eventually(client, "references", uri, (2, 8), 6, **context)
        assert spots(found) == [
            "first.lisp 2:7-11",
            "first.lisp 3:15-19",
            "other.lisp 2:23-32",
            "second.lisp 1:19-23",
            "second.lisp 1:29-33",
            "second.lisp 2:1-5",
        ]
        without = await client.at("references", uri, 2, 8, context={"includeDeclaration": False})
        assert spots(without) == [each for each in spots(found) if each != "first.lisp 2:7-11"]
        lexical = await client.at("references", uri, 2, 26, **context)
        assert spots(lexical) == ["first.lisp 2:13-16", "first.lisp 2:24-27"]
        highlights = await client.at("documentHighlight", uri, 3, 16)
        assert [each["range"]["start"]["line"] for each in highlights] == [2, 3]
        assert await client.at("references", uri, 0, 0, **context) == []
        assert await client.at("references", uri, 999, 9, **context) == []
        with pytest.raises(LspError):
            await client.at("references", "file:///nowhere.lisp", 0, 0, **context)


async def test_call_hierarchy(zoo: Path) -> None:
    async with lsp(zoo) as client:
        uri = client.open(zoo / "first.lisp")
        await eventually(client, "references", uri, (2, 8), 6, context={"includeDeclaration": True})
        (item,) = await client.at("prepareCallHierarchy", uri, 2, 8)
        assert item["name"] == "feed" and item["selectionRange"]["start"] == {"line": 2, "character": 7}
        incoming = await client.request("callHierarchy/incomingCalls", {"item": item})
        callers = {each["from"]["name"]: len(each["fromRanges"]) for each in incoming}
        assert callers == {"all": 1, "day": 2, "mine": 1, "(feed …)": 1}
        (caller,) = [each["from"] for each in incoming if each["from"]["name"] == "all"]
        (outgoing,) = await client.request("callHierarchy/outgoingCalls", {"item": caller})
        assert outgoing["to"]["name"] == "feed"
        assert outgoing["fromRanges"][0]["start"] == {"line": 3, "character": 15}
        assert await client.at("prepareCallHierarchy", uri, 2, 26) is None


async def test_files_that_only_the_image_knows(zoo: Path, isolated_environment: Path) -> None:
    elsewhere = isolated_environment / "elsewhere.lisp"
    elsewhere.write_text("(in-package :zoo)\n(defun visitor () (feed 9))\n")
    async with lsp(zoo, initializationOptions={"trusted": True}) as client:
        uri = client.open(zoo / "first.lisp")
        for file in (zoo / "first.lisp", elsewhere):
            assert (await client.execute("lisp.compileFile", {"uri": file.as_uri()}))["success"]
        found = await eventually(client, "references", uri, (2, 8), 7, context={"includeDeclaration": True})
        assert "elsewhere.lisp 1:19-23" in spots(found)


async def test_the_commands_in_an_editor(zoo: Path) -> None:
    async with lsp(zoo, initializationOptions={"trusted": True}) as client:
        text = "(in-package :cl-user)\n(defun é😀 (x) (when x x))\n"
        uri = client.open(zoo / "new.lisp", text)
        place = {"uri": uri, "position": {"line": 1, "character": 16}}
        expansion = await client.execute("lisp.macroexpand", place)
        assert expansion["text"].startswith("(if x")
        assert expansion["range"] == {
            "start": {"line": 1, "character": 15},
            "end": {"line": 1, "character": 25},
        }
        assert (await client.refused("lisp.macroexpand", {"uri": uri})).code == "invalid_params"
        assert (await client.refused("lisp.describe", {"symbol": "mapcra"})).code == "not_found"
        assert (await client.refused("lisp.describe", {"symbol": 7})).code == "invalid_params"
        assert (await client.refused("lisp.killThread", {"thread": "x"})).code == "invalid_params"
        await client.execute("lisp.compileForm", {"uri": uri, "position": {"line": 1, "character": 3}})
        assert (await client.execute("lisp.trace", {"symbol": "é😀"}))["traced"] == ["common-lisp-user::é😀"]
        await client.execute("lisp.eval", {"code": "(é😀 4)"})
        (call,) = (await client.execute("lisp.traceTree", {}))["calls"]
        assert (call["form"], call["values"]) == ("(é😀 4)", ["4"])
        found = await client.execute("lisp.xref", {"symbol": "é😀", "kind": "callers"})
        assert found["locations"] == []
        threads = (await client.execute("lisp.threads", {}))["threads"]
        assert any(each["service"] for each in threads)


@pytest.mark.parametrize(
    ("settings", "link"),
    [
        ({}, "[list in the HyperSpec](https://www.lispworks.com/documentation/HyperSpec/Body/a_list.htm)"),
        ({"hover": {"hyperspec": "file:///doc/clhs"}}, "(file:///doc/clhs/Body/a_list.htm)"),
        ({"hover": {"hyperspec": ""}}, None),
    ],
)
async def test_a_hover_links_to_the_hyperspec(zoo: Path, settings: Any, link: str | None) -> None:
    async with lsp(zoo, initializationOptions={"settings": settings}) as client:
        uri = client.open(zoo / "first.lisp")
        await client.execute("lease.list", {})  # the settings are read when the workspace is open
        hover = await client.at("hover", uri, 2, 20)
        assert (link in hover["contents"]["value"]) if link else ("Body" not in hover["contents"]["value"])
        own = await client.at("hover", uri, 2, 8)
        assert "Body" not in own["contents"]["value"]
