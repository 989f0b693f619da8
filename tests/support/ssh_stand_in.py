"""A program that stands for ssh: it runs what would run on the other host here, in other surroundings.

The command sees another home and, for every path, what is below the folder ROOT as the other side would: it
works in ROOT, and nothing tells it of the workspace. `-W HOST:PORT` leads to that port, as ssh's does.
Its arguments are written down, so that a test can see what was asked of it.
"""

from __future__ import annotations

import shlex
import stat
import sys
from pathlib import Path

_PROGRAM = """#!{python}
import os, select, socket, sys
words = sys.argv[1:]
with open({log!r}, "a", encoding="utf-8") as log:
    print(" ".join(words), file=log)
if os.path.exists({down!r}):
    sys.exit("ssh: connect to host box port 22: No route to host")
if words[0] == "-W":
    host, _, port = words[1].rpartition(":")
    try:
        there = socket.create_connection((host, int(port)))
    except OSError as problem:
        sys.exit("channel 0: open failed: connect failed: %s" % problem.strerror)
    while True:
        for ready in select.select([0, there], [], [])[0]:
            data = os.read(0, 65536) if ready == 0 else there.recv(65536)
            if not data:
                sys.exit(0)
            there.sendall(data) if ready == 0 else os.write(1, data)
print("Welcome to box")
sys.stdout.flush()
os.chdir({root!r})
os.environ.update(HOME={root!r}, XDG_RUNTIME_DIR={root!r})
# As ssh does: one text for the shell of the other side.
os.execv("/bin/sh", ["sh", "-c", " ".join(words[1:])])
"""


class SshStandIn:
    """The stand-in in FOLDER; the other side's disk is `root`."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "box"
        self.root.mkdir()
        self.program = folder / "ssh"
        self._log, self._down = folder / "ssh.log", folder / "down"
        text = _PROGRAM.format(
            python=sys.executable, log=str(self._log), down=str(self._down), root=str(self.root)
        )
        self.program.write_text(text, encoding="utf-8")
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)

    @property
    def calls(self) -> list[str]:
        """Return the arguments of every call, each as one line."""
        return self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []

    def unplug(self, *, plugged: bool = False) -> None:
        """Let the host be out of reach, or in reach again."""
        self._down.unlink(missing_ok=True) if plugged else self._down.touch()

    def quoted(self) -> str:
        """Return the program as a shell would read it."""
        return shlex.quote(str(self.program))
