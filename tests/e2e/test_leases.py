"""Who holds a file shows in the editor: hover, lenses, diagnostics, actions, in every client at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.lsp_client import LspClient, lsp
from support.until import answer_that

NOTIFIED = {
    "experimental": {"descartes": {"notifications": True}},
    "workspace": {"codeLens": {"refreshSupport": True}},
}
AGENT = {"holder": "agent:refactor", "reason": "renaming slots", "ttlSeconds": 240}
PUBLISH = "textDocument/publishDiagnostics"


async def open_leased(client: LspClient, workspace: Path, **lease: Any) -> str:
    uri = client.open(workspace / "a b.lisp", "(defun one (x) x)\n")
    await client.execute("lease.acquire", {"uri": uri, **lease})
    await client.notification("descartes/lease/changed", lambda p: p["change"] == "acquired")
    return uri


@pytest.mark.ledger("D-60")
async def test_a_file_held_by_somebody_else(workspace: Path) -> None:
    async with lsp(workspace, capabilities=NOTIFIED) as client:
        uri = await open_leased(client, workspace, **AGENT)
        await client.message(lambda m: m.get("method") == "workspace/codeLens/refresh", "a refresh of lenses")
        for place in ((0, 8), (1, 0)):
            hover = (await client.at("hover", uri, *place))["contents"]["value"]
            assert "held by refactor — renaming slots — until " in hover
            assert "(in 4 min)" in hover
        titles = [each["command"]["title"] for each in await client.of("codeLens", uri)]
        assert titles == ["held by refactor: renaming slots, in 4 min", "request", "take over"]
        information = await client.notification(PUBLISH, lambda p: p["diagnostics"])
        assert [d["severity"] for d in information["diagnostics"]] == [3]
        client.change(uri, 2, {"text": "(defun one (x) (list x))\n"})
        warning = await client.notification(PUBLISH, lambda p: p["version"] == 2 and p["diagnostics"])
        assert [d["severity"] for d in warning["diagnostics"]] == [2]
        refused = await client.refused("lease.acquire", {})
        assert refused.code == "lease_held"
        assert "refactor" in str(refused) and refused.data["lease"]["holder"]["name"] == "refactor"
        seen = len(client.messages)
        lease = await client.execute("lease.steal", {"uri": uri, "reason": "mine now"})
        assert lease["token"] == 2
        await client.notification(PUBLISH, lambda p: p["diagnostics"] == [], after=seen)


@pytest.mark.ledger("D-60")
async def test_ones_own_lease_says_you_in_the_editor(workspace: Path) -> None:
    information = {"name": "Eglot", "version": "1"}
    async with lsp(workspace, capabilities=NOTIFIED, clientInfo=information) as client:
        uri = await open_leased(client, workspace)
        assert "held by you, in Emacs" in (await client.at("hover", uri, 1, 0))["contents"]["value"]
        titles = [each["command"]["title"] for each in await client.of("codeLens", uri)]
        assert titles[1:] == ["renew", "release"]
        assert not [m for m in client.messages if m.get("method") == PUBLISH and m["params"]["diagnostics"]]
        seen = len(client.messages)
        release = (await client.of("codeLens", uri))[2]["command"]
        await client.request("workspace/executeCommand", release)
        await client.notification("descartes/lease/changed", lambda p: p["change"] == "released", after=seen)
        assert await client.of("codeLens", uri) == []


@pytest.mark.ledger("D-60")
async def test_code_actions_for_a_lease(workspace: Path) -> None:
    async with lsp(workspace, capabilities=NOTIFIED) as client:
        whole = {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 0}}

        async def titles() -> list[str]:
            found = await client.of("codeAction", uri, range=whole, context={"diagnostics": []})
            return [each["title"] for each in found]

        uri = client.open(workspace / "a b.lisp", "(a)\n")
        assert await titles() == ["Take the lease of this file"]
        await client.execute("lease.acquire", {"path": "a b.lisp", **AGENT})
        await client.notification("descartes/lease/changed")
        assert await titles() == ["Ask refactor for this file", "Take this file over from refactor"]


async def test_two_editors_see_the_same_lease(workspace: Path) -> None:
    async with (
        lsp(workspace, capabilities=NOTIFIED) as one,
        lsp(workspace, capabilities=NOTIFIED, tcp=True) as other,
    ):
        (workspace / "a b.lisp").write_text("(a)\n")
        uri = await open_leased(one, workspace, **AGENT)
        # It may have found the hub, and asked for a refresh, before there was a lease.
        await answer_that(
            lambda hover: hover and "held by refactor" in hover["contents"]["value"],
            lambda: other.at("hover", uri, 0, 0),
            "the other editor says who holds the file",
        )
        await other.message(lambda m: m.get("method") == "workspace/codeLens/refresh", "a refresh of lenses")


async def test_the_log_tells_of_leases_where_no_hub_runs(workspace: Path) -> None:
    async with lsp(workspace, capabilities=NOTIFIED) as client:
        uri = await open_leased(client, workspace, **AGENT)
        assert await client.execute("hub.stop", {"force": True}) == {}
    async with lsp(workspace, capabilities=NOTIFIED) as client:
        client.open(workspace / "a b.lisp", "(a)\n")
        await client.execute("lease.list")
        assert "held by refactor" in (await client.at("hover", uri, 0, 0))["contents"]["value"]


async def test_what_a_lens_shows_is_a_file_in_a_plain_client(workspace: Path) -> None:
    async with lsp(workspace) as client:
        uri = client.open(workspace / "a b.lisp", "(a)\n")
        await client.execute("lease.acquire", {"uri": uri, **AGENT})
        await client.execute("lease.show", {"uri": uri, "show": True})
        shown = await client.notification("window/showMessage")
        path = Path(shown["message"].removeprefix("See file://"))
        assert path.parent == workspace / ".descartes" / "views"
        assert "refactor" in path.read_text()


async def test_events_of_the_log_for_those_who_subscribe(workspace: Path) -> None:
    async with lsp(workspace, capabilities=NOTIFIED) as client:
        answer = await client.execute("history.subscribe", {"types": ["lease"]})
        assert answer["seq"] >= 0
        await client.execute("lease.acquire", {"path": "x.lisp"})
        event = await client.notification("descartes/event")
        assert event["name"] == "lease.acquired"
