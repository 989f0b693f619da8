"""The hop to the hub: 1 kB there and back beside blocking ZeroMQ, and how soon a lease is seen elsewhere."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import tempfile
import time
import uuid
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgpack
import zmq

from benchmarks.table import Row, median, show
from descartes_core.leases import Leases
from descartes_core.model import Principal
from descartes_core.store import Store
from descartes_server import __version__
from descartes_server.hub import messages
from descartes_server.hub.client import HubClient
from descartes_server.hub.process import SocketOpener
from descartes_server.hub.wire import StreamWire
from descartes_server.operations.workspace import Workspace

ROUNDS, BLOCK = 30, 200
"""Blocks of round trips, ours and ZeroMQ's in turn, so that both meet the same machine."""
CHANGES = 200
GOAL_MS = 50.0
PAYLOAD = {"text": "x" * 1000}


def hello(name: str, *, notifications: bool = False) -> messages.ClientHello:
    return messages.ClientHello(
        version=__version__,
        protocol=messages.PROTOCOL,
        client_id=uuid.uuid4().hex,
        client_name=name,
        notifications=notifications,
    )


def zmq_server(address: str) -> None:
    """Answer each message of ADDRESS with its own content, until killed."""
    router = zmq.Context().socket(zmq.ROUTER)
    router.bind(address)
    while True:
        client, content = router.recv_multipart()
        router.send_multipart([client, msgpack.packb(msgpack.unpackb(content))])


def zmq_block(dealer: zmq.Socket[bytes]) -> list[float]:
    times = []
    for _ in range(BLOCK):
        began = time.perf_counter()
        dealer.send(msgpack.packb({"type": "ping", "payload": PAYLOAD}))
        msgpack.unpackb(dealer.recv())
        times.append((time.perf_counter() - began) * 1000)
    return times


class Pings:
    """A client that sends the next ping when the last was answered."""

    def __init__(self) -> None:
        self._answered: asyncio.Future[Any] | None = None

    async def open(self, workspace: Workspace) -> None:
        loop = asyncio.get_running_loop()
        self._answered = loop.create_future()
        _, self._wire = await loop.create_unix_connection(
            lambda: StreamWire(self._receive, lambda reason: None), str(workspace.socket)
        )
        self._wire.send(hello("benchmark"))
        await self._answered

    async def block(self) -> list[float]:
        loop, times = asyncio.get_running_loop(), []
        ping = messages.Ping(payload=PAYLOAD)
        for _ in range(BLOCK):
            self._answered = loop.create_future()
            began = time.perf_counter()
            self._wire.send(ping)
            await self._answered
            times.append((time.perf_counter() - began) * 1000)
        return times

    def close(self) -> None:
        self._wire.close()

    def _receive(self, value: Any) -> None:
        message = messages.from_hub(value)
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(message)


async def round_trips(workspace: Workspace, folder: Path) -> tuple[list[float], list[float]]:
    """Return milliseconds of our round trips and of ZeroMQ's."""
    address = f"ipc://{folder}/zmq"
    server = multiprocessing.get_context("spawn").Process(target=zmq_server, args=(address,), daemon=True)
    server.start()
    dealer = zmq.Context.instance().socket(zmq.DEALER)
    dealer.connect(address)
    pings = Pings()
    await pings.open(workspace)
    ours: list[float] = []
    theirs: list[float] = []
    await pings.block()
    zmq_block(dealer)
    for _ in range(ROUNDS):
        ours += await pings.block()
        theirs += zmq_block(dealer)
    pings.close()
    dealer.close(0)
    server.kill()
    server.join()
    return ours, theirs


def changer(root: str, through_hub: bool, go: Connection) -> None:
    """Take leases in a process of its own, one at each word of GO; sends back when each was begun."""
    asyncio.run(_change(Workspace(Path(root)), through_hub, go))


async def _change(workspace: Workspace, through_hub: bool, go: Connection) -> None:
    agent = Principal(kind="agent", id="a", name="a")
    client = HubClient(SocketOpener(workspace), lambda: hello("changer"))
    store = await Store.open(workspace.database)
    leases = Leases(store, workspace.root)
    await client.attach(start=True)
    go.send("ready")
    while (path := await asyncio.to_thread(go.recv)) is not None:
        go.send(time.monotonic())
        if through_hub:
            await client.call("lease.acquire", {"path": path, "holder": "agent:a"})
        else:
            await leases.acquire(path, agent)
    await client.close()
    await store.close()


async def visible(workspace: Workspace, *, through_hub: bool) -> list[float]:
    """Return milliseconds from a lease taken in another process until a client here is told of it."""
    here, there = multiprocessing.Pipe()
    arguments = (str(workspace.root), through_hub, there)
    process = multiprocessing.get_context("spawn").Process(target=changer, args=arguments)
    process.start()
    seen: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
    client = HubClient(SocketOpener(workspace), lambda: hello("watcher", notifications=True))
    client.on_notification(
        lambda method, params: (
            seen.put_nowait((params["lease"]["path"], time.monotonic()))
            if method == "descartes/lease/changed"
            else None
        )
    )
    await client.attach(start=True)
    await asyncio.to_thread(here.recv)
    times = []
    for number in range(CHANGES):
        path = f"{through_hub}/{number}.lisp"
        here.send(path)
        began = await asyncio.to_thread(here.recv)
        told, at = await seen.get()
        assert told == path
        times.append((at - began) * 1000)
    here.send(None)
    process.join()
    await client.close()
    return times


def percentile_95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]


async def measure(folder: Path) -> int:
    workspace = Workspace(folder / "workspace")
    workspace.root.mkdir()
    client = HubClient(SocketOpener(workspace), lambda: hello("benchmark"))
    await client.attach(start=True)
    ours, theirs = await round_trips(workspace, folder)
    through = await visible(workspace, through_hub=True)
    beside = await visible(workspace, through_hub=False)
    await client.call("hub.stop")
    await client.close()
    rows = [
        Row(
            "1 kB to the hub and back / blocking pyzmq ROUTER and DEALER",
            ours,
            theirs,
            "at least 0.9 × its rate",
            median(theirs) >= 0.9 * median(ours),
        ),
        _visible_row("a lease taken through the hub, seen by another client", through),
        _visible_row("a lease taken by another writer of the log, seen by a client", beside),
    ]
    return show("hub", "compared with", rows)


def _visible_row(what: str, times: list[float]) -> Row:
    goal = f"95th percentile under {GOAL_MS:.0f} ms: {percentile_95(times):.1f}"
    return Row(what, times, [GOAL_MS], goal, percentile_95(times) < GOAL_MS)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="dsc-") as name:
        folder = Path(name)
        (folder / "run").mkdir(mode=0o700)
        os.environ["DESCARTES_RUNTIME_DIR"] = str(folder / "run")
        os.environ["DESCARTES_HOME"] = str(folder / "home")
        return asyncio.run(measure(folder))


if __name__ == "__main__":
    raise SystemExit(main())
