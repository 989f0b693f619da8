"""Every event of real flows fits the schema that is published, and the events tell what happened."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, get_args

import jsonschema
import msgspec
import pytest

from descartes_core.agents import conversation
from descartes_core.history import History, as_seed, from_seed
from descartes_core.model import Category, Event, NewEvent
from descartes_core.store import Store, schemas
from descartes_core.trace import Planner, Session
from support.running import ANN, BOB, Bench, call

NAMES_OF_THE_SPECIFICATION = {
    "event_id", "agent_id", "timestamp", "event_type", "event_data", "git_commit_hash", "session_id",
    "parent_event_id", "tags", "metadata", "seq",
}  # fmt: skip


@pytest.fixture
async def bench(workspace: Path) -> AsyncIterator[Bench]:
    bench = await Bench.open(workspace)
    yield bench
    await bench.close()


def validator() -> Any:
    document = schemas.document()
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


async def busy(bench: Bench) -> Any:
    """Let a run do a bit of everything and return it, ended."""
    (bench.workspace / "a.lisp").write_text("(one)\n")
    await bench.leases.acquire("b.lisp", BOB, reason="mine")
    run = await bench.spawn(
        {"thinking": "First I look.", "text": "I look.", **call("read", path="a.lisp")},
        call("write", path="a.lisp", content="(two)\n"),
        call("edit", path="b.lisp", old="x", new="y"),
        call("shell", command="exit 3"),
        call("nonsense"),
        {"text": "Done 😀."},
        files=["c.lisp"],
    )
    await bench.answer(run.id, "accept")
    await bench.answer(run.id, "reject", reason="no")
    await bench.leases.request("c.lisp", BOB, "please")
    ended = await bench.ended(run.id)
    await bench.leases.release("b.lisp", BOB)
    return ended


@pytest.mark.ledger("D-01")
async def test_every_event_of_a_run_fits_the_published_schema_and_comes_back(bench: Bench) -> None:
    await busy(bench)
    fits, events = validator(), await bench.events()
    assert len({event.name for event in events}) > 12
    for event in events:
        wire = msgspec.json.decode(msgspec.json.encode(event))
        fits.validate(wire)
        assert msgspec.convert(wire, Event) == event
        seed = as_seed(event)
        assert set(seed) == NAMES_OF_THE_SPECIFICATION
        assert from_seed(msgspec.json.decode(msgspec.json.encode(seed))) == event


@pytest.mark.ledger("A-10")
async def test_every_event_says_what_it_belongs_to_and_when_it_was(bench: Bench) -> None:
    run = await busy(bench)
    for event in await bench.events():
        assert event.correlation and event.at.endswith("Z")
    assert {(e.correlation, e.session) for e in await bench.events(run.id, "tool")} == {(run.id, run.session)}


def test_the_schema_has_the_eight_categories() -> None:
    document = schemas.document()
    assert list(document["categories"]) == list(get_args(Category))
    assert all(document["categories"].values())
    assert document["properties"]["name"]["enum"] == [kind.name for kind in schemas.kinds()]
    assert all(kind.summary for kind in schemas.kinds())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "no.such"}, "No event 'no.such' is registered"),
        ({"category": "error"}, "registered as 'system'"),
        ({"data": {"inputTokens": "many"}}, "do not fit"),
        ({"data": {"other": 1}, "name": "run.phase", "category": "state_change"}, "do not fit"),
    ],
)
async def test_in_tests_an_event_that_nobody_described_is_refused(
    workspace: Path, change: dict[str, Any], said: str
) -> None:
    store = await Store.open(workspace / "descartes.db")
    fitting = NewEvent(category="system", name="run.usage", stream="s", actor=ANN, run="run_x", data={})
    with pytest.raises(schemas.WrongEvent, match=said):
        await store.append(msgspec.structs.replace(fitting, **change))
    assert await store.reader.last_seq() == 0
    await store.close()


@pytest.mark.invented_events
async def test_in_production_nothing_is_refused(workspace: Path) -> None:
    store = await Store.open(workspace / "descartes.db", projections=[])
    await store.append(NewEvent(category="error", name="no.such", stream="s", actor=ANN, data={"x": 1}))
    await store.close()


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match=r"'run\.phase' is registered twice"):
        schemas.register("error", {"run.phase": {"type": "object"}})


def test_data_may_be_described_by_a_json_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = dict(schemas._KINDS)
    monkeypatch.setattr(schemas, "_KINDS", kinds)
    shape = {"type": "object", "description": "A probe.", "required": ["n"]}
    schemas.register("system", {"probe.sent": shape})
    sent = NewEvent(category="system", name="probe.sent", stream="s", actor=ANN, data={"n": 1})
    schemas.check(sent)
    with pytest.raises(schemas.WrongEvent):
        schemas.check(msgspec.structs.replace(sent, data={}))
    assert {"if": {"properties": {"name": {"const": "probe.sent"}}}, "then": {
        "properties": {"category": {"const": "system"}, "data": shape}
    }} in schemas.document()["allOf"]  # fmt: skip


@pytest.mark.ledger("D-03")
async def test_a_written_file_is_an_action_with_its_digests(bench: Bench) -> None:
    await busy(bench)
    (written,) = await bench.events(type="file.written")
    assert written.category == "action"
    assert written.data == {
        "path": "a.lisp",
        "sha256Before": hashlib.sha256(b"(one)\n").hexdigest(),
        "sha256After": hashlib.sha256(b"(two)\n").hexdigest(),
    }
    parents = (await History(bench.store.reader).show(written.id)).parents
    assert [each.name for each in parents[:2]] == ["tool.started", "message"]


@pytest.mark.ledger("D-06")
async def test_a_transcript_is_rebuilt_byte_for_byte(bench: Bench) -> None:
    texts = ['Grüße 😀 — \u2028 "quoted" \\ back\t\r\n', "𝔘nicode\x1b[0m ", " ends with blanks  \n\n"]
    run = await bench.spawn(*({"text": text} for text in texts), task="  a task\nof two lines ")
    await bench.ended(run.id)
    messages = conversation.fold(await bench.events(run.id)).messages
    assert [(each.role, each.content.encode()) for each in messages] == [
        ("user", b"  a task\nof two lines "),
        *(("assistant", text.encode()) for text in texts),
    ]


@pytest.mark.ledger("D-08")
async def test_what_went_wrong_in_a_tool_hangs_below_its_call(bench: Bench) -> None:
    run = await busy(bench)
    errors = await bench.events(run.id, "error")
    assert [e.data["code"] for e in errors] == ["lease_held", "policy_denied", "invalid_params"]
    for error in errors:
        assert set(error.data) == {"code", "message", "recoverable"}
        parents = (await History(bench.store.reader).show(error.id)).parents
        assert [each.name for each in parents[:2]] == ["tool.failed", "tool.started"]


class Model:
    """Plans one call, whatever it is asked."""

    def generate(
        self, prompt: str, *, system: str | None = None, schema: Mapping[str, Any] | None = None
    ) -> str:
        return '[{"capability": "reverse", "params": {"key": "text"}}]'


@pytest.mark.ledger("D-07")
async def test_what_a_person_allows_and_what_a_planner_chooses_are_decisions(bench: Bench) -> None:
    run = await busy(bench)
    answered = [e for e in await bench.events(run.id, "decision") if e.name == "intervention.answered"]
    assert [(e.data["kind"], e.data["choice"], e.actor) for e in answered] == [
        ("approval", "accept", ANN),
        ("approval", "reject", ANN),
    ]
    asked = [(await History(bench.store.reader).show(e.id)).parents[0] for e in answered]
    assert [e.name for e in asked] == ["intervention.opened"] * 2

    session = Session(workspace=bench.workspace)
    planned = Planner(Model(), ["reverse"]).plan("Turn it round", session)
    session.close()
    (chosen,) = await bench.events(type="session.plan")
    assert (chosen.category, planned.success) == ("decision", True)
    assert chosen.data["content"]["request"] == "Turn it round"
    assert chosen.data["content"]["calls"] == [each.to_dict() for each in planned.calls]
