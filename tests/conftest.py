"""Isolation of every test: its own home and runtime folder, one cache of saved Lisp cores for all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# A busy machine may hold up any example for seconds, and that is no failure.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
# What continuous integration says of a change must not depend on chance.
hypothesis.settings.register_profile(
    "ci", parent=hypothesis.settings.get_profile("any machine"), derandomize=True
)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "any machine")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def isolated_environment(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Give the test a home and a runtime folder of its own; yields the folder that holds both.

    The folder lies directly under the system's temporary folder because socket paths are limited to
    about 100 bytes.
    """
    folder = Path(tempfile.mkdtemp(prefix="dsc-"))
    folder.chmod(0o700)
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("DESCARTES_HOME", str(folder / "home"))
    monkeypatch.setenv("DESCARTES_RUNTIME_DIR", str(runtime))
    cores = os.environ.get("DESCARTES_TEST_CACHE", str(REPOSITORY / ".cache" / "cores"))
    monkeypatch.setenv("DESCARTES_CACHE", cores)
    monkeypatch.delenv("DESCARTES_RUN", raising=False)
    if request.node.get_closest_marker("invented_events") is None:
        # Nothing is appended in a test, by whatever process, that the published schema does not describe.
        monkeypatch.setenv("DESCARTES_CHECK_EVENTS", "descartes_server.operations.events")
    monkeypatch.delenv("DESCARTES_RUN_TOKEN", raising=False)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def workspace(isolated_environment: Path) -> Path:
    """Return an empty workspace folder."""
    folder = isolated_environment / "workspace"
    folder.mkdir()
    return folder
