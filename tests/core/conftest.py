"""What tests of the core share beside the isolation of every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.ollama import FakeOllama


@pytest.fixture
def ollama() -> Iterator[FakeOllama]:
    """Return a server that speaks Ollama's protocol."""
    server = FakeOllama()
    yield server
    server.close()
