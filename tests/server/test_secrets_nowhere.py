"""The test that decides: after runs that print a secret in every way, its value stands nowhere."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from descartes_core.errors import DescartesError
from descartes_server.hub.client import HubClient
from descartes_server.operations import trust
from descartes_server.operations.workspace import Workspace, vault
from support.hubs import Heard
from support.until import until

PASSWORD = "correct horse battery"
VALUE = "Zq7/hunter2+of&the'deciding\"test==0x51"
DATA = VALUE.encode()
SHOUTS = r"""
import base64, binascii, json, os, sys, urllib.parse
value = os.environ["API_KEY"]
for written in (
    value, base64.b64encode(value.encode()).decode(), base64.b64encode(b"user:" + value.encode()).decode(),
    value.encode().hex(), urllib.parse.quote(value, safe=""), json.dumps({"token": value}), repr(value),
):
    print("out:", written)
    print("err:", written, file=sys.stderr)
for letter in value:
    sys.stdout.write(letter)
    sys.stdout.flush()
print()
os.system('printf %s "$API_KEY"')
raise SystemExit(f"cannot log in with {value}")
"""


def shown_in(data: bytes) -> list[str]:
    """Return the forms of the value that DATA shows."""
    forms = {
        "plain": DATA,
        "JSON": json.dumps(VALUE).encode()[1:-1],
        "base64": base64.b64encode(DATA).rstrip(b"="),
        "base64 behind others": base64.b64encode(b"user:" + DATA)[8:-4],
        "hexadecimal": DATA.hex().encode(),
        "URL": urllib.parse.quote(VALUE, safe="").encode(),
        "repr": repr(VALUE).encode()[1:-1],
        "half of it": DATA[: len(DATA) // 2],
        "the other half": DATA[len(DATA) // 2 :],
    }
    return [name for name, form in forms.items() if form in data]


def everything_below(*folders: Path) -> dict[str, bytes]:
    found = {}
    for path in (each for folder in folders for each in sorted(folder.rglob("*"))):
        with contextlib.suppress(FileNotFoundError):  # a draft that has been put in its place meanwhile
            if path.is_file():
                found[str(path)] = path.read_bytes()
    return found


def script(here: Workspace, *turns: dict[str, Any]) -> str:
    (here.root / "script.jsonl").write_text("".join(json.dumps(turn) + "\n" for turn in turns))
    return "scripted:script.jsonl"


def step(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"text": f"I know {VALUE}.", "toolCalls": [{"name": tool, "arguments": arguments}]}


async def ended(client: HubClient, heard: Heard, run: dict[str, Any]) -> dict[str, Any]:
    return await heard.until(
        "descartes/run/changed", lambda seen: seen["id"] == run["id"] and seen.get("endedAt") is not None
    )


@pytest.fixture
async def person(client: Callable[..., HubClient], here: Workspace) -> HubClient:
    trust.trust(here.root)
    made = client(user="ann")
    await made.call("secret.set", {"name": "API_KEY", "value": VALUE, "password": PASSWORD})
    return made


@pytest.mark.ledger("D-69")
async def test_the_value_is_nowhere(person: HubClient, here: Workspace, isolated_environment: Path) -> None:
    heard, events = Heard(person), []

    async def follow() -> None:
        async for event in person.events(0, []):
            events.append(event)

    following = asyncio.create_task(follow())
    program = here.root / "shouts.py"
    program.write_text(SHOUTS)
    words = [sys.executable, "shouts.py"]
    shouting = await person.call("run.spawn", {"task": "shout", "command": words, "secrets": ["API_KEY"]})
    shell = f"{sys.executable} shouts.py"
    model = script(
        here,
        step("shell", command=shell, secrets=["API_KEY"]),
        step("shell", command='echo "$API_KEY" > kept.txt', secrets=["API_KEY"]),
        step("shell", command="cat kept.txt; base64 kept.txt"),
        step("read", path="kept.txt"),
        step("search", pattern="hunter2"),
        step("shell", command=f"echo {VALUE!r} 1>&2; exit 3"),
        step(
            "shell",
            command='echo "$API_KEY"; sleep 30',
            timeoutMs=300,
            secrets=["API_KEY"],
        ),
        step("write", path="made.txt", content=f"made with {VALUE}"),
        step("edit", path="made.txt", old=f"not there {VALUE}", new="x"),
        step("read", path=f"no/{VALUE}/file"),
    )
    thinking = await person.call(
        "run.spawn",
        {"task": f"use {VALUE}", "model": model, "toolLevel": "trusted", "secrets": ["API_KEY"]},
    )
    results = [await ended(person, heard, shouting), await ended(person, heard, thinking)]
    for name, params in (
        ("run.send", {"run": shouting["id"], "text": VALUE}),
        ("run.output", {"run": VALUE}),
        ("run.output", {"run": thinking["id"], "since": VALUE}),
    ):
        with pytest.raises(DescartesError) as problem:
            await person.call(name, params)
        results.append(problem.value.as_json())
    for run in (shouting, thinking):
        for stream in ("stdout", "stderr"):
            results.append(await person.call("run.output", {"run": run["id"], "stream": stream}))
        results.append(await person.call("history.list", {"run": run["id"], "limit": 1000}))
    results.append(await person.call("secret.audit", {"limit": 1000}))
    last = max(each["seq"] for each in (await person.call("history.list", {"limit": 1}))["events"])
    await until(lambda: bool(events) and events[-1]["seq"] >= last, "every event is heard")
    following.cancel()

    folders = here.state, here.runtime, vault().parent
    shown = {path: forms for path, data in everything_below(*folders).items() if (forms := shown_in(data))}
    assert shown == {}
    for told in (results, heard.all, events):
        assert shown_in(msgspec.json.encode(told)) == []
    assert "‹secret:API_KEY›".encode() in msgspec.json.encode(results)
    printed = (here.state / "output" / shouting["id"] / "stdout").read_text()
    assert printed.count("‹secret:API_KEY›") >= 9
    assert (here.root / "kept.txt").read_text() == f"{VALUE}\n", "the step itself had the true value"
    assert (here.root / "made.txt").read_text() == f"made with {VALUE}"


async def test_a_new_hub_goes_on_masking(
    person: HubClient, here: Workspace, client: Callable[..., HubClient]
) -> None:
    heard = Heard(person)
    waits = ["sh", "-c", 'read line; echo "$line $API_KEY"']
    run = await person.call("run.spawn", {"task": "wait", "command": waits, "secrets": ["API_KEY"]})
    await heard.until("descartes/run/changed", lambda seen: seen["status"] == "running")
    person.stay()
    await person.call("hub.stop", {"force": True})
    await person.close()
    after = client("after")
    heard = Heard(after)
    await after.call("run.send", {"run": run["id"], "text": "hello\n"})
    await ended(after, heard, run)
    text = (await after.call("run.output", {"run": run["id"]}))["text"]
    assert text == "hello ‹secret:API_KEY›\n"
    assert (await after.call("secret.status", {}))["state"] == "locked"
    assert [path for path, data in everything_below(here.state).items() if shown_in(data)] == []


PRINTS = """
(with-open-file (in "kept.txt")
  (let ((line (read-line in)))
    (loop for letter across line do (write-char letter) (finish-output))
    (dotimes (number 4000) (format t "~a ~d~%" line number))
    (format t "~a" (subseq line 0 9))
    (values line (list line :and :more))))
"""


async def test_what_the_image_prints_and_nobody_was_given(
    person: HubClient, here: Workspace, client: Callable[..., HubClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    await person.call("hub.stop", {"force": True})
    await person.close()
    # The next hub is started by somebody who has the password, and asks for no secret.
    monkeypatch.setenv("DESCARTES_VAULT_PASSWORD", PASSWORD)
    person = client(user="ann")
    heard = Heard(person)
    (here.root / "kept.txt").write_text(f"{VALUE}\n")
    command = await person.call("run.spawn", {"task": "print", "command": ["cat", "kept.txt"]})
    await ended(person, heard, command)
    assert (await person.call("run.output", {"run": command["id"]}))["text"] == "‹secret:API_KEY›\n"
    code = f'(let ((*default-pathname-defaults* #p"{here.root}/")) {PRINTS})'
    found = await person.call("lisp.eval", {"code": code, "onStop": "wait"})
    evaluated = await heard.until("descartes/lisp/evaluated", lambda seen: seen["id"] == found["id"])
    assert found["state"] == evaluated["state"] == "done"
    assert found["output"].startswith("‹secret:API_KEY›‹secret:API_KEY› 0\n‹secret:API_KEY› 1\n")
    whole = Path(found["outputFile"]).read_text()
    assert whole.count("‹secret:API_KEY›") >= 4001 and whole.split("\n")[4000].startswith(VALUE[:9])
    assert evaluated["values"][0] == '"‹secret:API_KEY›"'
    for told in (
        msgspec.json.encode(heard.all),
        msgspec.json.encode(found),
        *everything_below(here.state).values(),
    ):
        assert [form for form in shown_in(told) if form != "half of it"] == []
    assert (await person.call("secret.status", {}))["state"] == "locked"
    audit = (await person.call("secret.audit"))["entries"]
    assert [each["action"] for each in audit] == ["set", "init"], "nobody has read it"
    await person.call("lisp.stop", {})
