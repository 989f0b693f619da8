"""Twenty processes want one lease: exactly one has it, whenever one looks."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from descartes_core.leases.paths import Paths, overlap
from descartes_core.model import Event, Lease
from descartes_core.store import EventQuery, Reader, verify

ROUNDS = 8
PROCESSES = 20

CONTENDER = """
import asyncio, sys
from pathlib import Path
from descartes_core.errors import LeaseHeld
from descartes_core.leases import Leases
from descartes_core.model import Principal
from descartes_core.store import Store
async def main(workspace, name):
    store = await Store.open(Path(workspace) / ".descartes" / "descartes.db")
    leases = Leases(store, Path(workspace))
    me = Principal(kind="agent", id=name, name=name)
    print("ready", flush=True)
    while path := (await asyncio.to_thread(sys.stdin.readline)).strip():
        try:
            print("won", (await leases.acquire(path, me)).token, flush=True)
        except LeaseHeld as held:
            print("lost", held.data["lease"]["holder"]["name"], flush=True)
    await leases.close()
    await store.close()
asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.ledger("D-51")
async def test_of_twenty_processes_exactly_one_wins_each_round(workspace: Path) -> None:
    pipe = asyncio.subprocess.PIPE
    contenders = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", CONTENDER, str(workspace), f"c{n}", stdin=pipe, stdout=pipe
        )
        for n in range(PROCESSES)
    ]
    try:
        await asyncio.gather(*(says(each) for each in contenders))
        winners = [await play(contenders, f"file {n}") for n in range(ROUNDS)]
    finally:
        for each in contenders:
            assert each.stdin is not None
            each.stdin.close()
        await asyncio.gather(*(each.wait() for each in contenders))
    # The log says the same: one grant for each file, to the one that the losers were told of.
    reader = await Reader.open(workspace / ".descartes" / "descartes.db")
    events = (await reader.events(EventQuery(order="asc", limit=1000))).events
    await reader.close()
    grants = [(e.data["path"], e.data["holder"]["name"]) for e in events if e.name == "lease.acquired"]
    assert grants == [(f"file {n}", winner) for n, winner in enumerate(winners)]
    assert [each.name for each in events] == ["lease.acquired"] * ROUNDS
    assert (await verify(workspace / ".descartes" / "descartes.db")).ok


async def says(process: asyncio.subprocess.Process) -> list[str]:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().split()


async def play(contenders: list[asyncio.subprocess.Process], path: str) -> str:
    """Let all CONTENDERS ask for PATH at once and return the name of the one that got it."""
    for each in contenders:
        assert each.stdin is not None
        each.stdin.write(f"{path}\n".encode())
    answers = await asyncio.gather(*(says(each) for each in contenders))
    assert [answer[0] for answer in answers].count("won") == 1
    winner = next(f"c{n}" for n, answer in enumerate(answers) if answer[0] == "won")
    assert {answer[1] for answer in answers if answer[0] == "lost"} == {winner}
    return winner


HAMMER = """
import asyncio, os, sys
from pathlib import Path
from descartes_core.leases import Leases
from descartes_core.model import Principal
from descartes_core.store import Store
async def main(workspace, name):
    store = await Store.open(Path(workspace) / ".descartes" / "descartes.db")
    leases = Leases(store, Path(workspace))
    me = Principal(kind="agent", id=name, name=name)
    file = Path(workspace) / "shared"
    for _ in range(5):
        lease = await leases.acquire("shared", me, wait_ms=50000)
        # What the lease protects: an exclusive file that two holders could not both create.
        handle = os.open(file, os.O_CREAT | os.O_EXCL)
        await leases.check("shared", me, lease.token)
        os.close(handle)
        os.unlink(file)
        await leases.release("shared", me, token=lease.token)
    await leases.close()
    await store.close()
asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.ledger("D-51")
async def test_processes_that_take_turns_never_meet_and_none_starves(workspace: Path) -> None:
    hammers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", HAMMER, str(workspace), f"h{n}")
        for n in range(6)
    ]
    assert await asyncio.gather(*(each.wait() for each in hammers)) == [0] * 6
    reader = await Reader.open(workspace / ".descartes" / "descartes.db")
    events = (await reader.events(EventQuery(order="asc", limit=1000))).events
    await reader.close()
    grants = [each for each in events if each.name == "lease.acquired"]
    assert [each.name for each in events] == ["lease.acquired", "lease.released"] * 30
    assert [each.data["token"] for each in grants] == list(range(1, 31))
    assert [e.data["holder"]["name"] for e in events[::2]] == [e.data["holder"]["name"] for e in events[1::2]]


MINUTE = """
import asyncio, os, sys, time
from pathlib import Path
from descartes_core.errors import LeaseHeld
from descartes_core.leases import Leases
from descartes_core.model import Principal
from descartes_core.store import Store
async def main(workspace, name, path, mode, seconds):
    root = Path(workspace)
    store = await Store.open(root / ".descartes" / "descartes.db")
    leases = Leases(store, root)
    me = Principal(kind="agent", id=name, name=name)
    alone = root / "alone"
    ends, n = time.monotonic() + float(seconds), 0
    while time.monotonic() < ends:
        try:
            lease = await leases.acquire(path, me, mode=mode, wait_ms=20000)
        except LeaseHeld:
            continue
        if mode == "exclusive" and "#" not in path:
            # What the lease protects: a file that two holders could not both make.
            os.close(os.open(alone, os.O_CREAT | os.O_EXCL))
            await leases.check(path, me, lease.token)
            os.unlink(alone)
        await leases.release(path, me, token=lease.token)
        n += 1
    print(n)
    await leases.close()
    await store.close()
asyncio.run(main(*sys.argv[1:]))
"""

WANTED = [("f.lisp", "exclusive")] * 12 + [
    ("*.lisp", "exclusive"),
    ("*.lisp", "exclusive"),
    ("f.lisp#area", "exclusive"),
    ("f.lisp#area", "exclusive"),
    ("f.lisp#perimeter", "exclusive"),
    ("f.lisp#perimeter", "exclusive"),
    ("f.lisp", "shared"),
    ("*.lisp", "shared"),
]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.ledger("D-51")
async def test_twenty_processes_contend_for_a_minute_and_none_holds_what_another_holds(
    workspace: Path,
) -> None:
    assert len(WANTED) == PROCESSES
    contenders = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", MINUTE, str(workspace), f"c{n}", path, mode, "60"),
            stdout=asyncio.subprocess.PIPE,
        )
        for n, (path, mode) in enumerate(WANTED)
    ]
    printed = [(await each.communicate())[0] for each in contenders]
    assert [each.returncode for each in contenders] == [0] * PROCESSES
    held = [int(out) for out in printed]
    assert min(held) > 0, held  # nobody starved
    reader = await Reader.open(workspace / ".descartes" / "descartes.db")
    events = (await reader.events(EventQuery(order="asc", limit=1_000_000))).events
    await reader.close()
    assert never_together(events, Paths(workspace)) == sum(held)
    assert (await verify(workspace / ".descartes" / "descartes.db")).ok


def never_together(events: Sequence[Event], paths: Paths) -> int:
    """Return how many leases EVENTS give; at no instant may two stand that exclude one another."""
    held: dict[tuple[str, str], Lease] = {}
    given, last_token = 0, 0
    for event in events:
        lease = msgspec.convert(event.data, Lease)
        key = lease.path, lease.holder.id
        if event.name == "lease.acquired":
            for other in held.values():
                exclusive = "exclusive" in (lease.mode, other.mode)
                clash = exclusive and overlap(paths.of(lease.path), paths.of(other.path))
                assert not clash, (event.seq, lease, other)
            if "#" not in lease.path and lease.mode == "exclusive":
                # Everything here overlaps these, so that theirs is above every token before.
                assert lease.token > last_token
            held[key], last_token, given = lease, max(last_token, lease.token), given + 1
        elif event.name == "lease.released":
            assert held.pop(key).token == lease.token
    assert not held
    return given
