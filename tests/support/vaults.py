"""A quick vault of Ann's, and what it shows."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from descartes_core.model import Principal
from descartes_core.vault.boxes import Master
from descartes_core.vault.crypto import KdfParameters
from descartes_core.vault.shapes import Who
from descartes_core.vault.vault import Vault

ANN = Who(Principal(kind="human", id="ann", name="Ann"), owner=True)


PASSWORD = "correct horse battery"


QUICK = KdfParameters(memory_kib=64, time=1, parallelism=1)


VALUE = "hunter2-éclair"


class Steady:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.ms = 1_000_000

    def now_ms(self) -> int:
        return self.ms


def rows(vault: Vault, query: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(vault.path)) as connection, connection:
        return connection.execute(query, values).fetchall()


def everything(vault: Vault, master: Master, who: Who = ANN) -> list[str]:
    return [each.value for each in vault.values(master, who)]


def files_of(vault: Vault) -> bytes:
    return b"".join(path.read_bytes() for path in vault.path.parent.glob("vault.db*"))
