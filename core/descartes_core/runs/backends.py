"""Which backends there are, each by what does the work of its runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from descartes_core.runs.acp_run import AcpRun
from descartes_core.runs.model_run import ModelRun
from descartes_core.runs.process_run import ProcessRun
from descartes_core.runs.work import Job, Work

BACKENDS: Mapping[str, Callable[[Job], Work]] = {"model": ModelRun, "process": ProcessRun, "acp": AcpRun}
