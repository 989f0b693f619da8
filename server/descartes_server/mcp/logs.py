"""The log of `descartes mcp`: standard output is the protocol's, and many clients show standard error."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from typing import Any

from descartes_core.errors import DescartesError
from descartes_server.operations.workspace import Workspace

LOG_BYTES = 1 << 20


class _Later(RotatingFileHandler):
    """Makes the folder of the state only when there is something to say."""

    def __init__(self, place: Workspace) -> None:
        super().__init__(place.log / "mcp.log", maxBytes=LOG_BYTES, backupCount=2, delay=True)
        self._place = place

    def _open(self) -> Any:
        self._place.prepare()
        return super()._open()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except (DescartesError, OSError):
            self.handleError(record)


def log_to(place: Workspace) -> None:
    """Have everything that this process logs as a warning or worse kept with the state of PLACE."""
    handler = _Later(place)
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.raiseExceptions = False
