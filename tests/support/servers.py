"""Real servers of PostgreSQL and Redis in a temporary folder, on Unix sockets only."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECONDS = 60


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start PostgreSQL; gives the URL of its database. Fails when it is not installed."""
    # The server refuses to run as root, and so does what makes its folder.
    account: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []}
    as_whom = account if os.getuid() == 0 else {}
    with _folder("dsc-pg-") as folder:
        if as_whom:
            shutil.chown(folder, "postgres", "postgres")
        data, user = folder / "data", "descartes"

        make = ["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", f"--username={user}"]
        subprocess.run(
            [str(_postgres_program("initdb")), "-D", str(data), *make],
            cwd=folder, check=True, timeout=SECONDS, stdout=subprocess.DEVNULL, **as_whom,
        )  # fmt: skip
        settings = ("listen_addresses=", f"unix_socket_directories={folder}", "fsync=off")
        options = [word for setting in settings for word in ("-c", setting)]
        command = [str(_postgres_program("postgres")), "-D", str(data), *options]
        with _server(command, cwd=folder, **as_whom):
            yield f"postgresql:///postgres?host={folder}&user={user}"


@contextmanager
def redis_server() -> Iterator[str]:
    """Start Redis; gives its URL as checkpoints take it. Fails when it is not installed."""
    with _folder("dsc-redis-") as folder:
        socket = folder / "redis.sock"
        command = [
            "redis-server",
            "--port",
            "0",
            "--unixsocket",
            str(socket),
            "--save",
            "",
            "--dir",
            str(folder),
        ]
        with _server(command, ended_by=signal.SIGKILL):
            yield f"redis+unix://{socket}"


@contextmanager
def _server(
    command: list[str], *, ended_by: signal.Signals = signal.SIGQUIT, **options: Any
) -> Iterator[None]:
    """Run COMMAND once it has said that it takes connections; ends it afterwards."""
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    assert server.stdout is not None
    try:
        said = []
        for line in server.stdout:
            said.append(line)
            if "ready to accept connections" in line.lower():
                break
        else:
            raise AssertionError(f"{command[0]} ended: {''.join(said)}")
        # What it says later is read too, or it would wait for somebody to read it.
        threading.Thread(target=server.stdout.read, daemon=True).start()
        yield
    finally:
        # To PostgreSQL this says: end at once, with everything that was started.
        server.send_signal(ended_by)
        server.wait(SECONDS)


@contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _postgres_program(name: str) -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")) or [Path(shutil.which(name) or "")]
    assert found[-1].is_file(), f"PostgreSQL's {name} is not installed; .ci/setup-tests installs it"
    return found[-1]
