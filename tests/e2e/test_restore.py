"""A restore asked for in any editor: a question with the files to choose from, and cancelled by default."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.lsp_client import LspClient, lsp
from support.trees import tree, write

FILES: dict[str, str | bytes] = {"a.lisp": "(a)\n", "b.lisp": "(b)\n"}
TURN = {"toolCalls": [{"name": "shell", "arguments": {"command": "rm b.lisp; echo '(x)' > a.lisp"}}]}
TRUSTED = {"trusted": True}
REPLACE = {"pattern": "(", "replacement": "[", "paths": ["*.lisp"]}


async def ended_run(client: LspClient, workspace: Path) -> dict[str, Any]:
    """Return the request to go back to before a run that changed both files."""
    script = workspace.parent / "s.jsonl"
    script.write_text(json.dumps(TURN) + "\n")
    spawned = {"task": "Tidy", "model": f"scripted:{script}", "toolLevel": "trusted"}
    run = (await client.execute("run.spawn", spawned))["id"]
    while not (await client.execute("run.show", {"run": run}))["endedAt"]:
        continue
    (first,) = (await client.execute("history.list", {"run": run, "order": "asc", "limit": 1}))["events"]
    return {"run": run, "to": first["id"], "bodies": ["body"]}


@pytest.mark.ledger("D-25")
async def test_an_editor_without_views_of_ours_asks_and_the_default_changes_nothing(workspace: Path) -> None:
    write(workspace, FILES)
    before = tree(workspace)
    async with lsp(workspace, initializationOptions=TRUSTED) as client:
        request = await ended_run(client, workspace)
        changed = tree(workspace)
        assert changed != before
        client.replies["window/showMessageRequest"] = lambda params: params["actions"][1]
        preview = await client.execute("restore.preview", {**request, "ask": True})
        asked = await client.notification("window/showMessageRequest")
        assert [each["title"] for each in asked["actions"]] == [
            "Later",
            "Leave everything as it is",
            "Go back",
        ]
        assert "create b.lisp" in asked["message"] and "modify a.lisp" in asked["message"]
        await settled(client, preview["intervention"])
        assert tree(workspace) == changed
        client.replies["window/showMessageRequest"] = lambda params: params["actions"][2]
        preview = await client.execute("restore.preview", {**request, "ask": True})
        await settled(client, preview["intervention"])
        while not (await client.execute("restore.list"))["restores"]:
            continue
        assert tree(workspace) == before
        undone = await client.execute("restore.undo")
        assert undone["kind"] == "undo" and tree(workspace) == changed
        preview = await client.execute("edit.preview", {**REPLACE, "ask": True})
        client.replies["window/showMessageRequest"] = lambda params: params["actions"][2]
        await settled(client, preview["intervention"])
        while (await client.execute("restore.list"))["restores"][0]["can"] != "undo":
            continue
        assert (workspace / "a.lisp").read_text() == "[x)\n"


async def settled(client: LspClient, question: str) -> None:
    """Return when QUESTION is not open any more."""
    while question in [each["id"] for each in (await client.execute("intervention.list"))["interventions"]]:
        continue


async def test_an_editor_with_views_chooses_files_and_is_told_why_it_cannot_be(workspace: Path) -> None:
    write(workspace, FILES)
    notified = {"experimental": {"descartes": {"notifications": True}}}
    async with lsp(workspace, initializationOptions=TRUSTED, capabilities=notified) as client:
        request = await ended_run(client, workspace)
        uri = client.open(workspace / "a.lisp", "(x)\n")
        client.change(uri, 2, {"text": "(not saved)\n"})
        await client.of("documentSymbol", uri)
        both = {**request, "bodies": ["body", "brain"], "ask": True}
        preview = await client.execute("restore.preview", both)
        question = next(
            each
            for each in (await client.execute("intervention.list"))["interventions"]
            if each["id"] == preview["intervention"]
        )
        assert (question["kind"], question["default"]) == ("restore", "cancel")
        assert [each["path"] for each in question["data"]["files"]] == ["a.lisp", "b.lisp"]
        assert [each["body"] for each in question["data"]["bodies"]] == ["body", "brain"]
        assert "The conversation: there was none yet" in question["detail"]
        answer = {"id": question["id"], "choice": "apply", "arguments": ["b.lisp"], "bodies": ["body"]}
        for bodies in ([], ["image"], ["soul"], "body"):
            refused = await client.refused("intervention.answer", {**answer, "bodies": bodies})
            assert refused.data["code"] == "invalid_params", bodies
        await client.execute("intervention.answer", answer)
        (applied,) = (await client.execute("history.list", {"type": "restore.applied"}))["events"]
        assert applied["data"]["bodies"] == ["body"]
        assert (workspace / "b.lisp").read_text() == "(b)\n" and (workspace / "a.lisp").read_text() == "(x)\n"
        await edited_in_bulk(client, workspace)
        again = await client.execute("restore.preview", request)
        (workspace / "a.lisp").write_text("(mine)\n")
        for name, params, code in (
            ("restore.apply", {**request, "confirm": again["id"]}, "restore_conflict"),
            ("restore.apply", request, "invalid_params"),
            ("restore.apply", {**request, "confirm": again["id"], "resume": "yes"}, "invalid_params"),
            ("restore.apply", {**request, "confirm": again["id"], "resume": True}, "invalid_params"),
            ("restore.apply", {**request, "confirm": "evt_beef"}, "not_found"),
            ("restore.preview", {**request, "to": 7}, "invalid_params"),
            ("restore.preview", {**request, "bodies": ["soul"]}, "invalid_params"),
            ("restore.preview", {**request, "run": "beef"}, "run_not_found"),
            ("restore.redo", {}, "not_found"),
        ):
            refused = await client.refused(name, params)
            assert refused.data["code"] == code, (name, refused)
        assert (workspace / "a.lisp").read_text() == "(mine)\n"
    async with lsp(workspace, initializationOptions={"trusted": False}) as client:
        for name, params in (("restore.preview", request), ("edit.preview", REPLACE)):
            refused = await client.refused(name, params)
            assert refused.data["code"] == "workspace_not_trusted"


async def edited_in_bulk(client: LspClient, workspace: Path) -> None:
    """Edit files in bulk, as questions and by named places, while a.lisp has unsaved text in the editor."""
    preview = await client.execute("edit.preview", {**REPLACE, "ask": True})
    files = {each["path"]: each for each in preview["files"]}
    assert sorted(files) == ["a.lisp", "b.lisp"] and files["a.lisp"]["unsaved"] == "an editor"
    assert "+[b)" in files["b.lisp"]["diff"] and "unsaved changes" in preview["refused"]
    question = await opened(client, preview["intervention"])
    assert question["title"] == "Replace '(' by '[' in 2 places of 2 files?"
    assert (question["kind"], question["default"]) == ("review", "cancel")
    assert [each["path"] for each in question["data"]["files"]] == ["a.lisp", "b.lisp"]
    refused = await client.refused("intervention.answer", {"id": question["id"], "choice": "apply"})
    assert refused.data["code"] == "unsaved_changes" and (workspace / "b.lisp").read_text() == "(b)\n"
    preview = await client.execute("edit.preview", {**REPLACE, "ask": True})
    answer = {"id": preview["intervention"], "choice": "apply", "arguments": ["b.lisp"]}
    await client.execute("intervention.answer", answer)
    assert (workspace / "b.lisp").read_text() == "[b)\n" and (workspace / "a.lisp").read_text() == "(x)\n"
    uri = client.open(workspace / "b.lisp", "(b)\n")
    client.change(uri, 2, {"text": "[b)\n"})  # as an editor tells that it has read the file again
    back = {"pattern": "[b", "replacement": "(b"}
    while (preview := await client.execute("edit.preview", back))["files"][0]["unsaved"]:
        continue
    assert preview["refused"] is None
    write(workspace, {"c d.lisp": "é😀(c)\r\n"})
    # Behind é and 😀, which UTF-16 counts as three.
    where = {"start": {"line": 0, "character": 3}, "end": {"line": 0, "character": 4}}
    change = {"path": (workspace / "c d.lisp").as_uri(), "range": where, "newText": "["}
    preview = await client.execute("edit.preview", {"changes": [change]})
    assert preview["files"][0]["places"] == [{"line": 1, "column": 3, "old": "é😀(c)", "new": "é😀[c)"}]
    done = await client.execute("edit.apply", {"confirm": preview["id"], "reason": "brackets"})
    assert (workspace / "c d.lisp").read_bytes() == "é😀[c)\r\n".encode() and len(done["files"]) == 1
    for name, params, code in (
        ("edit.preview", {}, "invalid_params"),
        ("edit.preview", {**REPLACE, "paths": "*.lisp"}, "invalid_params"),
        ("edit.preview", {**REPLACE, "regex": True}, "invalid_params"),
        ("edit.preview", {"changes": ["a.lisp"]}, "invalid_params"),
        ("edit.preview", {"changes": [{**change, "range": {"start": 1}}]}, "invalid_params"),
        ("edit.preview", {"changes": [{**change, "path": "untitled:a"}]}, "not_found"),
        ("edit.preview", {"changes": [{**change, "path": "file:///etc/passwd"}]}, "invalid_params"),
        ("edit.preview", {"changes": [{**change, "path": "none.lisp"}]}, "not_found"),
        ("edit.apply", {}, "invalid_params"),
        ("edit.apply", {"confirm": "evt_beef"}, "not_found"),
        ("edit.apply", {"confirm": done["id"]}, "not_found"),
        ("edit.apply", {"confirm": preview["id"]}, "restore_conflict"),
        ("edit.apply", {"confirm": preview["id"], "paths": ["b.lisp"]}, "invalid_params"),
    ):
        refused = await client.refused(name, params)
        assert refused.data["code"] == code, (name, params, refused)
    await client.execute("restore.undo")
    assert (workspace / "c d.lisp").read_bytes() == "é😀(c)\r\n".encode()
    await client.execute("restore.redo")
    assert (workspace / "c d.lisp").read_bytes() == "é😀[c)\r\n".encode()


async def opened(client: LspClient, question: str) -> dict[str, Any]:
    """Return QUESTION, which is open."""
    found: list[dict[str, Any]] = (await client.execute("intervention.list"))["interventions"]
    return next(each for each in found if each["id"] == question)
