"""The one write of files that tools have: in the very transaction that checks the leases.

So a takeover comes either before it, and then nothing is written, or after it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from descartes_core.agents.journal import Recorder
from descartes_core.agents.replacements import prepared, put_all
from descartes_core.agents.run_leases import RunLeases
from descartes_core.agents.tools import texts
from descartes_core.agents.tools.paths import relative
from descartes_core.leases.standing import Change
from descartes_core.store import Transaction


async def replace(
    recorder: Recorder, leases: RunLeases, workspace: Path, changes: Sequence[Change], *, parent: str | None
) -> bool:
    """Make CHANGES of files of WORKSPACE at once, and log them by RECORDER; see `tool.Hands`."""
    names = [await leases.needed(change) for change in changes]
    async with prepared(changes) as replacements:

        def body(tx: Transaction) -> bool:
            for change, needed in zip(changes, names, strict=True):
                leases.check(tx, change.path, needed)
            if any(texts.content(change.path) != change.before for change in changes):
                return False
            put_all(replacements)
            for change in changes:
                written = {
                    "path": relative(workspace, change.path),
                    "sha256Before": _digest(change.before),
                    "sha256After": _digest(change.after),
                }
                tx.append(recorder.event("action", "file.written", written, parent=parent))
            return True

        return await recorder.store.transact(body)


def digest_of(data: bytes) -> str:
    """Return the digest by which events name DATA: SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _digest(data: bytes | None) -> str | None:
    return None if data is None else digest_of(data)
