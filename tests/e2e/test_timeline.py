"""History documents in an editor: walked through by their lenses, on every level, by every client."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from descartes_core.model import NewEvent, Principal
from descartes_core.store import Store
from support.lsp_client import LspClient, Message, lsp

SHOWS = {"window": {"showDocument": {"support": True}}}
SCRIPT: list[dict[str, Any]] = [
    {"thought": "Look first.", "toolCalls": [{"name": "read", "arguments": {"path": "a.lisp"}}]},
    {
        "text": "Now 😀 better.",
        "toolCalls": [
            {"name": "write", "arguments": {"path": "a.lisp", "content": "(defun b ())\n"}},
            {"name": "read", "arguments": {"path": "gone.lisp"}},
        ],
    },
    {"text": "Done."},
]


async def ended_run(client: LspClient, workspace: Path) -> Message:
    (workspace / "a.lisp").write_text("(defun a ())\n")
    (workspace / "s.jsonl").write_text("".join(json.dumps(turn) + "\n" for turn in SCRIPT))
    await client.execute("workspace.trust", {"trusted": True})
    run = await client.execute(
        "run.spawn", {"task": "Tidy", "model": "scripted:s.jsonl", "toolLevel": "trusted"}
    )
    notified = await client.notification(
        "descartes/run/changed", lambda p: p["id"] == run["id"] and p["endedAt"]
    )
    assert notified["status"] == "completed"
    return run


NOTIFIED = {**SHOWS, "experimental": {"descartes": {"notifications": True}}}


async def titles(client: LspClient, uri: str, line: int | None = None) -> list[str]:
    found = await client.of("codeLens", uri)
    return [
        each["command"]["title"] for each in found if line is None or each["range"]["start"]["line"] == line
    ]


async def press(client: LspClient, uri: str, title: str) -> Message:
    """Choose the lens TITLE of the document and return what its command answered; the editor reloads."""
    (lens,) = [each for each in await client.of("codeLens", uri) if each["command"]["title"] == title]
    command = lens["command"]
    answer: Message = await client.request(
        "workspace/executeCommand", {"command": command["command"], "arguments": command["arguments"]}
    )
    return answer


class Reader:
    """An editor that has a history document open and reloads it when it is shown."""

    def __init__(self, client: LspClient, path: Path) -> None:
        self.client, self.path, self.version = client, path, 1
        self.uri = client.open(path)
        client.replies["window/showDocument"] = lambda params: {"success": True}
        self.line = -1
        """Where the editor was told to go."""

    async def press(self, title: str) -> list[str]:
        """Return the lines of the document after the lens TITLE."""
        before = len(self.client.messages)
        answer = await press(self.client, self.uri, title)
        shown = await self.client.notification("window/showDocument", after=before)
        assert shown["uri"] == self.uri
        self.line = shown["selection"]["start"]["line"]
        self.version += 1
        text = self.path.read_text()
        assert text == answer["text"]
        self.client.change(self.uri, self.version, {"text": text})
        return text.splitlines()


def present(lines: list[str]) -> str:
    (line,) = [line for line in lines if line.startswith("## ▶")]
    return line.split(" ")[2]


@pytest.mark.ledger("D-13")
async def test_the_lenses_of_a_history_document_walk_through_it(workspace: Path) -> None:
    async with lsp(workspace, capabilities=NOTIFIED) as client:
        run = await ended_run(client, workspace)
        client.replies["window/showDocument"] = lambda params: {"success": True}
        made = await client.execute("history.document", {"run": run["id"][4:12]})
        path = Path(made["path"])
        assert path.is_relative_to(workspace / ".descartes" / "views")
        assert path.stat().st_mode & 0o777 == 0o400
        reader = Reader(client, path)
        assert made["next"] is None and made["previous"] is not None
        lines = path.read_text().splitlines()
        last = present(lines)
        assert lines[made["range"]["start"]["line"]].startswith("## ▶")
        seen = [last]
        while "◀ previous" in await titles(client, reader.uri):
            lines = await reader.press("◀ previous")
            seen.append(present(lines))
            assert lines[reader.line].startswith("## ▶")
        assert len(seen) == len(set(seen)) == sum(line.startswith("## ") for line in lines)
        assert "began the run Tidy" in "\n".join(lines)
        lines = await reader.press("next ▶")
        assert present(lines) == seen[-2]
        assert await titles(client, reader.uri, 0) == [
            "▶ play", "turns", "[steps]", "events", "picture",
        ]  # fmt: skip
        every = await reader.press("events")
        assert present(every) == seen[-2]
        assert len(every) > len(lines)
        turns = await reader.press("turns")
        assert sum(line.startswith("## ") for line in turns) < sum(line.startswith("## ") for line in lines)
        assert any("2 calls · 1 failed · wrote a.lisp" in line for line in turns)
        await is_opened_up_by_a_click(client, reader)


async def is_opened_up_by_a_click(client: LspClient, reader: Reader) -> None:
    await reader.press("steps")
    found = await client.of("codeLens", reader.uri)
    text = reader.path.read_text().splitlines()
    (write,) = [number for number, line in enumerate(text) if "✎" in line and "## " in line]
    (look,) = [each for each in found if each["range"]["start"]["line"] == write]
    assert look["command"]["title"] == "look"
    await client.request(
        "workspace/executeCommand",
        {"command": look["command"]["command"], "arguments": look["command"]["arguments"]},
    )
    text = reader.path.read_text().splitlines()
    place = text.index(next(line for line in text if line.startswith("## ▶")))
    assert "write a.lisp" in text[place]
    assert "+(defun b ())" in text[place:]
    assert any("`file.written` `evt_" in line for line in text[place:])
    client.change(reader.uri, reader.version + 1, {"text": reader.path.read_text()})
    state = await press(client, reader.uri, "state here")
    assert (state["turn"], state["files"]) == (2, [])
    shown = await client.notification("window/showDocument", lambda p: "/state-" in p["uri"])
    assert "to be done:" in Path(unquote(urlsplit(shown["uri"]).path)).read_text()
    preview = await press(client, reader.uri, "restore here")
    assert [each["path"] for each in preview["files"]] == ["a.lisp"]
    fork = await press(client, reader.uri, "fork here")
    assert (fork["run"], fork["seq"]) == (state["run"], state["seq"])


async def test_a_history_document_is_no_lisp(workspace: Path) -> None:
    capabilities = {
        **NOTIFIED,
        "textDocument": {"documentSymbol": {"hierarchicalDocumentSymbolSupport": True}},
    }
    async with lsp(workspace, capabilities=capabilities) as client:
        run = await ended_run(client, workspace)
        made = await client.execute("history.document", {"run": run["id"]})
        uri = client.open(Path(made["path"]))
        symbols = await client.of("documentSymbol", uri)
        text = made["text"].splitlines()
        headings = [number for number, line in enumerate(text) if line.startswith("## ")]
        assert [each["selectionRange"]["start"]["line"] for each in symbols] == headings
        assert await client.at("hover", uri, headings[0], 4) is None
        assert (await client.of("semanticTokens/full", uri))["data"] == []
        # An unbalanced parenthesis in what was said is no mistake of the person's.
        client.change(uri, 2, {"text": made["text"].replace("Done.", "((")})
        assert (await client.of("diagnostic", uri))["items"] == []
        await a_file_has_one_too(client, workspace, run)
        await what_names_none_is_refused(client, run)


async def a_file_has_one_too(client: LspClient, workspace: Path, run: Message) -> None:
    uri = (workspace / "a.lisp").as_uri()
    made = await client.execute("history.document", {"uri": uri})
    lines = [line for line in made["text"].splitlines() if line.startswith("## ")]
    assert [line.split(" ")[-2] for line in lines] == ["read", "write"]
    assert f"- run: `{run['id'][4:12]}`" in made["text"]
    other = await client.execute("history.document", {"uri": (workspace / "none.lisp").as_uri()})
    assert "Nothing has happened yet." in other["text"]


async def what_names_none_is_refused(client: LspClient, run: Message) -> None:
    for params, code in (
        ({}, "invalid_params"),
        ({"run": run["id"], "uri": "file:///a"}, "invalid_params"),
        ({"run": "ffff"}, "run_not_found"),
        ({"run": run["id"], "level": "days"}, "invalid_params"),
        ({"run": run["id"], "at": "tomorrow"}, "not_found"),
        ({"run": run["id"], "at": "evt_ffff"}, "not_found"),
        ({"run": run["id"], "at": "2026-99-99"}, "invalid_params"),
    ):
        assert (await client.refused("history.document", params)).code == code


@pytest.mark.ledger("D-13")
async def test_a_run_is_played_paused_sped_up_and_stopped(workspace: Path) -> None:
    window = {"showDocument": {"support": True}, "workDoneProgress": True}
    async with lsp(workspace, capabilities={**NOTIFIED, "window": window}) as client:
        client.replies["window/showDocument"] = lambda params: {"success": True}
        run = await ended_run(client, workspace)
        begun = await client.execute("history.playback", {"run": run["id"][4:12], "speed": 0.001})
        assert (begun["state"], begun["speed"], begun["at"]) == ("playing", 0.001, 2)
        path = Path(begun["path"])
        client.open(path)
        assert (await titles(client, begun["uri"], 0))[:4] == [
            "⏸ pause", "slower", "faster (now × 0.001)", "■ stop",
        ]  # fmt: skip
        paused = await client.execute("history.playback", {"run": run["id"], "action": "pause"})
        assert (paused["state"], paused["at"]) == ("paused", begun["at"])
        moved = await client.execute("history.playback", {"run": run["id"], "from": "5", "level": "events"})
        assert (moved["state"], moved["at"], moved["level"]) == ("paused", 5, "events")
        seen = len(client.messages)
        await client.execute("history.playback", {"run": run["id"], "action": "play", "speed": 1000})
        ended = await client.notification("$/progress", lambda p: p["value"]["kind"] == "end", after=seen)
        steps = [m["params"]["value"] for m in client.messages if m.get("method") == "$/progress"]
        assert steps[0]["kind"] == "begin" and steps[0]["cancellable"]
        told = [int(step["message"].split(":")[0].split(" ")[1]) for step in steps[1:]]
        assert told == sorted(told) and told[-1] > 20
        assert "completed" in ended["value"]["message"]
        text = path.read_text()
        assert "## ▶ " + str(told[-1]) in text and "playback" not in text
        again = await client.execute("history.playback", {"run": run["id"], "speed": 0.001})
        assert (again["state"], again["at"]) == ("playing", 2)
        began = await client.notification(
            "$/progress", lambda p: p["value"]["kind"] == "begin" and p["token"] != ended["token"]
        )
        client.notify("window/workDoneProgress/cancel", {"token": began["token"]})
        await client.notification(
            "$/progress", lambda p: p["value"]["kind"] == "end" and p["token"] == began["token"]
        )
        for params, code in (
            ({"run": run["id"], "action": "pause"}, "not_found"),
            ({"run": run["id"], "speed": 0}, "invalid_params"),
            ({"run": run["id"], "action": "jump"}, "invalid_params"),
            ({"run": "ffff"}, "run_not_found"),
        ):
            assert (await client.refused("history.playback", params)).code == code


async def hovered(client: LspClient, uri: str, line: int, character: int, words: str) -> str:
    """Return the hover at a place once it has WORDS, which are found out beside the first one."""
    async with asyncio.timeout(20):
        while True:
            answer = await client.at("hover", uri, line, character)
            text: str = answer["contents"]["value"] if answer else ""
            if words in text:
                return text


async def test_the_hover_of_a_line_says_who_changed_it_and_why(workspace: Path) -> None:
    async with lsp(workspace, capabilities=NOTIFIED) as client:
        path = workspace / "a.lisp"
        run = await ended_run(client, workspace)
        uri = client.open(path)
        named = await hovered(client, uri, 0, 8, "last changed `b`")
        assert f"(run `{run['id'][4:12]}`, event " in named and ": *Now 😀 better.*" in named
        line = await hovered(client, uri, 0, 1, "changed this line")
        assert "✎ **agent" in line
        # Typing above moves the line, and what is known of it with it.
        client.change(uri, 2, {"text": ";; typed\n\n" + path.read_text()})
        assert "last changed `b`" in await hovered(client, uri, 2, 8, "✎")
        assert "✎" not in str(await client.at("hover", uri, 0, 4))
        events = (await client.execute("history.list", {"uri": uri, "line": 3}))["events"]
        assert [(event["name"], event["run"]) for event in events] == [("file.written", run["id"])]
        assert (await client.execute("history.list", {"uri": uri, "line": 1}))["events"] == []
        changed = {"uri": uri, "line": 3}
        for given, count in (
            ({"run": run["id"], "agent": run["agent"], "type": "file", "since": events[0]["id"]}, 1),
            ({"type": "lease"}, 0),
            ({"until": "2020-01-01"}, 0),
            ({"tags": ["none"]}, 0),
            ({"offset": 1}, 0),
            ({"limit": 1, "order": "asc"}, 1),
        ):
            found = await client.execute("history.list", changed | given)
            assert (len(found["events"]), found.get("next")) == (count, None), given
        assert (await client.refused("history.list", changed | {"run": "ffff"})).code == "run_not_found"
        assert (await client.refused("history.list", changed | {"limit": 0})).code == "invalid_params"
        # What a person saves is theirs, and what they save again is no change.
        typed = "(defun b ())\n(defun mine () 1)\n"
        for version in (3, 4):
            client.change(uri, version, {"text": typed})
            path.write_text(typed)
            client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        person = (await client.execute("lease.acquire", {"path": "x.lisp"}))["holder"]["name"]
        theirs = await hovered(client, uri, 1, 2, "changed this line")
        assert f"✎ **{person}**" in theirs.replace("\\", "") and "event " in theirs
        assert "**agent" in await hovered(client, uri, 0, 1, "changed this line")
        saves = (await client.execute("history.list", {"uri": uri, "line": 2}))["events"]
        assert [(each["name"], each["actor"]["kind"]) for each in saves] == [("file.saved", "human")]
        every = (await client.execute("history.list", {"type": "file.saved"}))["events"]
        assert [each["data"]["path"] for each in every] == ["a.lisp"]
        for params in ({"line": 1}, {"uri": uri, "line": 0}, {"uri": uri, "line": 99}):
            assert (await client.refused("history.list", params)).code == "invalid_params"


def of_run(name: str, category: str, data: dict[str, Any], **fields: Any) -> NewEvent:
    actor = Principal(kind="agent", id=BROKEN, name="fixer")
    return NewEvent(
        name=name, category=category, stream=f"run/{BROKEN}", actor=actor, run=BROKEN, session=SESSION,
        data=data, **fields,
    )  # fmt: skip


BROKEN, SESSION = "run_" + "b" * 32, "ses_" + "b" * 32


async def broken(workspace: Path) -> None:
    """Write the past of a run with an orphan, an answer to nobody's call, and an effect before its cause."""
    store = await Store.open(workspace / ".descartes" / "descartes.db")
    spawned = {
        "id": BROKEN, "agent": "fixer", "backend": "model", "task": "try", "session": SESSION,
        "runner": "local", "tokenHash": "", "toolLevel": "full",
    }  # fmt: skip
    thought = {"content": "Hm", "thoughtId": "t2", "parentThoughtId": "gone"}
    answer = {"callId": "call_9_1", "tool": "read", "result": "?", "durationMs": 1}
    await store.append(
        of_run("run.spawned", "system", spawned),
        of_run("thought", "thought", thought, tags=["plan"], parent="evt_" + "0" * 32),
        of_run("tool.completed", "tool_use", answer),
    )
    await store.close()


@pytest.mark.invented_events
@pytest.mark.ledger("D-15")
async def test_how_strictly_a_moment_is_put_together_is_said_at_the_door(workspace: Path) -> None:
    await broken(workspace)
    async with lsp(workspace, initializationOptions={"trusted": True}) as client:
        seen = await client.execute("history.state", {"run": BROKEN})
        assert (len(seen["thoughts"]), len(seen["skipped"]), seen["thoughts"][0]["tags"]) == (1, 1, ["plan"])
        bare = await client.execute("history.state", {"run": BROKEN, "includeMetadata": False})
        assert bare["thoughts"][0]["tags"] == []
        only = await client.execute("history.state", {"run": BROKEN, "types": ["run"]})
        assert (only["thoughts"], only["skipped"]) == ([], [])
        for operation, params, code in (
            ("history.state", {"validate": True}, "restore_conflict"),
            ("history.state", {"skipMissing": False}, "restore_conflict"),
            ("history.state", {"strictCausality": True}, "restore_conflict"),
            ("history.state", {"maxEvents": 2}, "too_large"),
            ("history.state", {"maxEvents": 0}, "invalid_params"),
            ("session.fork", {}, "restore_conflict"),
            ("session.fork", {"skipMissing": True}, "restore_conflict"),
            ("session.fork", {"validate": False}, "restore_conflict"),
            ("session.fork", {"validate": False, "skipMissing": True, "maxEvents": 1}, "too_large"),
        ):
            refused = await client.refused(operation, {"run": BROKEN, **params})
            assert refused.code == code, (operation, params)
        assert (await client.refused("history.state", {"run": BROKEN, "maxEvents": "x"})).number == -32602
        fork = await client.execute("session.fork", {"run": BROKEN, "validate": False, "skipMissing": True})
        assert fork["parent"] == SESSION
