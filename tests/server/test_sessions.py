"""Sessions of a workspace at the command line and in an editor: listed, shown, kept in files."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from inline_snapshot import snapshot

from descartes_core.trace import Dispatcher, Session
from descartes_core.trace.agents import ReverseAgent
from descartes_core.trace.view import SessionView
from support.log import FakeClock
from support.lsp_client import lsp

Descartes = Callable[..., Awaitable[Any]]


def make(workspace: Path) -> Session:
    """Return a session in the log of WORKSPACE with state, an artifact and a step of an agent."""
    session = Session("mine", workspace=workspace, clock=FakeClock(1_705_314_600_000))
    session.set("text", "hello")
    session.write_artifact("out.txt", b"one")
    session.write_artifact("out.txt", b"three")
    dispatcher = Dispatcher()
    dispatcher.register(ReverseAgent())
    dispatcher.dispatch_single("reverse", session, {"key": "text"})
    session.delete("text")
    return session


def stable(text: str) -> str:
    """Return TEXT with what differs from run to run replaced."""
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", re.sub(r"\b(run|ses)_[0-9a-f]{32}", r"\1_ID", text))


async def test_a_session_is_shown_at_any_of_its_entries(descartes: Descartes, workspace: Path) -> None:
    make(workspace)
    assert (await descartes("session", "list")).out == snapshot(
        "mine\tsession\t10\t3\t2024-01-15T10:30:00.000Z\t\t\t\n"
    )
    lines = (await descartes("session", "show", "mine")).out.splitlines()
    said = [(number, kind, what[:60]) for number, _, kind, _, what in (line.split("\t") for line in lines)]
    assert said == [
        ("1", "session_created", '{"session_id":"mine","max_artifact_size":104857600,"schema_ve'[:60]),
        ("2", "state_set", "text = hello"),
        ("3", "artifact_written", "out.txt, 3 bytes, version 1"),
        ("4", "artifact_written", "out.txt, 5 bytes, version 2"),
        ("5", "plan_step_started", 'reverse {"key":"text"}'),
        ("6", "agent_invoked", 'reverse {"key":"text"}'),
        ("7", "state_set", "text = olleh"),
        ("8", "agent_completed", '{"key":"text","input":"hello","output":"olleh"}'),
        ("9", "plan_step_completed", "reverse → {'output': 'olleh'}"),
        ("10", "state_deleted", "text"),
    ]
    told = (await descartes("history", "--type", "session.state", "--limit", "1")).out.split("\t")
    assert told[4:] == ["session.state.deleted", "service:system", "text\n"]
    seen = await descartes("--color", "always", "session", "show", "mine", "--at", "3", "--limit", "1")
    plain = re.sub(r"\x1b\[[\d;]*m", "", seen.out)
    assert re.sub(r" +\d+ d ago| +$", "", plain, flags=re.M) == snapshot("""\
mine · entry 3 of 10 · state version 1 · changed
key   value
───────────
text  hello
artifact  version  bytes  entry
───────────────────────────────
out.txt   1        3      3
entry  time      type              who     what
──────────────────────────────────────────────────────────────────────
3      10:30:00  artifact_written  system  out.txt, 3 bytes, version 1
""")
    shown = json.loads((await descartes("session", "show", "mine", "--at", "4", "--json")).out)
    assert (shown["seqNum"], shown["state"], shown["stateVersion"]) == (4, {"text": "hello"}, 1)
    assert [(each["name"], each["version"], each["size"], each["seqNum"]) for each in shown["artifacts"]] == [
        ("out.txt", 2, 5, 4)
    ]
    for words, status, told in (
        (("nobody",), 2, "No session"),
        (("mine", "--at", "99"), 1, "from 1 to 10"),
        ((), 2, "session.show needs"),
    ):
        refused = await descartes("session", "show", *words)
        assert (refused.status, refused.out) == (status, "") and told in refused.err


async def test_a_session_goes_out_into_a_file_and_comes_in_again(
    descartes: Descartes, workspace: Path, isolated_environment: Path
) -> None:
    session = make(workspace)
    out = await descartes("session", "export", "mine", "kept.trace", "--json")
    assert (out.status, json.loads(out.out)["path"]) == (0, str(workspace / "kept.trace"))
    by_default = json.loads((await descartes("session", "export", "mine", "--json")).out)
    assert by_default["path"] == str(workspace / ".descartes" / "exports" / "mine.trace")
    assert Session.load(by_default["path"]).state_hash() == session.state_hash()
    session.set("after", "an export the session goes on")

    other = isolated_environment / "other"
    other.mkdir()
    came = await descartes("session", "import", str(workspace / "kept.trace"), "--json", cwd=other)
    assert json.loads(came.out)["id"] == "mine"
    shown = json.loads((await descartes("session", "show", "mine", "--json", cwd=other)).out)
    assert (shown["state"], shown["stateVersion"], shown["seqNum"]) == ({}, 3, 11)
    twice = json.loads((await descartes("session", "import", "kept.trace", "--json")).out)
    assert (twice["parent"], twice["id"][:4]) == ("mine", "ses_")
    assert [each.id for each in SessionView(session.log_path).list()] == [twice["id"], "mine"]
    assert session.verify().ok
    history = await descartes("history", "list", "--session", "mine", "--type", "session.exported", "--json")
    assert [each["data"]["path"] for each in json.loads(history.out)["events"]] == [
        ".descartes/exports/mine.trace",
        "kept.trace",
    ]


async def test_what_the_log_shows_masked_goes_out_as_it_was_given(workspace: Path) -> None:
    told = {"mail": "ann@example.org", "key": "sk-ant-api03-" + "a" * 40}
    with Session("mine", workspace=workspace) as session:
        session.set("told", told)
        session.append("ann", "user_input", {"content": "Write to bob@example.org"})
    typed, kept = workspace / "typed.trace", workspace / "kept.trace"
    typed.write_text("a file of the person's")
    async with lsp(workspace, initializationOptions={"trusted": True}) as client:
        uri = client.open(typed)
        client.change(uri, 2, {"text": "that they change"})
        # What is typed is told to the hub before what is asked next.
        refused = await client.refused("session.export", {"session": "mine", "uri": uri, "replace": True})
        assert refused.code == "unsaved_changes"
        assert typed.read_text() == "a file of the person's"
        await client.execute("session.export", {"session": "mine", "uri": kept.as_uri()})
    assert not list(workspace.glob(".*.trace*"))
    came = Session.load(kept)
    assert came.get("told") == {"mail": "ann@example.org", "key": "‹redacted›"}
    assert came.get_trajectory()[2].content == {"content": "Write to bob@example.org"}


async def test_what_cannot_be_exported_or_imported(descartes: Descartes, workspace: Path) -> None:
    make(workspace)
    await descartes("lease", "acquire", "held.trace", "--holder", "agent:fixer")
    for words, status, told in (
        (("export", "nobody"), 2, "No session"),
        (("export", "mine", "held.trace"), 1, "fixer"),
        (("import", "missing.trace"), 2, "no file"),
    ):
        refused = await descartes("session", *words)
        assert (refused.status, refused.out) == (status, ""), refused
        assert told in refused.err and refused.err.count("\n") == 1
    assert not (workspace / "held.trace").exists()
    assert len(json.loads((await descartes("session", "list", "--json")).out)["sessions"]) == 1


async def test_the_session_of_a_run_is_a_trajectory_too(descartes: Descartes, workspace: Path) -> None:
    spawned = await descartes("spawn", "--trust", "--task", "say it", "--wait", "--json", "--", "echo", "hi")
    run = json.loads(spawned.out)
    shown = json.loads((await descartes("session", "show", run["session"], "--json")).out)
    assert (shown["session"]["kind"], shown["session"]["run"], shown["session"]["title"]) == (
        "run",
        run["id"],
        "say it",
    )
    types = [each["type"] for each in shown["trajectory"]]
    assert types[:2] == ["session_created", "user_input"] and shown["seqNum"] == len(types)
    told = (await descartes("session", "show", run["session"], "--limit", "1")).out
    assert told.rstrip().endswith("run.status · running → completed")
    kept = json.loads((await descartes("session", "export", run["session"], "--json")).out)
    loaded = Session.load(kept["path"])
    assert [entry.entry_type.value for entry in loaded.get_trajectory()] == [*types, "session_loaded"]
    assert loaded.get_trajectory()[1].content["data"]["content"] == "say it"


async def test_an_editor_asks_for_the_same(workspace: Path) -> None:
    session = make(workspace)
    (workspace / "text.trace").write_text("no session")
    async with lsp(workspace, initializationOptions={"trusted": True}) as client:
        listed = await client.execute("session.list")
        assert [each["id"] for each in listed["sessions"]] == ["mine"]
        shown = await client.execute("session.show", {"session": "mi", "limit": 1})
        assert shown["stateHash"] == session.state_hash()
        assert [each["type"] for each in shown["trajectory"]] == ["state_deleted"]
        target = (workspace / "kept.trace").as_uri()
        kept = await client.execute("session.export", {"session": "mine", "uri": target})
        assert kept["path"] == str(workspace / "kept.trace")
        again = await client.refused("session.export", {"session": "mine", "uri": target})
        assert again.code == "invalid_params" and "is there already" in str(again)
        await client.execute("session.export", {"session": "mine", "uri": target, "replace": True})
        came = await client.execute("session.import", {"uri": target})
        assert (came["parent"], came["entries"]) == ("mine", 11)
        for command, params, code in (
            ("session.show", {"session": "nobody"}, "not_found"),
            ("session.show", {}, None),
            ("session.show", {"session": ""}, "not_found"),
            ("session.list", {"limit": 0}, "invalid_params"),
            ("session.export", {"session": "mine", "path": "relative.trace"}, "invalid_params"),
            ("session.export", {"session": "mine", "uri": "http://x/y"}, "invalid_params"),
            ("session.import", {"path": str(workspace / "none.trace")}, "not_found"),
            ("session.show", {"session": "mine", "at": 0}, "invalid_params"),
            ("session.export", {"session": "mine", "path": str(workspace / "no" / "x")}, "invalid_params"),
            ("session.import", {}, "invalid_params"),
            ("session.import", {"path": "\0"}, "invalid_params"),
            ("session.import", {"path": str(workspace)}, "invalid_params"),
            ("session.import", {"path": str(workspace / "text.trace")}, "invalid_params"),
            ("session.import", {"path": 3}, None),
        ):
            refused = await client.refused(command, params)
            assert refused.number == -32602 if code is None else refused.code == code, (command, params)
