"""Agents of other programs as runs: they speak the Agent Client Protocol, and keep to the same rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from descartes_core.config.table import PolicyRule, PolicySettings, Settings
from descartes_core.errors import InvalidTransition
from descartes_core.store import Store
from support.acp_runs import agent, data, plain, said, start
from support.running import ANN, BOB, Bench


class Ruled(Bench):
    """A bench whose settings have RULES, which may be put in at any time."""

    rules: list[PolicyRule]


@pytest.fixture
async def bench(workspace: Path) -> AsyncIterator[Ruled]:
    rules: list[PolicyRule] = []
    store = await Store.open(workspace / ".descartes" / "descartes.db")
    made = Ruled(workspace, store, None, settings=lambda: Settings(policy=PolicySettings(rules=rules)))
    made.rules = rules
    yield made
    await made.close()


WHOLE = [
    ["think", "I will look."],
    ["say", "Let me look at it."],
    ["plan", "read it", "change it"],
    ["call", "c1", "read", "Read a.txt", "a.txt"],
    ["read", "a.txt", 2, 1],
    ["done", "c1", "it has three lines"],
    ["permit", "c2", "edit", "Edit a.txt", "a.txt", "four"],
    ["write", "a.txt", "four\n"],
    ["done", "c2", "done"],
    ["terminal"],
    ["print", "a stray line"],
    ["call", "c3", "search", "Look for it"],
    ["done", "c3", "nothing found", "failed"],
]


async def test_an_agent_works_from_its_task_to_its_end(bench: Ruled) -> None:
    (bench.workspace / "a.txt").write_text("one\ntwo\nthree\n")
    spawned = await start(bench, agent(WHOLE))
    question = await bench.question(spawned.id)
    assert "path: a.txt" in question.detail and "+four" in question.detail
    assert [each.id for each in question.choices] == ["accept", "always", "reject"]
    assert question.data["toolArgs"] == {"path": "a.txt"}, "where editors show it"
    await bench.runs.send(spawned.id, "And say it in a word", by=ANN)
    await bench.runs.pause(spawned.id, by=ANN)
    await bench.answer(spawned.id, "accept")
    await bench.until(lambda: held(bench, spawned.id))
    assert (bench.workspace / "a.txt").read_text() == "one\ntwo\nthree\n"
    await bench.runs.resume(spawned.id, by=ANN)
    run = await bench.ended(spawned.id)
    assert (run.status, run.leases, run.interventions, run.usage.input_tokens) == ("completed", [], 0, 200)
    assert (bench.workspace / "a.txt").read_text() == "four\n"
    (connected,) = await data(bench, run.id, "agent.connected")
    assert (connected["name"], connected["version"], connected["agentSession"]) == ("scripted", "1.2", "s1")

    await check_calls(bench, run.id)
    text = await said(bench, run.id)
    for words in ("Let me look at it.", "read: two\n", "permit: id-allow_once", "wrote a.txt"):
        assert words in text
    assert "terminal refused: -32601" in text and text.endswith("told: And say it in a word")
    thoughts = await data(bench, run.id, "thought")
    assert [each["content"] for each in thoughts] == ["I will look.", "- [ ] read it\n- [ ] change it"]
    output = {stream: (await bench.runs.output(run.id, stream)).text for stream in ("stdout", "stderr")}
    assert output["stderr"] == "a stray line\n"
    assert output["stdout"].startswith("Let me look at it.\nread: two\n")
    assert output == {
        stream: "".join(text for _, told, text in bench.printed if told == stream) for stream in output
    }


async def held(bench: Bench, run: str) -> bool:
    """Return whether RUN is paused between two steps."""
    found = await bench.runs.show(run)
    return (found.status, found.pause_mode) == ("paused", "cooperative")


async def check_calls(bench: Bench, run: str) -> None:
    """Check that the calls of RUN stand in the log as those of other runs do."""
    started = {each.data["callId"]: each for each in await bench.events(run, "tool.started")}
    ended = {each.data["callId"]: each for each in await bench.events(run) if each.name in RESULTS}
    assert started.keys() == ended.keys() == {"c1", "c2", "c3", "fs_1", "fs_2"}
    assert all(ended[id_].parent == started[id_].id for id_ in started)
    assert started["fs_1"].parent == started["c1"].id and started["fs_2"].parent == started["c2"].id
    assert ended["fs_1"].data["result"] == "two\n"
    assert ended["c3"].data["error"]["message"] == "nothing found"
    assert started["c2"].data["tool"] == "edit" and started["c2"].data["arguments"]["path"] == "a.txt"
    edges = await bench.edges(run)
    assert edges[:3] == ["initializing", "thinking", "running"] and edges[-2:] == ["thinking", "completed"]
    assert edges.count("paused") == 2


RESULTS = ("tool.completed", "tool.failed")

RULED = [
    ["command", "c1", "rm -rf build"],
    ["command", "c2", "make test"],
    ["command", "c3", "git push"],
    ["done", "c3", "the user said no", "failed"],
    ["write", "new.txt", "by Ann"],
    ["write", "../out.txt", "x"],
    ["write", ".git/config", "x"],
    ["read", "missing.txt"],
    ["read", "../../etc/passwd"],
]


async def test_rules_decide_first_then_a_person_whose_reason_is_told(bench: Ruled) -> None:
    bench.rules += [
        PolicyRule(when="tool.args.command contains 'rm '", then="deny", reason="nothing is deleted here"),
        PolicyRule(when="tool.name == 'shell' && tool.args.command == 'make test'", then="allow"),
    ]
    run = await start(bench, agent(RULED))
    assert (await bench.question(run.id)).title == "`git push`"
    with pytest.raises(InvalidTransition, match="answer its intervention"):
        await bench.runs.resume(run.id, by=ANN)
    other = await start(bench, plain("say(ready(), {'stopReason': 'end_turn'}); time.sleep(600)"))
    assert (await bench.ended(other.id)).status == "completed", "one that waits holds up no other"
    assert (await bench.runs.show(run.id)).phase == "waiting"
    await bench.answer(run.id, "reject", reason="I push myself")
    assert (await bench.question(run.id)).title == "write new.txt"
    await bench.answer(run.id, "edit", '{"path": "new.txt", "content": "by Bob"}')
    ended = await bench.ended(run.id)
    assert ended.status == "completed"
    text = await said(bench, run.id)
    assert "id-reject_once\ncommand: id-allow_once\ncommand: id-reject_once" in text
    assert "wrote new.txt" in text and (bench.workspace / "new.txt").read_text() == "by Bob"
    assert text.count("write refused: -32001") == 2 and "outside the workspace" in text and ".git" in text
    assert "read refused: -32002 There is no 'missing.txt'" in text and "read refused: -32001" in text
    assert "told: This was refused:" in text and "Ann rejected this call: I push myself" in text
    failed = await data(bench, run.id, "tool.failed")
    assert [each["callId"] for each in failed].count("c3") == 1
    assert failed[0]["error"]["message"] == "shell is not allowed here: nothing is deleted here"


async def test_leases_reach_the_agent_and_it_is_paused_and_stopped(bench: Ruled) -> None:
    for name in ("bobs.txt", "typed.txt", "mine.txt"):
        (bench.workspace / name).write_text("old")
    await bench.leases.acquire("bobs.txt", BOB, reason="thinking")
    bench.unsaved["typed.txt"] = "Emacs"
    turns = [
        ["write", "bobs.txt", "new"],
        ["permit", "c1", "edit", "Edit bobs.txt", "bobs.txt", "new"],
        ["write", "mine.txt", "one"],
        ["write", "typed.txt", "new"],
        ["write", "mine.txt", "two"],
        ["permit", "c2", "edit", "Edit more", "more.txt"],
        ["wait"],
    ]
    bench.rules.append(PolicyRule(when="tool.args.path == 'more.txt'", then="ask"))
    run = await start(bench, agent(turns), tool_level="trusted")
    asked = await bench.question(run.id)
    assert "unsaved changes in Emacs" in asked.detail
    assert (bench.workspace / "mine.txt").read_text() == "one"
    assert (await bench.runs.show(run.id)).leases == ["mine.txt", "typed.txt"]
    await bench.leases.steal("mine.txt", ANN)
    await bench.answer(run.id, "respond", "leave it")
    await bench.until(lambda: bench.questions.list(run=run.id))

    await bench.runs.pause(run.id, by=ANN, force=True)
    paused = await bench.runs.show(run.id)
    assert (paused.status, paused.pause_mode) == ("paused", "forced")
    await bench.runs.resume(run.id, by=ANN)
    assert (await bench.runs.show(run.id)).phase == "waiting", "for an answer"
    ended = await bench.runs.stop(run.id, by=ANN)
    assert (ended.status, ended.reason, ended.interventions) == ("terminated", "stopped by Ann", 0)
    assert ended.usage.output_tokens == 7, "the agent ended its turn by itself"
    assert {each["callId"]: each["error"]["code"] for each in await data(bench, run.id, "tool.failed")} == {
        "fs_1": "lease_held", "c1": "lease_held", "fs_4": "lease_lost", "c2": "cancelled",
    }  # fmt: skip

    text = await said(bench, run.id)
    assert "write refused: -32001" in text and '{"code": "lease_held"}' in text and "Bob" in text
    assert "permit: id-reject_once" in text
    assert "a person says instead: leave it" in text
    assert '{"code": "lease_lost"}' in text and "permit: cancelled" in text
    contents = [(bench.workspace / name).read_text() for name in ("bobs.txt", "typed.txt", "mine.txt")]
    assert contents == ["old", "old", "one"]
