"""A real sshd on a high port of this machine, with throw-away keys, for whoever runs the tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

_CONFIGURATION = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/key.pub
StrictModes no
UsePAM no
PidFile none
PasswordAuthentication no
PermitRootLogin yes
"""


@contextlib.contextmanager
def running_sshd(folder: Path) -> Iterator[list[str]]:
    """Start a server with its keys in FOLDER; yield the ssh command that reaches it, without a host."""
    for name in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = folder / "sshd_config"
    configuration.write_text(_CONFIGURATION.format(port=port, folder=folder), encoding="utf-8")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None, "no sshd; call make setup"
    with (folder / "sshd.log").open("wb") as log:
        server = subprocess.Popen([program, "-D", "-e", "-f", str(configuration)], stderr=log)
    try:
        # Whoever comes before it listens is refused and tries again.
        yield [
            *("ssh", "-F", "none", "-p", str(port), "-i", str(folder / "key"), "-o", "IdentitiesOnly=yes"),
            *("-o", f"UserKnownHostsFile={folder / 'known'}", "-o", "StrictHostKeyChecking=accept-new"),
            *("-o", "ConnectionAttempts=20"),
        ]
    finally:
        server.terminate()
        server.wait()
