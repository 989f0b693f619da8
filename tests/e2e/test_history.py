"""The history at the door of editors: searched, counted, described, exported, verified, followed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from descartes_core.model import NewEvent
from descartes_core.store import Store
from support.log import PERSON
from support.lsp_client import lsp
from support.until import until

NOTIFIES = {"experimental": {"descartes": {"notifications": True}}}


@pytest.mark.ledger("D-01")
async def test_every_event_that_an_editor_gets_fits_the_schema_that_it_gets(workspace: Path) -> None:
    async with lsp(workspace, capabilities=NOTIFIES) as client:
        validator = jsonschema.Draft202012Validator(await client.execute("history.schema", {}))
        for n in range(3):
            await client.execute("lease.acquire", {"path": f"{n}.lisp", "reason": "ask ann@example.org"})
        listed = (await client.execute("history.list", {"limit": 1000}))["events"]
        assert len(listed) >= 4
        for each in listed:
            validator.validate(each)
        exported = await client.execute("history.export", {"type": "lease"})
        assert [each["seq"] for each in exported["events"]] == sorted(
            each["seq"] for each in listed if each["name"].startswith("lease")
        )
        assert {each["data"]["reason"] for each in exported["events"]} == {"ask ‹email›"}
        seeds = (await client.execute("history.export", {"format": "seed", "limit": 2}))["events"]
        assert seeds[0]["event_type"] == "system" and isinstance(seeds[0]["timestamp"], int)
        counted = await client.execute("history.statistics", {})
        assert counted["events"] == len(listed) and counted["names"]["lease.acquired"] == 3
        shown = await client.execute("history.show", {"event": listed[0]["id"]})
        assert shown == {**listed[0], "parents": [], "children": []}
        offset = await client.execute("history.list", {"offset": 1, "limit": 2})
        assert offset["events"] == listed[1:3]


async def test_what_cannot_be_answered_is_said(workspace: Path) -> None:
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("history.list", {"limit": 0}, "invalid_params"),
        ("history.list", {"offset": -1}, "invalid_params"),
        ("history.list", {"since": "tomorrow"}, "not_found"),
        ("history.list", {"run": "ffffffff"}, "run_not_found"),
        ("history.list", {"order": "upwards"}, "invalid_params"),
        ("history.export", {"format": "xml"}, "invalid_params"),
        ("history.show", {"event": "ffffffff"}, "not_found"),
        ("history.show", {}, "invalid_params"),
        ("gc.plan", {"apply": True}, "invalid_params"),
    ]
    async with lsp(workspace) as client:
        for name, params, code in wrong:
            assert (await client.refused(name, params)).code == code, (name, params)


@pytest.mark.ledger("D-11")
async def test_an_editor_is_told_which_event_was_changed(workspace: Path) -> None:
    async with lsp(workspace) as client:
        for n in range(5):
            await client.execute("lease.acquire", {"path": f"{n}.lisp"})
        assert (await client.execute("history.verify", {}))["ok"]
        with closing(sqlite3.connect(workspace / ".descartes" / "descartes.db")) as connection:
            connection.execute("UPDATE event SET data = replace(data, '1.lisp', '9.lisp') WHERE seq = 3")
            connection.commit()
        found = await client.execute("history.verify", {})
        assert (found["ok"], found["wrong"], found["events"]) == (False, 3, 2)
        with closing(sqlite3.connect(workspace / ".descartes" / "descartes.db")) as connection:
            connection.execute("UPDATE event SET data = NULL, meta = NULL WHERE seq = 2")
            connection.commit()
        found = await client.execute("history.verify", {})
        assert (found["ok"], found["wrong"]) == (False, 2) and "gone" in found["reason"]


async def test_events_arrive_from_any_number_on_without_a_gap(workspace: Path) -> None:
    async with lsp(workspace, capabilities=NOTIFIES) as client:
        for n in range(30):
            await client.execute("lease.acquire", {"path": f"{n}.lisp"})
        await client.execute("history.subscribe", {"since": 5})
        for n in range(30, 60):
            await client.execute("lease.acquire", {"path": f"{n}.lisp"})
        last = (await client.execute("history.list", {"limit": 1}))["events"][0]["seq"]
        await client.notification("descartes/event", lambda event: event["seq"] == last)
        seen = [m["params"]["seq"] for m in client.messages if m.get("method") == "descartes/event"]
        assert seen == list(range(6, last + 1))


def resident_kb(pid: int) -> int:
    """Return the memory that the process PID has, in KB."""
    (line,) = [each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in each]
    return int(line.split()[1])


class StandsStill:
    """Whether the process PID has done nothing for a while, asked again and again."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ticks = ""
        self._looks = 0

    def __call__(self) -> bool:
        stat = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        ticks = f"{stat[11]} {stat[12]}"
        self._looks = self._looks + 1 if ticks == self._ticks else 0
        self._ticks = ticks
        return self._looks > 60


@pytest.mark.slow
async def test_an_editor_that_does_not_read_costs_nothing_and_misses_nothing(workspace: Path) -> None:
    big, count = "x" * 20_000, 1500
    store = await Store.open(workspace / ".descartes" / "descartes.db")
    data = {"code": "x", "message": big, "recoverable": True}
    one = NewEvent(category="error", name="error", stream="s", actor=PERSON, data=data)
    await store.append(*[one] * count)
    await store.close()
    async with lsp(workspace, tcp=True, capabilities=NOTIFIES) as client:
        await client.execute("lease.acquire", {"path": "a.lisp"})
        before_kb = resident_kb(client.process.pid)
        client._writer.transport.pause_reading()
        asked = client.send_request(
            "workspace/executeCommand",
            {"command": "descartes.history.subscribe", "arguments": [{"since": 0, "types": ["error"]}]},
        )
        await client._writer.drain()
        await until(StandsStill(client.process.pid), "the server stands still")
        # All of it would be 30 MB, twice; what the hub may send ahead is a sixth of that.
        assert resident_kb(client.process.pid) - before_kb < 20_000
        client._writer.transport.resume_reading()
        await client.answer(asked)
        await client.notification("descartes/event", lambda event: event["seq"] == count)
        seen = [m["params"]["seq"] for m in client.messages if m.get("method") == "descartes/event"]
        assert seen == list(range(1, count + 1))
