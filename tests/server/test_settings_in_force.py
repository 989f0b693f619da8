"""Settings that are changed while the hub runs, in a file or by an editor, count from then on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import pytest

from descartes_core.store import EventQuery
from descartes_server.hub import messages
from descartes_server.hub.client import HubClient
from descartes_server.hub.embedded import EmbeddedOpener
from descartes_server.hub.main import running_hub
from descartes_server.hub.service import Hub
from descartes_server.operations import settings
from descartes_server.operations.workspace import Workspace
from support.until import until

PASSWORD = "correct horse battery"
Editor = Callable[..., HubClient]


@pytest.fixture
async def hub(here: Workspace) -> AsyncIterator[Hub]:
    async with running_hub(here, embedded=True) as hub:
        yield hub


@pytest.fixture
async def editor(hub: Hub) -> AsyncIterator[Editor]:
    """Return a function that attaches an editor with settings of its own."""
    made: list[HubClient] = []

    def make(name: str, **given: Any) -> HubClient:
        hello = messages.ClientHello(
            version="0.1.0",
            protocol=messages.PROTOCOL,
            client_id=name,
            presence=True,
            trusted=True,
            settings=given,
        )
        made.append(HubClient(EmbeddedOpener(hub), lambda: hello))
        return made[-1]

    yield make
    for each in made:
        await each.close()


def seconds(lease: dict[str, Any]) -> float:
    begins, ends = (datetime.fromisoformat(lease[key]) for key in ("acquiredAt", "expiresAt"))
    return (ends - begins).total_seconds()


async def leased(hub: Hub, path: str) -> dict[str, Any]:
    """Return the lease that was given on PATH, waiting for it."""
    changed = asyncio.Event()
    forget = hub.services.store.on_events(lambda events: changed.set())
    async with asyncio.timeout(60):
        while True:
            changed.clear()
            page = await hub.services.reader.events(EventQuery(type="lease.acquired", limit=1000))
            if found := [each.data for each in page.events if each.data["path"] == path]:
                forget()
                return found[0]
            await changed.wait()


async def test_leases_of_runs_and_of_unsaved_text_last_as_long_as_the_settings_say(
    hub: Hub, editor: Editor, here: Workspace
) -> None:
    ann, root = editor("ann"), here.root
    for number, text in enumerate(("[leases]\nttlSeconds = 9\n", "[leases]\nttlSeconds = 31\n")):
        (root / "descartes.toml").write_text(text)
        typed, given = f"typed{number}", f"given{number}"
        ann.set_unsaved([str(root / typed)])
        command = {"task": "end", "command": ["true"], "files": [given]}
        await hub.services.runs.wait((await ann.call("run.spawn", command))["id"])
        for path in (typed, given):
            assert seconds(await leased(hub, path)) == (9, 31)[number]


async def test_what_is_too_large_to_be_kept_is_as_the_file_says_now(
    hub: Hub, editor: Editor, here: Workspace
) -> None:
    ann = editor("ann")
    left: list[int] = []
    for text in ("[restore]\nlargestMegabytes = 1\n", "[restore]\nlargestMegabytes = 3\n"):
        (here.root / "descartes.toml").write_text(text)
        command = ["sh", "-c", f"head -c 2000000 /dev/zero > big{len(left)}"]
        run = await ann.call("run.spawn", {"task": "write", "command": command})
        await hub.services.runs.wait(run["id"])
        kept = await hub.services.reader.events(EventQuery(run=run["id"], type="body.snapshot", limit=1))
        left.append(kept.events[0].data["left"])
    assert left == [1, 0]


async def test_two_editors_settings_of_one_group_both_count_and_the_vault_hears_them(
    hub: Hub, editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = editor("ann", performance={"streamBufferSize": 4096}, secrets={"lockMinutes": 7})
    bob = editor("bob", performance={"maxConcurrentAgents": 3}, leases={"ttlSeconds": 20})
    for each in (ann, bob):
        await each.call("hub.status")
    found = hub.settings()
    assert (found.performance.stream_buffer_size, found.performance.max_concurrent_agents) == (4096, 3)
    assert (found.secrets.lock_minutes, found.leases.ttl_seconds) == (7, 20)
    monkeypatch.setenv("LOGNAME", "ann")
    await ann.call("secret.set", {"name": "A", "value": "some value", "password": PASSWORD})
    locks = datetime.fromisoformat(hub.services.secrets.locks_at or "").timestamp()
    now = hub.services.clock.now_ms() / 1000
    assert 0 < locks - now <= 7 * 60
    bob.set_settings({"performance": {"maxConcurrentAgents": 2}})
    await bob.call("hub.status")
    assert hub.settings().performance.max_concurrent_agents == 2
    assert hub.settings().performance.stream_buffer_size == 4096


async def test_the_files_are_read_when_they_changed_and_not_each_time(
    here: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = here.root / "descartes.toml"

    def load() -> settings.Loaded:
        return settings.load(here.root, trusted=True)

    file.write_text("[leases]\nttlSeconds = 10\n")
    await until(lambda: load() is load(), "it is kept")
    kept = load()
    assert settings.load(here.root, trusted=False) is not kept
    for number in range(11, 99):
        file.write_text(f"[leases]\nttlSeconds = {number}\n")
        assert load().settings.leases.ttl_seconds == number
    file.unlink()
    assert load().settings.leases.ttl_seconds == 300
    monkeypatch.setenv("A_MODEL", "one")
    file.write_text('[providers.a]\nmodel = "${env.A_MODEL}"\n')
    await until(lambda: load() is load(), "it is kept")
    assert load().settings.providers["a"].model == "one"
    os.environ["A_MODEL"] = "two"
    assert load().settings.providers["a"].model == "two"


def test_groups_are_merged_setting_by_setting() -> None:
    under = {"a": {"x": 1, "y": {"z": 1}}, "b": 1}
    assert settings.merged(under, {"a": {"y": {"w": 2}, "x": 3}, "b": {"c": 1}, "d": 4}) == {
        "a": {"x": 3, "y": {"z": 1, "w": 2}},
        "b": {"c": 1},
        "d": 4,
    }
    assert under == {"a": {"x": 1, "y": {"z": 1}}, "b": 1}
