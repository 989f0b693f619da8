"""A process that restores and dies of it: `python restore_process.py WORKSPACE RUN TO INSTANT`.

It kills itself when INSTANT is reached, counted from 0 over all changes of files; with `count` it goes
through to the end and prints the names of all instants in one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from support.time_machine import TimeMachine


async def main() -> None:
    workspace, run, to, instant = sys.argv[1:]
    seen: list[str] = []

    def at(name: str) -> None:
        seen.append(name)
        if instant != "count" and len(seen) == int(instant) + 1:
            os.kill(os.getpid(), signal.SIGKILL)

    machine = await TimeMachine.open(Path(workspace), at=at)
    await machine.restore(run, to)
    await machine.close()
    sys.stdout.write(json.dumps(seen) + "\n")


asyncio.run(main())
