"""Every operation that takes a text is given one that shows a secret: nothing that is kept shows it then."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import types
import typing
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from descartes_core.errors import DescartesError, InvalidTransition
from descartes_core.model import Principal
from descartes_server.hub.client import HubClient
from descartes_server.operations import registry, trust
from descartes_server.operations.lisp_shapes import Document
from descartes_server.operations.registry import Operation
from descartes_server.operations.workspace import Workspace, vault
from support.hubs import Heard

PASSWORD = "correct horse battery"
VALUE = "Zq7-hunter2-of-every-door"
TEXT = f"it is {VALUE}, and that twice: {VALUE}"
CODE = f'(list "{VALUE}")'
SIMPLE = {str: TEXT, Any: TEXT, Document: {"version": 1, "text": f'(defun f () "{VALUE}")\n'}}
OF_A_KIND = {
    "code": CODE, "expression": CODE, "condition": CODE, "holder": f"agent:{VALUE}", "symbol": f"|{VALUE}|",
    "command": ["sh", "-c", f"echo {VALUE}"], "files": [f"{VALUE}.lisp"],
    "value": [VALUE], "agent": VALUE,
}  # fmt: skip
"""What is only taken in the right form."""
ALONE = {"hub.stop", "lisp.stop", "lisp.restart", "lisp.replay", "debugger.abort", "debugger.toplevel"}
"""They would end what the others need, and take no text."""
KEPT_AS_GIVEN = {
    ("secret.set", "value"), ("secret.rotate", "value"),  # encrypted
    ("history.document", "uri"),  # the name of a file, which shows it already
    # What a file is to hold: it shows it, and so do the files as they are kept for going back.
    ("file.write", "content"), ("file.edit", "new"),
    ("edit.preview", "replacement"), ("edit.preview", "changes"),
}  # fmt: skip
KEEPING = {
    "debugger.breakpoints.set", "debugger.evalInFrame", "inspector.eval", "intervention.answer",
    "lease.acquire", "lease.request", "lease.steal", "lisp.compileForm", "lisp.eval", "lisp.evalForm",
    "lisp.loadFile", "lisp.profile", "run.send", "run.spawn", "session.fork", "thought.create",
    "thought.edit", "whiteboard.annotate", "whiteboard.post", "wisdom.add", "wisdom.outcome",
}  # fmt: skip
"""The operations that keep a text that they are given, somewhere."""
DEADLINE_S = 60


def texts_of(operation: Operation) -> Iterator[tuple[str, Any]]:
    """Yield the fields of OPERATION that take a text, each with values that show the secret."""
    for field in msgspec.structs.fields(operation.params):
        if (operation.name, field.encode_name) not in KEPT_AS_GIVEN:
            if field.encode_name in OF_A_KIND:
                yield field.encode_name, OF_A_KIND[field.encode_name]
            yield from ((field.encode_name, each) for each in texts_for(field.type))


def texts_for(kind: Any) -> Iterator[Any]:
    """Yield what shows the secret and is of the type KIND."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in SIMPLE:
        yield SIMPLE[kind]
    elif kind is Principal:
        yield {"kind": "agent", "id": VALUE, "name": VALUE, "via": VALUE}
    elif origin in (typing.Union, types.UnionType):
        for each in arguments:
            yield from texts_for(each)
    elif origin is list:
        yield from ([each] for each in texts_for(arguments[0]))
    elif origin is dict and arguments[1] is Any:
        yield {VALUE: TEXT}


def readable(data: bytes) -> bool:
    """Return whether DATA shows the value or half of it, packed or not."""
    shown = [data]
    for start in (0, data.find(b"\0") + 1):
        with contextlib.suppress(zlib.error):
            shown.append(zlib.decompress(data[start:]))
    plain = VALUE.encode()
    forms = plain[: len(plain) // 2], plain[len(plain) // 2 :], base64.b64encode(plain).rstrip(b"=")
    return any(form in each for form in forms for each in shown)


def readable_files(*folders: Path) -> set[str]:
    paths = {path for folder in folders for path in folder.rglob("*") if path.is_file()}
    return {str(path) for path in paths if VALUE in path.name or readable(path.read_bytes())}


class Doors:
    """A workspace in which most operations have something to work on."""

    def __init__(self, person: HubClient, here: Workspace) -> None:
        self.person = person
        self.here = here
        self.heard = Heard(person)
        self.known: dict[str, Any] = {}
        self.outcomes: dict[tuple[str, str], str] = {}

    async def furnish(self) -> None:
        root, call = self.here.root, self.person.call
        (root / "a.lisp").write_text("(defun f () 1)\n")
        turns = [
            {"text": "hello"},
            {"toolCalls": [{"name": "write", "arguments": {"path": "b", "content": "c"}}]},
        ]
        (root / "script.jsonl").write_text("".join(json.dumps(turn) + "\n" for turn in turns))
        run = await call("run.spawn", {"task": "t", "model": "scripted:script.jsonl"})
        await self.heard.until(
            "descartes/run/changed", lambda seen: seen["id"] == run["id"] and seen.get("phase") == "waiting"
        )
        events = (await call("history.list", {"run": run["id"], "order": "asc"}))["events"]
        posted = await call("whiteboard.post", {"run": run["id"], "content": "c", "type": "solution"})
        stopped = await call("lisp.eval", {"code": '(error "stop here")'})
        self.known = {
            "run": run["id"], "session": run["session"], "event": events[0]["id"], "to": events[0]["id"],
            "thought": (await call("thought.create", {"title": "one"}))["id"],
            "wisdom": (await call("wisdom.add", {"insight": "one"}))["id"], "helped": True,
            "entry": posted["id"],
            "uri": (root / "a.lisp").as_uri(), "path": str(root / "a.lisp"), "newPath": str(root / "b.lisp"),
            "position": {"line": 1, "column": 1}, **stopped["debugger"],
            "id": (await call("inspector.open", {"expression": "(list 1 2)"}))["id"],
            "type": "solution", "content": "c", "title": "t", "insight": "i", "text": "t", "task": "t",
            "model": "scripted:script.jsonl", "code": "1", "symbol": "f", "system": "none", "part": 0,
            "action": 0, "start": 0, "end": 1, "kind": "into", "key": "lisp.command", "value": ["sbcl"],
            "confirm": events[0]["id"], "choice": "accept", "host": "127.0.0.1", "port": 1,
            "other": "127.0.0.1:1", "request": {}, "name": "X", "principal": "agent:x", "archive": "x",
            "archivePassword": PASSWORD, "old": "1", "new": "2", "pattern": "f", "replacement": "g",
        }  # fmt: skip

    async def try_each(self) -> None:
        """Call every operation once for each text that it takes, with and without what else is known."""
        for name, operation in registry.all_operations().items():
            if name in ALONE:
                continue
            fields = msgspec.structs.fields(operation.params)
            least = {each.encode_name: self.known[each.encode_name] for each in fields if each.required}
            about = {each.encode_name for each in fields} & self.known.keys()
            for field, text in texts_of(operation):
                known = [{each: self.known[each] for each in about & more} for more in MORE]
                for params in ({**least, **each, field: text} for each in known):
                    await self.call(name, field, params)

    async def call(self, name: str, field: str, params: Mapping[str, Any]) -> None:
        try:
            async with asyncio.timeout(DEADLINE_S):
                told: Any = await self.person.call(name, dict(params))
            self.outcomes[name, field] = "done"
        except DescartesError as error:
            told = error.as_json()["message"]
            self.outcomes.setdefault((name, field), told)
        assert VALUE.encode() not in msgspec.json.encode(told), (name, params)


MORE: tuple[set[str], ...] = (
    set(), {"path"}, {"uri", "position"}, {"run"}, {"model", "task"}, {"helped"}, {"session"},
)  # fmt: skip
"""Which of what is not required is given beside a text: one thing after the other."""


@pytest.mark.slow
@pytest.mark.ledger("D-69")
async def test_no_text_that_is_kept_shows_a_secret(client: Callable[..., HubClient], here: Workspace) -> None:
    trust.trust(here.root)
    ann = Principal(kind="human", id="ann", name=f"Ann of {VALUE}", via=f"the editor of {VALUE}")
    person = client(f"the editor of {VALUE}", principal=ann)
    await person.call("secret.set", {"name": "API_KEY", "value": VALUE, "password": PASSWORD})
    doors = Doors(person, here)
    await doors.furnish()
    await doors.try_each()
    await doors.call("lease.acquire", "holder", {"path": "new.lisp", "holder": f"agent:{VALUE}"})
    await doors.call("lease.request", "message", {"path": "new.lisp", "message": TEXT})
    await doors.call("lease.steal", "holder", {"path": "new.lisp", "holder": f"agent:it is {VALUE}"})
    for choice, given in (("reject", {"reason": TEXT}), ("accept", {"arguments": [TEXT], "reason": TEXT})):
        for question in (await person.call("intervention.list", {}))["interventions"]:
            await doors.call(
                "intervention.answer", "reason", {"id": question["id"], "choice": choice, **given}
            )
    for run in (await person.call("run.list", {"status": "active"}))["runs"]:
        with contextlib.suppress(InvalidTransition):
            await person.call("run.kill", {"run": run["id"]})
    await person.call("lisp.stop", {})
    assert readable_files(here.state, here.runtime, vault().parent) == set()
    assert not readable(msgspec.json.encode(doors.heard.all))
    done = {name for (name, _), outcome in doors.outcomes.items() if outcome == "done"}
    assert done >= KEEPING, "each of them took a text in"
