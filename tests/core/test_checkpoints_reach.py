"""Places of states that cannot be reached, come back, or are other packages'."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from descartes_core.checkpoints import (
    open_checkpointer,
)
from descartes_core.checkpoints.opening import GROUP, schemes
from descartes_core.checkpoints.postgres import PostgresCheckpointer
from descartes_core.checkpoints.redis import RedisCheckpointer
from descartes_core.errors import InvalidParams, StoreUnavailable, Unsupported
from support.checkpoint_places import STATE, in_postgres

ROOT = Path(__file__).resolve().parents[2]


async def test_places_that_cannot_be_reached(workspace: Path) -> None:
    (workspace / "text").write_text("no database " * 1000)
    nobody = workspace / "no.sock"
    for url in (
        f"sqlite://{workspace}/no/such/folder/x.db",
        f"sqlite://{workspace}/text",
        f"postgresql:///x?host={workspace}",
    ):
        with pytest.raises(StoreUnavailable) as refused:
            await open_checkpointer(url)
        assert "\n" not in refused.value.message
    with pytest.raises(StoreUnavailable):
        await RedisCheckpointer.open(f"redis+unix://{nobody}")
    for url in ("sqlite:relative.db", "sqlite://host", "dynamodb://table:secret@x", "", "redis://x?ttl=soon"):
        with pytest.raises(InvalidParams) as unknown:
            await (RedisCheckpointer.open(url) if url.startswith("redis") else open_checkpointer(url))
        assert "secret" not in unknown.value.message


async def test_a_server_that_comes_back_is_used_again(
    postgres: str, workspace: Path, request: pytest.FixtureRequest
) -> None:
    place = await in_postgres(workspace, request)
    async with await place.open() as kept:
        await kept.save_state("t", STATE)
        async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as other:
            await other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND backend_type = 'client backend'"
            )
        with pytest.raises(StoreUnavailable):
            await kept.save_state("t", STATE)
        assert await kept.save_state("t", STATE) == 2


async def until_answered(call: Callable[[], Awaitable[Any]]) -> Any:
    """Return what CALL of an impatient checkpointer returns once the server was quick enough for it."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(StoreUnavailable):
                return await call()


async def test_a_server_that_does_not_answer_is_not_waited_for(
    workspace: Path, request: pytest.FixtureRequest
) -> None:
    place = await in_postgres(workspace, request)
    async with (
        await place.open() as patient,
        PostgresCheckpointer(place.url, seconds=0.5) as kept,
        await psycopg.AsyncConnection.connect(place.url) as other,
        asyncio.timeout(120),
    ):
        await patient.save_state("t", STATE)
        # Somebody holds the table: the server gives up.
        await other.execute("LOCK TABLE descartes_checkpoint")
        with pytest.raises(StoreUnavailable):
            await kept.save_state("t", STATE)
        await other.rollback()
        assert await until_answered(lambda: kept.load_state("t")) == STATE
        # The server itself stands still on the connection that is open; the next one is a new one.
        found = await other.execute(
            "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        stopped = [row[0] for row in await found.fetchall()]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(StoreUnavailable):
                await kept.load_state("t")
            assert await until_answered(lambda: kept.load_state("t")) == STATE
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        assert await patient.save_state("t", STATE) == 2


@pytest.mark.slow
async def test_a_server_that_takes_connections_and_says_nothing(workspace: Path) -> None:
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with asyncio.timeout(60):
        with pytest.raises(StoreUnavailable):
            await PostgresCheckpointer(f"postgresql://x@127.0.0.1:{port}/x", seconds=1).load_state("t")
    silent.close()


async def test_threads_in_redis_end_when_they_are_told_to(redis: str) -> None:
    async with await RedisCheckpointer.open(f"{redis}?namespace=short&ttl=1") as kept:
        await kept.save_state("t", STATE)
        async with asyncio.timeout(15):
            while await kept.list_threads():  # noqa: ASYNC110 (each look is an answer of the server)
                await asyncio.sleep(0)
        assert await kept.load_state("t") is None


def install(folder: Path, name: str, points: dict[str, str]) -> None:
    """Install a package NAME into FOLDER that has nothing but entry points."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{scheme} = {value}" for scheme, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]) + "\n")


@pytest.mark.ledger("A-08")
async def test_other_packages_add_places(
    redis: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][GROUP]
    assert declared["redis"] == "descartes_core.checkpoints.redis:RedisCheckpointer"
    install(workspace / "a", "descartes-as-declared", {f"{name}x": value for name, value in declared.items()})
    install(
        workspace / "b", "third-party", {"attic": "attic:Attic", "wrong": "attic:other", "lacking": "lacks:X"}
    )
    (workspace / "b" / "attic.py").write_text(
        "from descartes_core.checkpoints.memory import MemoryCheckpointer\n"
        "class Attic(MemoryCheckpointer):\n    pass\n"
        "other = 1\n"
    )
    (workspace / "b" / "lacks.py").write_text("import no_such_library\n")
    for folder in ("a", "b"):
        monkeypatch.syspath_prepend(str(workspace / folder))
    assert {"attic", "redisx", "sqlite", "memory", "postgresql"} <= set(schemes())
    assert "attic" not in sys.modules
    async with await open_checkpointer("attic:anything") as kept:
        assert type(kept).__name__ == "Attic"
        assert await kept.save_state("t", STATE) == 1
    with pytest.raises(Unsupported, match="Expected a Checkpointer"):
        await open_checkpointer("wrong:")
    with pytest.raises(Unsupported, match="no_such_library"):
        await open_checkpointer("lacking:")


@pytest.mark.parametrize(("library", "extra"), [("redis", "redis"), ("psycopg", "postgres")])
def test_a_library_that_is_not_installed_is_named(library: str, extra: str, workspace: Path) -> None:
    install(workspace, "declared", {"redis": "descartes_core.checkpoints.redis:RedisCheckpointer"})
    (workspace / "unused").mkdir()
    program = (
        "import asyncio, sys\n"
        f"sys.path.insert(0, {str(workspace)!r})\n"
        f"sys.modules[{library!r}] = None\n"
        "from descartes_core.checkpoints import open_checkpointer\n"
        "from descartes_core.errors import Unsupported\n"
        f"url = {'redis://127.0.0.1:1' if library == 'redis' else 'postgresql:///x'!r}\n"
        "try: asyncio.run(open_checkpointer(url))\n"
        "except Unsupported as error: print(error.message)\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert f"pip install 'descartes-lsp[{extra}]'" in told.stdout
