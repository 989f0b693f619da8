"""How the files under `.descartes/views/` are called; imports nothing, as every opened file is looked at."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

VIEWS = "views"


def of_run(run: str) -> str:
    """Return the name of the history document of RUN, a whole id, without its suffix."""
    return f"history-{run[4:12]}"


def of_file(path: str) -> str:
    """Return the name of the history document of the file PATH, as events name it, without its suffix."""
    # Two files of one name in different folders have two documents.
    digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:6]
    name = re.sub(r"[^\w.-]", "_", Path(path).name)[:60]
    return f"history-of-{name}-{digest}"


def is_history(path: Path) -> bool:
    """Return whether the file PATH is a history document."""
    return path.parent.name == VIEWS and path.suffix == ".md" and path.name.startswith("history-")
