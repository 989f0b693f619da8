"""Swank 2.28 to 2.32 and Slynk as they really spoke, played over real sockets.

How the recordings are made: `tests/support/record_swanks.py`.
"""

from __future__ import annotations

import asyncio

import pytest

from descartes_swank import Lisp, LispLost
from support import recording
from support.swank_scenario import scenario

VERSIONS = ("2.28", "2.29", "2.30", "2.31", "2.32")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.ledger("D-70")
async def test_a_session_with_a_newer_swank(version: str) -> None:
    async with recording.played(recording.read(f"swank-{version}")) as fake:
        await asyncio.wait_for(scenario(fake.port), 50)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_recordings_are_of_what_they_say(version: str) -> None:
    lines = recording.read(f"swank-{version}")
    said = "\n".join(text for who, text in lines if who == "s")
    asked = "\n".join(text for who, text in lines if who == "c")
    assert f':version "{version}"' in said or ":version nil" in said
    # Since 2.28 output waits for the client; since 2.32 evaluating in a frame wants the size of a window.
    assert ":write-done" in asked
    assert ("40 1000" in asked or "1000 1000" in asked) == (version == "2.32")


async def test_slynk_is_refused_by_name() -> None:
    async with recording.played(recording.read("slynk")) as fake:
        with pytest.raises(LispLost, match="is Slynk, the server of SLY, whose calls are not Swank's"):
            await asyncio.wait_for(Lisp.open("127.0.0.1", fake.port), 60)
