"""The hub as a process: one for a workspace, replaced when it dies, gone when it should be."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from descartes_core.errors import HubLost, WorkspaceInUse
from descartes_core.processes.identity import is_alive
from descartes_server.hub import messages, record
from descartes_server.hub.client import HubClient
from descartes_server.hub.main import running_hub
from descartes_server.hub.process import start_hub
from descartes_server.operations.workspace import Workspace
from support.hubs import Heard
from support.until import until

Attach = Callable[..., HubClient]
Descartes = Callable[..., Awaitable[Any]]


def kill(here: Workspace) -> record.HubRecord:
    """Kill the hub as a crash would; returns its record."""
    found = record.read(here)
    assert found is not None
    os.kill(found.pid, signal.SIGKILL)
    return found


async def test_two_that_start_a_hub_at_once_share_one(here: Workspace, client: Attach) -> None:
    clients = [client(f"editor {number}") for number in range(4)]
    answers = await asyncio.gather(*(each.call("hub.status") for each in clients))
    assert len({answer["pid"] for answer in answers}) == 1
    # Others on this machine have hubs too.
    own = [found.pid for found in record.read_all() if Path(found.workspace) == here.root]
    assert own == [answers[0]["pid"]]


async def test_what_only_reads_starts_no_hub(here: Workspace, descartes: Descartes) -> None:
    for words in (
        ["lease", "list"],
        ["history"],
        ["intervention", "list"],
        ["hub", "status"],
        ["hub", "stop"],
    ):
        assert (await descartes(*words)).status == 0
    assert record.read(here) is None
    assert not here.state.exists()


async def test_a_hub_that_is_killed_fails_what_waits_and_keeps_what_it_answered(
    here: Workspace, client: Attach
) -> None:
    ann, bob = client("Emacs", user="ann"), client("VS Code", user="bob")
    lease = await ann.call("lease.acquire", {"path": "a.lisp"})
    await bob.attach()
    waiting = asyncio.ensure_future(bob.call("lease.acquire", {"path": "a.lisp", "waitMs": 60_000}))
    heard = Heard(ann)
    await ann.call("lease.acquire", {"path": "b.lisp"})
    await heard.until("descartes/lease/changed", lambda params: params["lease"]["path"] == "b.lisp")

    killed = kill(here)
    async with asyncio.timeout(60):
        with pytest.raises(HubLost):
            await waiting

    found = await bob.call("lease.list")
    assert [each["path"] for each in found["leases"]] == ["a.lisp", "b.lisp"]
    assert found["leases"][0]["token"] == lease["token"]
    replaced = record.read(here)
    assert replaced is not None and replaced.pid != killed.pid
    assert (await ann.call("history.verify"))["ok"]


async def test_an_attached_client_replaces_a_hub_that_dies(
    here: Workspace, client: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("descartes_server.hub.client.LIVED_S", 0.0)
    editor = client()
    await editor.attach(start=True)
    editor.stay()
    attached = asyncio.Event()
    editor.on_attached(attached.set)
    killed = kill(here)
    async with asyncio.timeout(60):
        await attached.wait()
    assert editor.hub is not None and editor.hub.pid != killed.pid


async def test_a_hub_that_was_told_to_stop_stays_away_until_it_is_needed(
    here: Workspace, client: Attach, descartes: Descartes
) -> None:
    editor = client()
    await editor.attach(start=True)
    editor.stay()
    lost = asyncio.Event()
    editor.on_lost(lambda _: lost.set())
    assert (await descartes("hub", "stop")).status == 0
    async with asyncio.timeout(60):
        await lost.wait()
    assert record.read(here) is None

    attached = asyncio.Event()
    editor.on_attached(attached.set)
    assert (await descartes("lease", "acquire", "a.lisp")).status == 0
    async with asyncio.timeout(60):
        await attached.wait()


async def test_garbage_on_the_socket_ends_only_that_connection(here: Workspace, client: Attach) -> None:
    good = client()
    status = await good.call("hub.status")
    for garbage in (
        b"\xc1" * 100,
        b"GET / HTTP/1.1\r\n\r\n",
        messages.encode(messages.Ping()),
        b"\xdf\xff\xff\xff\xff",
        os.urandom(4096),
        b"\x91" * 100_000,
        messages.encode(good._hello) + b"\x81\xa4type\xa7unknown",
    ):
        reader, writer = await asyncio.open_unix_connection(str(here.socket))
        writer.write(garbage)
        writer.write_eof()
        async with asyncio.timeout(60):
            await reader.read()
        writer.close()
    assert (await good.call("hub.status"))["pid"] == status["pid"]


async def test_a_hub_whose_workspace_is_gone_ends(here: Workspace, client: Attach) -> None:
    await client().call("hub.status")
    found = record.read(here)
    assert found is not None
    # At once: a folder into which the hub writes meanwhile cannot be emptied file by file.
    shutil.rmtree(here.root.rename(here.root.with_name("gone")))
    await until(lambda: not is_alive(found.identity), "the hub ends", seconds=60)
    assert not here.root.exists()


async def test_a_hub_whose_socket_vanished_listens_again(here: Workspace, client: Attach) -> None:
    await client().call("hub.status")
    found = record.read(here)
    here.socket.unlink()
    await until(here.socket.exists, "the socket is there again")
    assert found is not None and (await client().call("hub.status"))["pid"] == found.pid


async def test_a_hub_that_nobody_needs_ends(here: Workspace, client: Attach, descartes: Descartes) -> None:
    assert (await descartes("lease", "acquire", "a.lisp")).status == 0
    found = record.read(here)
    assert found is not None
    (here.root / "descartes.toml").write_text("[hub]\nidleMinutes = 0.005\n")
    await until(lambda: not is_alive(found.identity), "the hub ends")
    assert record.read(here) is None and not here.socket.exists()
    out = (await descartes("history", "list", "--type", "hub")).out
    assert "hub.stopped" in out


async def test_a_stale_socket_and_record_are_in_nobodys_way(here: Workspace, client: Attach) -> None:
    await client().call("lease.acquire", {"path": "a.lisp"})
    killed = kill(here)
    await until(lambda: not is_alive(killed.identity), "the hub is dead")
    assert here.socket.exists()
    assert (await client().call("hub.status"))["pid"] != killed.pid


async def test_a_hub_that_is_out_of_reach_is_named(here: Workspace, client: Attach) -> None:
    async with running_hub(here, embedded=True):
        with pytest.raises(WorkspaceInUse) as raised:
            await client().call("lease.acquire", {"path": "a.lisp"})
    assert raised.value.data["owner"]["pid"] == os.getpid()
    assert "in use" in raised.value.message and str(os.getpid()) in raised.value.message


async def test_the_lock_outlives_a_second_starter(here: Workspace, client: Attach) -> None:
    await client().call("hub.status")
    answer = await start_hub(here)
    found = record.read(here)
    assert found is not None and answer["held"]["pid"] == found.pid
    assert (here.lock.stat().st_mode & 0o777, here.socket.stat().st_mode & 0o777) == (0o600, 0o600)


async def test_a_newer_client_replaces_an_idle_hub_and_waits_for_a_busy_one(
    here: Workspace, client: Attach
) -> None:
    old = client(version="0.0.1")
    before = await old.call("hub.status")
    newer = client(version="99.0")
    after = await newer.call("hub.status")
    assert after["pid"] != before["pid"]
    assert newer.notice is None


async def test_a_client_of_another_protocol_is_told_what_to_do(here: Workspace, client: Attach) -> None:
    await client().call("hub.status")
    with pytest.raises(HubLost, match="restart the older of the two"):
        await client(protocol=messages.PROTOCOL + 1).call("hub.status")


async def test_a_hub_that_hangs_is_noticed(
    here: Workspace, client: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("descartes_server.hub.client.PING_S", 0.05)
    ann, bob = client(user="ann"), client(user="bob")
    await ann.call("lease.acquire", {"path": "a.lisp"})
    await bob.attach()
    waiting = asyncio.ensure_future(bob.call("lease.acquire", {"path": "a.lisp", "waitMs": 60_000}))
    await bob.call("hub.status")
    found = record.read(here)
    assert found is not None
    os.kill(found.pid, signal.SIGSTOP)
    # Only now: a hub that is merely slow must not count as one that hangs.
    monkeypatch.setattr("descartes_server.hub.client.SILENT_S", 0.5)
    try:
        async with asyncio.timeout(60):
            with pytest.raises(HubLost):
                await waiting
    finally:
        os.kill(found.pid, signal.SIGCONT)


async def test_hub_stop_ends_a_hub_that_hangs(here: Workspace, client: Attach, descartes: Descartes) -> None:
    await client().call("hub.status")
    found = record.read(here)
    assert found is not None
    os.kill(found.pid, signal.SIGSTOP)
    try:
        outcome = await descartes("hub", "stop", "--force")
    finally:
        if is_alive(found.identity):
            os.kill(found.pid, signal.SIGCONT)
    assert outcome.status == 0, outcome.err
    assert record.read(here) is None


async def test_a_tracked_state_folder_is_refused(
    here: Workspace, client: Attach, descartes: Descartes
) -> None:
    async def git(*words: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *("git", "-c", "user.name=t", "-c", "user.email=t@t", *words), cwd=here.root
        )
        assert await process.wait() == 0

    (here.root / ".descartes").mkdir()
    (here.root / ".descartes" / "descartes.db").write_bytes(b"")
    await git("init", "-q")
    await git("add", "-f", ".descartes")
    for words in (["lease", "acquire", "a.lisp"], ["lease", "list"]):
        outcome = await descartes(*words)
        assert outcome.status == 1
        assert "tracked by git" in outcome.err


async def test_a_folder_that_cannot_be_written_keeps_its_state_at_home(
    here: Workspace, client: Attach, isolated_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("descartes_core.places._file_system", lambda path: "nfs4")
    elsewhere = Workspace(here.root)
    assert elsewhere.state == isolated_environment / "home" / "workspaces" / elsewhere.digits
    elsewhere.prepare()
    assert (elsewhere.state / ".gitignore").read_text() == "*\n"
    assert not (here.root / ".descartes").exists()


def test_the_owner_is_written_into_the_lock(here: Workspace) -> None:
    here.prepare()
    lock = record.Lock.take(here)
    assert isinstance(lock, record.Lock)
    owner = msgspec.json.decode(here.lock.read_bytes())
    assert owner["pid"] == os.getpid() and owner["host"] and owner["boot"] and owner["user"]
    lock.release()
