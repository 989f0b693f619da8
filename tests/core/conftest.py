"""What tests of the core share beside the isolation of every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from descartes_core.vault.boxes import Master, Opener
from descartes_core.vault.vault import Vault
from support import servers
from support.ollama import FakeOllama
from support.vaults import PASSWORD, QUICK, Steady


@pytest.fixture
def ollama() -> Iterator[FakeOllama]:
    """Return a server that speaks Ollama's protocol."""
    server = FakeOllama()
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Return the URL of a PostgreSQL that runs for as long as the tests do."""
    with servers.postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def redis() -> Iterator[str]:
    """Return the URL of a Redis that runs for as long as the tests do."""
    with servers.redis_server() as url:
        yield url


@pytest.fixture
def clock() -> Steady:
    return Steady()


@pytest.fixture
def vault(isolated_environment: Path, clock: Steady) -> Vault:
    return Vault(isolated_environment / "home" / "vault.db", clock, QUICK)


@pytest.fixture
def master(vault: Vault) -> Master:
    return vault.create(Opener(PASSWORD), owner="ann")
