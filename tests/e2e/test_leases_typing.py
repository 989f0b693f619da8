"""What a person types counts as a lease: for agents, for other editors, for saving and for renaming."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from support.faults import ended
from support.lsp_client import LspClient, LspError, lsp

NOTIFIED = {
    "experimental": {"descartes": {"notifications": True}},
    "textDocument": {"synchronization": {"willSave": True, "willSaveWaitUntil": True}},
    "workspace": {
        "codeLens": {"refreshSupport": True},
        "fileOperations": {"willRename": True, "didRename": True},
    },
}
SHAPES = "(defun area (s) s)\n\n(defun perimeter (s) s)\n"
CHANGED = "descartes/lease/changed"
PUBLISH = "textDocument/publishDiagnostics"
MESSAGE = "window/showMessage"
AGENT = {"holder": "agent:fixer", "reason": "tidying", "ttlSeconds": 240}


async def leases(client: LspClient) -> list[tuple[str, str, str]]:
    found = (await client.execute("lease.list"))["leases"]
    return [(each["path"], each["mode"], each["holder"]["kind"]) for each in found]


def change(name: str) -> Any:
    return lambda params: params["change"] == name


@pytest.mark.ledger("D-59")
async def test_text_that_is_not_saved_is_the_person_s_and_an_agent_s_write_to_it_asks(
    workspace: Path,
) -> None:
    (workspace / "f.lisp").write_text(SHAPES)
    turns = [
        {
            "toolCalls": [
                {"name": "edit", "arguments": {"path": "f.lisp", "old": "(s) s)\n\n", "new": "(s) 1)\n\n"}}
            ]
        },
        {"text": "Done."},
    ]
    (workspace / "script.jsonl").write_text("".join(json.dumps(turn) + "\n" for turn in turns))
    async with lsp(
        workspace,
        capabilities=NOTIFIED,
        clientInfo={"name": "Eglot"},
        initializationOptions={"trusted": True},
    ) as client:
        await client.execute("history.subscribe", {"types": ["lease"]})
        uri = client.open(workspace / "f.lisp")
        client.change(uri, 2, {"text": f"{SHAPES}; more\n"})
        typed = (await client.notification(CHANGED, change("acquired")))["lease"]
        assert (typed["path"], typed["mode"], typed["reason"]) == ("f.lisp", "intent", "unsaved changes")
        assert (typed["holder"]["kind"], typed["holder"]["via"]) == ("human", "Emacs")
        run = await client.execute(
            "run.spawn", {"task": "try", "model": "scripted:script.jsonl", "toolLevel": "trusted"}
        )
        asked = await client.notification(
            "descartes/intervention/changed", lambda p: any(q["run"] == run["id"] for q in p["interventions"])
        )
        (question,) = asked["interventions"]
        assert "unsaved changes" in question["detail"] and "Emacs" in question["detail"]
        assert (workspace / "f.lisp").read_text() == SHAPES
        await client.execute("intervention.answer", {"id": question["id"], "choice": "accept"})
        await client.notification("descartes/run/changed", lambda p: p["status"] == "completed")
        assert "area (s) 1" in (workspace / "f.lisp").read_text()


@pytest.mark.ledger("D-59")
async def test_it_ends_when_the_text_is_saved_closed_or_undone(workspace: Path) -> None:
    file = workspace / "f.lisp"
    file.write_text(SHAPES)
    async with lsp(workspace, capabilities=NOTIFIED) as client:
        await client.execute("history.subscribe", {"types": ["lease"]})
        uri = client.open(file)
        endings = (
            lambda: client.notify("textDocument/didSave", {"textDocument": {"uri": uri}}),
            lambda: client.change(uri, 4, {"text": f"{SHAPES}1"}),
            lambda: client.notify("textDocument/didClose", {"textDocument": {"uri": uri}}),
        )
        for number, end in enumerate(endings):
            seen = len(client.messages)
            client.change(uri, 2 + number, {"text": f"{SHAPES}{'12'[: number + 1] if number < 2 else '3'}"})
            await client.notification(CHANGED, change("acquired"), after=seen)
            assert await leases(client) == [("f.lisp", "intent", "human")]
            end()
            await client.notification(CHANGED, change("released"), after=seen)
            assert await leases(client) == []


async def test_what_the_person_leased_stays_when_the_text_is_saved(workspace: Path) -> None:
    async with lsp(workspace, capabilities=NOTIFIED) as client:
        uri = client.open(workspace / "f.lisp", SHAPES)
        await client.execute("lease.acquire", {"uri": uri, "reason": "mine"})
        client.change(uri, 2, {"text": "()"})
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        await client.execute("lease.acquire", {"path": "other"})
        assert ("f.lisp", "exclusive", "human") in await leases(client)

        seen = len(client.messages)
        client.change(uri, 3, {"text": "(typed)"})
        await client.execute("lease.release", {"uri": uri})
        await client.notification(
            CHANGED, lambda p: p["lease"]["mode"] == "intent" and p["change"] == "acquired", after=seen
        )
        assert ("f.lisp", "intent", "human") in await leases(client)
        for wrong in ({"force": "yes"}, {"force": True, "holder": "nobody"}):
            with pytest.raises(LspError):
                await client.execute("lease.release", {"uri": uri, **wrong})
        with pytest.raises(LspError, match="follows a file that was renamed"):
            await client.execute("lease.acquire", {"path": "theirs", **AGENT})
            await client.execute("lease.move", {"path": "theirs", "newPath": "zzz"})


@pytest.mark.ledger("D-60")
async def test_a_leased_form_shows_its_owner_at_the_form(workspace: Path) -> None:
    (workspace / "f.lisp").write_text(SHAPES)
    async with lsp(workspace, capabilities=NOTIFIED) as client:
        uri = client.open(workspace / "f.lisp")
        await client.execute("lease.acquire", {"path": "f.lisp#perimeter", **AGENT})
        shown = await client.notification(PUBLISH, lambda p: p["diagnostics"])
        (mark,) = shown["diagnostics"]
        assert (mark["severity"], mark["range"]["start"]["line"]) == (3, 2)
        assert mark["message"].startswith("The form perimeter is held by fixer — tidying — until")
        over = (await client.at("hover", uri, 2, 8))["contents"]["value"]
        assert "🔒 The form perimeter is held by fixer" in over
        beside = await client.at("hover", uri, 0, 8)
        assert beside is None or "fixer" not in beside["contents"]["value"]
        lenses = await client.of("codeLens", uri)
        assert {each["range"]["start"]["line"] for each in lenses} == {2}
        client.change(uri, 2, {"text": SHAPES.replace("area (s) s", "area (s) 1")})
        await client.of("documentSymbol", uri)
        seen = len(client.messages)
        client.change(uri, 3, {"text": SHAPES.replace("perimeter (s) s", "perimeter (s) 1")})
        marked = await client.notification(
            PUBLISH, lambda p: p["version"] == 3 and p["diagnostics"], after=seen
        )
        assert [each["severity"] for each in marked["diagnostics"]] == [2]
        place = {"line": 0, "character": 9}
        actions = await client.of(
            "codeAction", uri, range={"start": place, "end": place}, context={"diagnostics": []}
        )
        (take,) = [each for each in actions if each["title"] == "Take the lease of the form area"]
        command = take["command"] if isinstance(take["command"], dict) else take
        await client.request("workspace/executeCommand", command)
        assert ("f.lisp#area", "exclusive", "human") in await leases(client)


@pytest.mark.ledger("D-60")
@pytest.mark.parametrize("method", ["willSave", "willSaveWaitUntil"])
async def test_saving_over_what_another_holds_warns_with_the_holder(workspace: Path, method: str) -> None:
    async with lsp(workspace, capabilities=NOTIFIED) as client:
        synchronization = client.capabilities["textDocumentSync"]
        assert synchronization["willSave"] and synchronization["willSaveWaitUntil"]
        uri = client.open(workspace / "f.lisp", SHAPES)
        await client.execute("lease.acquire", {"path": "*.lisp", **AGENT})
        await client.notification(CHANGED)
        params = {"textDocument": {"uri": uri}, "reason": 1}
        await client.request("textDocument/willSaveWaitUntil", params)
        assert not [m for m in client.messages if m.get("method") == MESSAGE]
        client.change(uri, 2, {"text": "()"})
        if method == "willSave":
            client.notify("textDocument/willSave", params)
        assert not await client.request("textDocument/willSaveWaitUntil", params)
        told = await client.notification(MESSAGE)
        assert told["type"] == 2 and "This file is held by fixer — tidying — until" in told["message"]
        await client.request("textDocument/willSaveWaitUntil", params)
        assert len([m for m in client.messages if m.get("method") == MESSAGE]) == 1
        unknown = {"textDocument": {"uri": "file:///nowhere.lisp"}, "reason": 3}
        assert not await client.request("textDocument/willSaveWaitUntil", unknown)


@pytest.mark.ledger("D-56")
async def test_a_renamed_folder_takes_its_leases_along(workspace: Path) -> None:
    (workspace / "src").mkdir()
    (workspace / "src" / "f.lisp").write_text(SHAPES)
    files = {"files": [{"oldUri": (workspace / "src").as_uri(), "newUri": (workspace / "lib").as_uri()}]}
    async with lsp(workspace, capabilities=NOTIFIED) as client:
        operations = client.capabilities["workspace"]["fileOperations"]
        assert operations["willRename"] and operations["didRename"]
        await client.execute("lease.acquire", {"path": "src/f.lisp", **AGENT})
        await client.execute("lease.acquire", {"path": "src/g.lisp#area"})
        await client.notification(CHANGED, lambda p: p["lease"]["path"] == "src/g.lisp#area")
        assert await client.request("workspace/willRenameFiles", files) is None
        told = await client.notification(MESSAGE)
        assert "src/f.lisp is renamed and is held by fixer" in told["message"]
        (workspace / "src").rename(workspace / "lib")
        await client.execute("history.subscribe", {"types": ["lease"]})
        client.notify("workspace/didRenameFiles", files)
        moved = await client.notification("descartes/event", lambda e: e["name"] == "lease.moved")
        assert (moved["data"]["from"], moved["data"]["path"]) == ("src/f.lisp", "lib/f.lisp")
        await client.notification(CHANGED, lambda p: p["lease"]["path"] == "lib/g.lisp#area")
        assert [path for path, _, _ in await leases(client)] == ["lib/f.lisp", "lib/g.lisp#area"]
        hover = await client.at("hover", client.open(workspace / "lib" / "f.lisp"), 1, 0)
        assert "held by fixer" in hover["contents"]["value"]


@pytest.mark.ledger("D-55")
async def test_the_holder_s_editor_says_that_a_lease_ends_soon(workspace: Path) -> None:
    """A lease taken without an editor is renewed by nobody."""
    words = ("lease", "acquire", "f.lisp", "--ttl-seconds", "32")
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "descartes_server", *words, cwd=workspace
    )
    assert await done.wait() == 0
    async with lsp(workspace, capabilities=NOTIFIED) as client:
        client.open(workspace / "f.lisp", SHAPES)
        marked = await client.notification(PUBLISH, lambda p: p["diagnostics"])
        (mark,) = marked["diagnostics"]
        assert mark["severity"] == 2 and "Your lease of this file ends at" in mark["message"]
        await client.execute("history.subscribe", {"types": ["lease.expiring"], "since": 0})
        assert (await client.notification("descartes/event"))["data"]["path"] == "f.lisp"


async def test_who_takes_a_file_over_takes_its_forms_too(workspace: Path) -> None:
    async with lsp(workspace, capabilities=NOTIFIED) as client:
        uri = client.open(workspace / "f.lisp", SHAPES)
        await client.execute("lease.acquire", {"path": "f.lisp#area", **AGENT})
        await client.execute("lease.acquire", {"path": "f.lisp#perimeter", **AGENT})
        await client.notification(CHANGED, lambda p: p["lease"]["path"] == "f.lisp#perimeter")
        seen = len(client.messages)
        await client.execute("lease.steal", {"uri": uri})
        await client.notification(CHANGED, change("stolen"), after=seen)
        titles = [each["command"]["title"] for each in await client.of("codeLens", uri)]
        assert [title.partition(",")[0] for title in titles] == ["held by you", "renew", "release"]


async def is_refused(client: LspClient, code: str) -> bool:
    """Ask for a lease; return whether the answer is an error with CODE, any other error is raised."""
    try:
        await client.execute("lease.acquire", {"path": "another"})
    except LspError as error:
        if error.code != code:
            raise
        return True
    return False


@pytest.mark.ledger("D-59")
async def test_what_was_saved_while_no_hub_ran_is_nobody_s_any_more(workspace: Path) -> None:
    async with lsp(workspace, capabilities=NOTIFIED) as client:
        uri = client.open(workspace / "f.lisp", SHAPES)
        await client.execute("lease.acquire", {"path": "other"})
        client.change(uri, 2, {"text": "()"})
        await client.notification(CHANGED, lambda p: p["lease"]["mode"] == "intent")
        hub = (await client.execute("hub.status"))["pid"]
        await client.execute("hub.stop", {"force": True})
        # What one that ends still hears of could be done there and not told any more.
        await ended(hub)
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        seen = len(client.messages)
        while await is_refused(client, "hub_lost"):
            pass  # the editor's server has not heard yet that the old hub is gone
        await client.notification(CHANGED, change("released"), after=seen)
        assert [path for path, _, _ in await leases(client)] == ["another", "other"]
