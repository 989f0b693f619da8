"""A process that restores three bodies and dies of it: `python bodies_process.py WORKSPACE INSTANT`.

It prints the run and the event as one line of JSON first, then kills itself at INSTANT. `unwritten` is that
between the move of the image and the journal's line about it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from descartes_core.timetravel.moving import Moving
from support.three_bodies import BODIES, three_bodies


async def main() -> None:
    workspace, instant = sys.argv[1:]

    def at(name: str) -> None:
        if name == instant:
            os.kill(os.getpid(), signal.SIGKILL)

    if instant == "unwritten":
        Moving.moved_in = lambda self: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
    async with three_bodies(Path(workspace), at=at) as three:
        moment = await three.moment()
        sys.stdout.write(json.dumps([moment.run, moment.to]) + "\n")
        sys.stdout.flush()
        await three.machine.restore(moment.run, moment.to, bodies=BODIES)


asyncio.run(main())
