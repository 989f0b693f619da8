"""A process that supervises runs, for a test to kill: `python supervisor_process.py WORKSPACE [REQUEST…]`.

Each REQUEST is a spawn request in JSON; with none it recovers. It prints one line of JSON, the ids of its
runs, and then supervises until it is killed or its standard input ends. A line of input is the id of a run
that it pauses by force; it prints the id then.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import msgspec

from descartes_core.runs import SpawnRequest
from support.running import ANN, Bench


async def main() -> None:
    bench = await Bench.open(Path(sys.argv[1]))
    if sys.argv[2:]:
        requests = [msgspec.json.decode(text, type=SpawnRequest) for text in sys.argv[2:]]
        runs = [await bench.runs.spawn(request, by=ANN) for request in requests]
    else:
        runs = list(await bench.runs.recover())
    print(json.dumps([run.id for run in runs]), flush=True)
    while run := (await asyncio.to_thread(sys.stdin.readline)).strip():
        await bench.runs.pause(run, by=ANN, force=True)
        print(run, flush=True)
    await bench.close(kill=False)


asyncio.run(main())
