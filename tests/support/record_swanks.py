"""Make the recordings in `tests/swank/recorded` anew: `python tests/support/record_swanks.py FOLDER`.

FOLDER holds a checkout of SLIME for each version, in a folder of its name (2.28, …), and one of SLY in `sly`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from descartes_swank import Lisp, LispLost
from support import recording
from support.stock_swank import run_stock_swank
from support.swank_scenario import scenario


async def record(name: str, port: int) -> None:
    """Keep what passes when the server at PORT is used as the scenario says."""
    lines: list[recording.Line] = []
    async with recording.proxy(port, lines) as through:
        await scenario(through)
    recording.write(name, lines)
    async with await Lisp.open("127.0.0.1", port) as lisp:
        assert (await lisp.eval('(princ "x") (+ 1 2)')).values == ["3"], "our own session fails"


async def record_slynk(name: str, port: int) -> None:
    """Keep what Slynk says to somebody who takes it for Swank."""
    lines: list[recording.Line] = []
    async with recording.proxy(port, lines) as through:
        try:
            await Lisp.open("127.0.0.1", through)
        except LispLost as refusal:
            print(refusal)
    recording.write(name, lines)


def main(checkouts: Path) -> None:
    for folder in sorted(checkouts.iterdir()):
        slynk = folder.name == "sly"
        with tempfile.TemporaryDirectory() as scratch:
            loader = folder / ("slynk/slynk-loader.lisp" if slynk else "swank-loader.lisp")
            with run_stock_swank(Path(scratch), str(loader), "SLYNK" if slynk else "SWANK") as server:
                name = "slynk" if slynk else f"swank-{folder.name}"
                asyncio.run(record_slynk(name, server.port) if slynk else record(name, server.port))
                print(name, (recording.FOLDER / f"{name}.jsonl").stat().st_size, "octets")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
