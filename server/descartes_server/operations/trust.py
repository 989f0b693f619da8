"""Which workspaces the person trusts: the list that `descartes trust` keeps, outside every workspace."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec

from descartes_server.operations import workspace


def is_trusted(root: Path) -> bool:
    """Return whether ROOT, a workspace's real path, is in the person's list."""
    return str(root) in trusted()


def trusted() -> list[str]:
    """Return the roots that the person trusts, in order; a missing or broken list trusts nothing."""
    try:
        return sorted(msgspec.json.decode(_file().read_bytes(), type=list[str]))
    except (OSError, msgspec.DecodeError):
        return []


def trust(root: Path) -> None:
    """Add ROOT to the list and remember it."""
    _write(sorted({*trusted(), str(root)}))


def distrust(root: Path) -> bool:
    """Take ROOT from the list; returns whether it was there."""
    before = trusted()
    _write([other for other in before if other != str(root)])
    return str(root) in before


def _file() -> Path:
    return workspace.home() / "trusted.json"


def _write(roots: list[str]) -> None:
    file = _file()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.write_text(json.dumps(roots, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(file)
