"""A process that edits in bulk and dies of it: `python edit_process.py WORKSPACE PATTERN NEW INSTANT`.

As `restore_process`: INSTANT is the change of files at which it kills itself, or `count`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from descartes_core.edits.edits import Edits
from descartes_core.edits.shapes import EditRequest
from support.running import ANN
from support.time_machine import TimeMachine


async def main() -> None:
    workspace, pattern, new, instant = sys.argv[1:]
    seen: list[str] = []

    def at(name: str) -> None:
        seen.append(name)
        if instant != "count" and len(seen) == int(instant) + 1:
            os.kill(os.getpid(), signal.SIGKILL)

    machine = await TimeMachine.open(Path(workspace), at=at)
    edits = Edits(machine.bench.store, machine.body, machine.restores)
    preview = await edits.preview(EditRequest(pattern=pattern, replacement=new), ANN)
    await edits.apply(preview.id, ANN)
    await machine.close()
    sys.stdout.write(json.dumps(seen) + "\n")


asyncio.run(main())
