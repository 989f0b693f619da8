"""Leases: who may write a file, why, and until when, with fencing tokens and a fair queue.

The names are imported when they are first asked for: a git hook needs `standing` alone, at once.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from descartes_core.leases.leases import Leases
    from descartes_core.leases.paths import LeasePath, Paths
    from descartes_core.leases.view import LeaseView

__all__ = ["LeasePath", "LeaseView", "Leases", "Paths"]

_MODULES = {"Leases": "leases", "LeasePath": "paths", "Paths": "paths", "LeaseView": "view"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
