"""Agents that fail, in all the ways that agents do: the run says why, and nobody waits for ever."""

from __future__ import annotations

import pytest

from descartes_core.errors import InvalidParams, InvalidTransition
from descartes_core.model import Principal
from descartes_core.processes.identity import ProcessIdentity, is_alive
from support.acp_runs import data, plain, said, start
from support.running import ANN, Bench, bench
from support.until import until

__all__ = ["bench"]

SAYS = """
prompt = ready()
tell('session/update', {'update': {'sessionUpdate': 'agent_message_chunk',
                                   'content': {'type': 'text', 'text': 'so far'}}})
"""
FAILING = {
    "it prints no messages": (
        "while True: print('Welcome to the shell')",
        "does not speak the Agent Client Protocol: it printed 'Welcome to the shell'",
    ),
    "it ends before it says anything": (
        "print('no key found', file=sys.stderr); sys.exit(3)",
        "the agent ended (exit code 3) before its work was done; the last it said: no key found",
    ),
    "it closes its output": (
        "import os; ready(); os.close(1); time.sleep(600)",
        "the agent closed its output before its work was done",
    ),
    "another version": (
        "say(json.loads(sys.stdin.readline())['id'], {'protocolVersion': 2}); time.sleep(600)",
        "Expected version 1 of the Agent Client Protocol, the agent speaks 2",
    ),
    "it wants a key": (
        "say(json.loads(sys.stdin.readline())['id'], {'protocolVersion': 1,"
        " 'authMethods': [{'id': 'k', 'name': 'Use a key'}]});"
        "say(json.loads(sys.stdin.readline())['id'], error={'code': -32000, 'message': 'Auth'})",
        "the agent wants you to sign in first (it offers: Use a key)",
    ),
    "it answers nonsense": (
        "say(json.loads(sys.stdin.readline())['id'], {'version': 'one'}); time.sleep(600)",
        "answered initialize with something else than the protocol has: protocolVersion",
    ),
    "its model fails": (
        "say(ready(), error={'code': -32603, 'message': 'Internal error', 'data': {'details': 'no quota'}})",
        "the agent failed: Internal error: no quota",
    ),
    "it refuses": (SAYS + "say(prompt, {'stopReason': 'refusal'}); time.sleep(600)", "refused to go on"),
    "its tokens are used up": (SAYS + "say(prompt, {'stopReason': 'max_tokens'})", "no tokens left"),
    "it is killed": (
        SAYS + "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "the agent ended (killed by SIGKILL) before its work was done",
    ),
}


async def test_why_an_agent_failed_is_said(bench: Bench) -> None:
    runs = {name: await start(bench, plain(code)) for name, (code, _) in FAILING.items()}
    ended = {name: await bench.ended(run.id) for name, run in runs.items()}
    for name, (_, reason) in FAILING.items():
        assert ended[name].status == "failed", name
        assert reason in (ended[name].reason or ""), name
        (process,) = await data(bench, runs[name].id, "run.process")
        assert not is_alive(ProcessIdentity(**process)), name
    assert await said(bench, runs["it is killed"].id) == "so far"
    output = await bench.runs.output(runs["it ends before it says anything"].id, "stderr")
    assert output.text == "no key found\n"


async def test_one_that_never_introduces_itself(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from descartes_core.runs.acp import session

    monkeypatch.setattr(session, "START_SECONDS", 0.1)
    run = await bench.ended((await start(bench, ["sleep", "600"])).id)
    assert run.status == "failed"
    assert "expected the agent to introduce itself within 0.1 s" in (run.reason or "")


async def test_what_cannot_be_spawned(bench: Bench) -> None:
    with pytest.raises(InvalidParams, match="needs a command"):
        await start(bench, [])
    with pytest.raises(InvalidParams, match="no program 'no-such-agent'"):
        await start(bench, ["no-such-agent"])


async def test_an_agent_that_another_agent_chose_is_asked_about(bench: Bench) -> None:
    run = await start(bench, ["cat"], by=Principal(kind="service", id="mcp", name="A client"))
    question = await bench.question(run.id)
    assert question.title == "Run cat"
    with pytest.raises(InvalidTransition):
        await bench.runs.pause(run.id, by=ANN, force=True)
    await bench.answer(run.id, "reject", reason="not here")
    ended = await bench.ended(run.id)
    assert (ended.status, ended.reason) == ("terminated", "Ann did not allow the command: not here")


async def test_the_hub_ends_and_the_agent_with_it(bench: Bench) -> None:
    run = await start(bench, plain(SAYS + "time.sleep(600)"))
    (process,) = await bench.until(lambda: data(bench, run.id, "run.process"))
    await until(lambda: any("so far" in text for _, _, text in bench.printed), "it spoke")
    await bench.close(kill=False)
    await until(lambda: not is_alive(ProcessIdentity(**process)), "the agent has ended")
    again = await Bench.open(bench.workspace)
    try:
        await again.runs.recover()
        ended = await again.ended(run.id)
        assert ended.status == "failed" and "spawn the run again" in (ended.reason or "")
        assert await said(again, run.id) == "so far"
    finally:
        await again.close()


LOADS = """
first = json.loads(sys.stdin.readline())['id']
say(first, {'protocolVersion': 1, 'agentCapabilities': {'loadSession': True}})
session = json.loads(sys.stdin.readline())
again = session['method'] == 'session/load'
def chunk(text):
    tell('session/update', {'update': {'sessionUpdate': 'agent_message_chunk',
                                       'content': {'type': 'text', 'text': text}}})
if again:
    chunk('said before')
say(session['id'], {'sessionId': 's1'})
prompt = json.loads(sys.stdin.readline())
if again:
    chunk(session['params']['sessionId'] + ' was told: ' + prompt['params']['prompt'][-1]['text'])
    say(prompt['id'], {'stopReason': 'end_turn'})
else:
    call = {'toolCallId': 'c1', 'title': 'make', 'kind': 'execute'}
    ask('session/request_permission', {'toolCall': call, 'options': []})
time.sleep(600)
"""


async def test_an_agent_that_can_goes_on_with_its_session_under_the_next_hub(bench: Bench) -> None:
    run = await start(bench, plain(LOADS))
    question = await bench.question(run.id)
    await bench.status(run.id, "waiting")
    await bench.close(kill=False)
    again = await Bench.open(bench.workspace)
    try:
        await again.runs.recover()
        ended = await again.ended(run.id)
        assert (ended.status, ended.reason) == ("completed", None)
        text = await said(again, run.id)
        assert text.startswith("s1 was told: Descartes was started anew while you were at work")
        assert "said before" not in text, "it is in the log already"
        (failed,) = await data(again, run.id, "tool.failed")
        assert (failed["callId"], failed["error"]["code"]) == ("c1", "cancelled")
        (closed,) = await data(again, run.id, "intervention.closed")
        assert closed["id"] == question.id
        assert (await again.edges(run.id))[-4:] == ["paused", "running", "thinking", "completed"]
    finally:
        await again.close()
