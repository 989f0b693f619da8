"""The steps of the demo: real requests to a real server; each checks what came and shows it."""

from __future__ import annotations

import json
import time
from typing import Any

from descartes_server.cli.demo.client import Client, ServerError
from descartes_server.cli.demo.document import EDITOR, Document
from descartes_server.cli.demo.scratch import Scratch
from descartes_server.cli.demo.screen import Json, Screen, Unexpected, expect
from descartes_server.operations.texts import uri_of

STATES = [
    "initializing",
    "thinking",
    "running",
    "thinking",
    "running",
    "paused",
    "running",
    "thinking",
    "running",
    "paused",
    "running",
    "thinking",
    "running",
    "paused",
    "running",
    "failed",
]
"""What the run goes through: it reads; edits and evaluates when it may; writes, and fails."""
ROOTS = {"run.spawned", "lease.stolen", "body.snapshot"}
"""What nothing in the run has caused: its beginning, a person's deed, files that are kept."""
OLD = '"If LIST is a list, it is returned. '
NEW = '"If LIST is a list, it is returned; nothing is changed. '


class Story:
    """One telling: CLIENT speaks to the server, SCREEN shows what an editor would."""

    def __init__(self, client: Client, scratch: Scratch, screen: Screen) -> None:
        self.client = client
        self.scratch = scratch
        self.screen = screen

    async def tell(self) -> None:
        """Do every step. Errors: `Unexpected` at the first that did not happen as described."""
        await self.start()
        lists = Document(self.client, self.scratch, "alexandria-1/lists.lisp")
        story = Document(self.client, self.scratch, "story.lisp")
        await self.look_around(lists, story)
        await self.mistake(story)
        await self.stop_and_restart(story)
        run = await self.agent(lists)
        await self.history(run)

    async def start(self) -> None:
        """1. The server answers; SBCL and Swank are found and started; the state is reported."""
        self.screen.step(1, "The server answers, finds SBCL and Swank, and starts an image")
        began = time.monotonic()
        answer = await self.client.request(
            "initialize",
            {
                "processId": None,
                "rootUri": uri_of(self.scratch.workspace),
                "capabilities": EDITOR,
                "clientInfo": {"name": "descartes demo"},
                "initializationOptions": {"trusted": True},
            },
        )
        server = answer["serverInfo"]
        took = (time.monotonic() - began) * 1000
        self.screen.line("initialize", f"{server['name']} {server.get('version', '')}, {took:.0f} ms")
        self.client.notify("initialized", {})
        status = await self.client.command("lisp.start")
        expect(status["state"] == "ready", "the image to be ready", status)
        ready = await self.client.until("descartes/lisp/status", lambda it: it["state"] == "ready")
        expect(ready["pid"] == status["pid"], "the state to be reported", ready)
        self.screen.line("lisp.start", f"{status['implementation']} {status['version']}, pid {status['pid']}")
        self.screen.line("", f"ready after {status['startedInMs']} ms, on {status['host']}:{status['port']}")
        load = await self.client.command(
            "lisp.eval",
            code='(progn (require "asdf") (asdf:load-asd (truename "alexandria.asd"))'
            ' (asdf:load-system "alexandria") (list-length (asdf:already-loaded-systems)))',
            onStop="wait",
        )
        expect(load["state"] == "done", "alexandria to load", load)
        self.screen.line("alexandria", f"loaded in {load['durationMs']} ms")

    async def look_around(self, lists: Document, story: Document) -> None:
        """2. Hover, completion, signature help, definition and symbols on the library's files."""
        self.screen.step(2, "Hover, completion, signature help, definition and symbols on alexandria")
        hover = await lists.ask("hover", position=lists.at("(defun ensure-list", 10))
        text = hover["contents"]["value"]
        expect("LIST" in text and "ensure-list" in text.lower(), "the documentation of ensure-list", text)
        self.screen.hover(text)

        lists.edit("(defun ensure-car", "(map-pro)\n\n(defun ensure-car")
        answer = await lists.ask("completion", position=lists.at("(map-pro)", 8))
        items = answer["items"] if isinstance(answer, dict) else answer
        labels = [each["label"] for each in items]
        expect(labels[:1] == ["map-product"], "map-product as the first completion", labels[:3])
        self.screen.line("completion map-pro", ", ".join(labels[:4]))

        lists.edit("(map-pro)", "(map-product #'list )")
        help_ = await lists.ask("signatureHelp", position=lists.at("(map-product #'list )", 20))
        signature = help_["signatures"][0]
        label, parameters = signature["label"], signature.get("parameters", [])
        active = signature.get("activeParameter", help_.get("activeParameter"))
        marked = _parameter(label, parameters[active]) if active is not None else None
        expect(marked == "list", "the second parameter to be marked", help_)
        self.screen.line("signature help", f"{label}   now: {marked}")
        lists.edit("(map-product #'list )\n\n", "")

        lists.save()

        found = await story.ask("definition", position=story.at("(extremum numbers", 3))
        place = found[0] if isinstance(found, list) else found
        uri = place.get("uri") or place["targetUri"]
        line = (place.get("range") or place["targetSelectionRange"])["start"]["line"]
        expect(uri == uri_of(self.scratch.workspace / "alexandria-1/sequences.lisp"), "sequences.lisp", uri)
        self.screen.line("definition", f"extremum is in {uri.rsplit('/', 1)[-1]}, line {line + 1}")

        symbols = await lists.ask("documentSymbol")
        names = [each["name"] for each in symbols]
        expect("ensure-list" in names and len(names) >= 30, "every definition of the file", len(names))
        self.screen.line("symbols", f"{len(names)} in lists.lisp: {', '.join(names[:5])}, …")

    async def mistake(self, story: Document) -> None:
        """3. A form with a mistake: its note is a diagnostic at the exact place; fixed, it disappears."""
        self.screen.step(3, "A mistake is compiled, shown at its place, and fixed")
        compilation = await self.client.command(
            "lisp.compileForm", uri=story.uri, position=story.at("(defun average", 3)
        )
        expect(compilation["notes"], "a note of the compiler", compilation)
        there = await self.client.until(
            "textDocument/publishDiagnostics",
            lambda it: it["uri"] == story.uri and bool(_about(it, "NMBERS")),
        )
        mark = _about(there, "NMBERS")[0]
        start, end = story.at("nmbers"), story.at("nmbers", len("nmbers"))
        expect(mark["range"] == {"start": start, "end": end}, f"the mark at {start}", mark["range"])
        self.screen.code("story.lisp", story.text, [mark], [])
        self.client.forget("textDocument/publishDiagnostics")
        story.edit("nmbers", "numbers")
        fixed = await self.client.command(
            "lisp.compileForm", uri=story.uri, position=story.at("(defun average", 3)
        )
        expect(fixed["success"] and not fixed["notes"], "the fixed form to compile without a note", fixed)
        await self.client.until(
            "textDocument/publishDiagnostics", lambda it: it["uri"] == story.uri and not _about(it, "NMBERS")
        )
        story.save()
        self.screen.line("fixed", "the diagnostic is gone", "green")

    async def stop_and_restart(self, story: Document) -> None:
        """4. A division by zero stops; a restart with an argument finishes it; a nested error is aborted."""
        self.screen.step(
            4, "An evaluation stops in the debugger and is finished by a restart with an argument"
        )
        stopped = await self.client.command("lisp.eval", code="(alexandria::average '())")
        expect(stopped["state"] == "stopped", "the evaluation to stop", stopped)
        stop = stopped["debugger"]
        changed = await self.client.until(
            "descartes/debugger/changed", lambda it: any(_is(each, stop) for each in it["debuggers"])
        )
        debugger = next(each for each in changed["debuggers"] if _is(each, stop))
        expect(
            "DIVISION-BY-ZERO" in debugger["condition"]["type"], "a division by zero", debugger["condition"]
        )
        names = [each["name"] for each in debugger["restarts"]]
        expect("USE-VALUE" in names and "ABORT" in names, "the restarts by name", names)
        there = await self.client.until(
            "textDocument/publishDiagnostics",
            lambda it: it["uri"] == story.uri and bool(_about(it, "DIVISION-BY-ZERO")),
        )
        lenses = await story.lenses()
        titles = [each["command"]["title"] for each in lenses]
        expect(any("USE-VALUE" in title for title in titles), "a lens for USE-VALUE", titles)
        marks = _about(there, "DIVISION-BY-ZERO")
        self.screen.code("story.lisp", story.text, marks, lenses)
        actions = await story.ask(
            "codeAction", range=marks[0]["range"], context={"diagnostics": marks, "triggerKind": 1}
        )
        chosen = [each["title"] for each in actions if "USE-VALUE" in each["title"]]
        expect(chosen, "a code action for USE-VALUE", [each["title"] for each in actions])
        self.screen.line("code actions", ", ".join(each["title"] for each in actions[:4]))
        await self._frames(debugger)
        await self._nested(stop)
        done = await self.client.command("debugger.restart", **stop, name="USE-VALUE", arguments=["(* 6 7)"])
        evaluation = done.get("evaluation") or {}
        expect(evaluation.get("state") == "done", "the evaluation to finish", done)
        expect(evaluation["values"] == ["42"], "42 as its value", evaluation["values"])
        self.screen.line(
            "USE-VALUE (* 6 7)", f"the evaluation finishes: ⇒ {evaluation['values'][0]}", "green"
        )

    async def _frames(self, debugger: Json) -> None:
        stop = {"thread": debugger["thread"], "level": debugger["level"]}
        frames = debugger["frames"]
        at = next((each for each in frames if "AVERAGE" in each["description"]), None)
        expect(at is not None, "a frame of AVERAGE", [each["description"] for each in frames[:4]])
        assert at is not None
        detail = await self.client.command("debugger.frame", **stop, frame=at["index"])
        locals_ = {each["name"]: each["value"] for each in detail["locals"]}
        expect(locals_.get("NUMBERS") == "NIL", "NUMBERS to be NIL there", locals_)
        self.screen.line(f"frame {at['index']}", f"{at['description']}   NUMBERS = NIL")

    async def _nested(self, stop: Json) -> None:
        inner = await self.client.command(
            "debugger.evalInFrame", **stop, frame=0, code='(error "a second one")'
        )
        expect(inner["state"] == "stopped", "the nested error to stop", inner)
        nested = inner["debugger"]
        expect(nested["level"] == stop["level"] + 1, "one level deeper", nested)
        self.screen.line("a nested error", f"stops at level {nested['level']}")
        left = await self.client.command("debugger.abort", **nested)
        parent = left.get("debugger") or {}
        expect(_is(parent, stop), "the parent level to be current again", left)
        self.screen.line("abort", f"back at level {parent['level']}, the first condition still stands")

    async def agent(self, lists: Document) -> Json:
        """5. An agent's run: leases, an edit, an evaluation; its lease is taken over and it ends cleanly."""
        self.screen.step(5, "An agent works on two files; one is taken over from it")
        numbers = Document(self.client, self.scratch, "alexandria-1/numbers.lisp")
        run = await self.client.command(
            "run.spawn",
            task="Say in the docstrings who may change the arguments",
            agent="scribe",
            backend="model",
            model=f"scripted:{self._script()}",
            files=[_relative(lists, self.scratch), _relative(numbers, self.scratch)],
        )
        self.screen.line("run.spawn", f"{run['id'][:12]} {run['agent']}: {run['task']}")
        for expected in ("edit", "lisp_eval"):
            question = await self._question(run, expected)
            await self.client.command("intervention.answer", id=question["id"], choice="accept")
            self.screen.line("asks", f"{question['title']}  → accept")
        held = await self._question(run, "write")
        expect("nothing is changed" in lists.path.read_text(encoding="utf-8"), "the agent's edit on disk")
        hover = await numbers.ask("hover", position={"line": 0, "character": 1})
        text = hover["contents"]["value"]
        for part in ("scribe", "who may change the arguments", "until"):
            expect(part in text, f"{part!r} in the hover: who holds it, why, until when", text)
        self.screen.hover(text)
        refused = await self._refused(numbers)
        lease = await self.client.command("lease.steal", uri=numbers.uri, reason="I am working on it")
        expect(lease["token"] > refused["token"], "a higher token than the one taken over", lease)
        self.screen.line("lease.steal", f"{lease['holder']['name']} holds it now, token {lease['token']}")
        before = numbers.path.read_bytes()
        await self.client.command("intervention.answer", id=held["id"], choice="accept")
        ended = await self.client.until(
            "descartes/run/changed", lambda it: it["id"] == run["id"] and it["status"] == "failed"
        )
        expect("lease_lost" in (ended.get("reason") or ""), "the run to end with lease_lost", ended)
        expect(numbers.path.read_bytes() == before, "the file to be as it was")
        left = await self.client.command("lease.list")
        expect(not any(each["holder"]["name"] == "scribe" for each in left["leases"]), "no lease left", left)
        self.screen.line("the run", f"failed: {ended['reason']}", "yellow")
        return ended

    async def _question(self, run: Json, tool: str) -> Json:
        asked = await self.client.until(
            "descartes/intervention/changed",
            lambda it: any(_asks(each, run, tool) for each in it["interventions"]),
        )
        return next(each for each in asked["interventions"] if _asks(each, run, tool))

    async def _refused(self, document: Document) -> Json:
        """Have a lease refused; returns the one that stands in the way."""
        try:
            lease = await self.client.command("lease.acquire", uri=document.uri)
        except ServerError as error:
            expect(error.code == "lease_held", "lease_held", error.error)
            expect("scribe" in str(error), "the holder's name", str(error))
            self.screen.line("lease.acquire", f"refused: {error}", "yellow")
            shown: Json = await self.client.command("lease.show", uri=document.uri)
            return dict(shown["lease"])
        raise Unexpected(f"expected the lease to be refused, got {lease!r}")

    def _script(self) -> str:
        """Write what the scripted model says; only its answers are scripted, its tools are real."""
        lists, numbers = "alexandria-1/lists.lisp", "alexandria-1/numbers.lisp"
        turns: list[Json] = [
            {"text": "I read the file first.", "toolCalls": [_call("read", path=lists, limit=40)]},
            {
                "text": "ensure-list is the first.",
                "toolCalls": [_call("edit", path=lists, old=OLD, new=NEW)],
            },
            {
                "text": "Does it still work?",
                "toolCalls": [_call("lisp_eval", code="(alexandria:ensure-list 1)")],
            },
            {
                "text": "Now the numbers.",
                "toolCalls": [_call("write", path=numbers, content="(in-package :alexandria)\n")],
            },
            {"text": "Done."},
        ]
        path = self.scratch.folder / "model.jsonl"
        path.write_text("".join(json.dumps(turn) + "\n" for turn in turns), encoding="utf-8")
        return str(path)

    async def history(self, run: Json) -> None:
        """6. The run's history: every tool call, lease, evaluation and change of state, in order."""
        self.screen.step(6, "What happened is in the log")
        page = await self.client.command("history.list", run=run["id"], order="asc")
        events = page["events"]
        names = [each["name"] for each in events]
        expect(names[0] == "run.spawned" or names[0].startswith("lease."), "the beginning first", names[:3])
        for name, count in (
            ("tool.started", 4),
            ("tool.completed", 3),
            ("tool.failed", 1),
            ("lease.acquired", 2),
            ("lease.stolen", 1),
            ("lease.released", 1),
            ("intervention.opened", 3),
            ("intervention.answered", 3),
            ("file.written", 1),
        ):
            expect(names.count(name) == count, f"{count} × {name}", names)
        states = [each["data"]["to"] for each in events if each["name"] == "run.status"]
        expect(states == STATES, f"the states {STATES}", states)
        evaluated = [each["data"]["values"] for each in events if each["name"] == "lisp.evaluated"]
        expect(evaluated == [["(1)"]], "the evaluation's value (1)", evaluated)
        said = [each["data"].get("content", "") for each in events if each["name"] == "message"][-1]
        expect("stop" in str(said), "the run to say that it stops", said)
        known = {each["id"] for each in events}
        alone = {each["name"] for each in events if each.get("parent") not in known}
        expect(alone <= ROOTS, "every other event to have its parent in the log", alone)
        expect(events == sorted(events, key=lambda each: each["seq"]), "the events in order")
        rows = [
            [str(each["seq"]), each["at"][14:23], each["name"], each["actor"]["name"][:12], _gist(each)]
            for each in events
        ]
        self.screen.table(["seq", "time", "event", "by", "what"], rows)
        last = next(each for each in reversed(events) if each["name"] == "tool.failed")
        shown = await self.client.command("history.show", event=last["id"][:12])
        event = shown.get("event", shown)
        expect(event["id"] == last["id"], "the event by a prefix of its id", shown)
        self.screen.line(
            "history.show", f"{event['id'][:12]} {event['name']}: {json.dumps(event['data'])[:60]}…"
        )


def _call(name: str, **arguments: Any) -> Json:
    return {"name": name, "arguments": arguments}


def _is(debugger: Json, stop: Json) -> bool:
    return (debugger.get("thread"), debugger.get("level")) == (stop["thread"], stop["level"])


def _about(published: Json, text: str) -> list[Json]:
    return [each for each in published["diagnostics"] if text in each["message"]]


def _asks(intervention: Json, run: Json, tool: str) -> bool:
    return intervention.get("run") == run["id"] and tool in intervention["title"]


def _relative(document: Document, scratch: Scratch) -> str:
    return str(document.path.relative_to(scratch.workspace))


def _parameter(label: str, parameter: Json) -> str:
    name = parameter["label"]
    return name if isinstance(name, str) else label[name[0] : name[1]]


def _gist(event: Json) -> str:
    data = event["data"]
    for key in ("tool", "path", "to", "code", "title", "content", "task"):
        if data.get(key):
            return str(data[key]).splitlines()[0][:36]
    return ""
