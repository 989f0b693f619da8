"""Opening a checkpointer by its URL: ours by name, others through the entry points of installed packages.

A package adds one with an entry point in the group `descartes.checkpointers`: its name is the scheme of the
URLs, its value a class derived from `Checkpointer`. It is imported when such a URL is opened, never before.
"""

from __future__ import annotations

import importlib
from importlib.metadata import EntryPoint, entry_points

from descartes_core.checkpoints.port import Checkpointer
from descartes_core.errors import InvalidParams, Unsupported

GROUP = "descartes.checkpointers"
EXTRAS = {"psycopg": "postgres", "redis": "redis"}

OWN = {
    "memory": "memory:MemoryCheckpointer",
    "sqlite": "sqlite:SqliteCheckpointer",
    "postgresql": "postgres:PostgresCheckpointer",
    "postgres": "postgres:PostgresCheckpointer",
}


async def open_checkpointer(url: str) -> Checkpointer:
    """Return the checkpointer at URL.

    Errors: `InvalidParams` for a URL that nobody knows; `Unsupported` when its library is not installed;
    `StoreUnavailable` when the place cannot be reached.
    Example: await open_checkpointer("postgresql:///checkpoints?host=/run/postgresql")
    """
    # What stands behind the plus is the scheme's own business: `redis+unix:`.
    scheme = url.partition(":")[0].partition("+")[0]
    try:
        return await _class(scheme, url).open(url)
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        hint = (
            f"pip install 'descartes-lsp[{EXTRAS[library]}]'" if library in EXTRAS else f"install {library}"
        )
        raise Unsupported(f"Checkpoints in {scheme} need the library {library!r}; {hint}") from None


def schemes() -> list[str]:
    """Return the schemes of all URLs that can be opened here, sorted; nothing is imported for it."""
    return sorted({*OWN, *(each.name for each in entry_points(group=GROUP))})


def _class(scheme: str, url: str) -> type[Checkpointer]:
    if scheme in OWN:
        module, _, name = OWN[scheme].partition(":")
        known: type[Checkpointer] = getattr(
            importlib.import_module(f"descartes_core.checkpoints.{module}"), name
        )
        return known
    return _plugged(next(iter(entry_points(group=GROUP, name=scheme)), None), url)


def _plugged(found: EntryPoint | None, url: str) -> type[Checkpointer]:
    if found is None:
        # What stands behind the scheme may be a password.
        raise InvalidParams(
            f"Expected a URL of {', '.join(schemes())}, got {url.partition(':')[0][:40]!r};"
            " install a package that knows it"
        )
    loaded = found.load()
    if not (isinstance(loaded, type) and issubclass(loaded, Checkpointer)):
        raise Unsupported(
            f"Expected a Checkpointer as the entry point {found.value!r}, got {loaded!r:.80}; ask its package"
        )
    return loaded
