"""What happens in an image, as whoever uses a session hears of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from .debugger import Stop
from .evaluation import Evaluation
from .forms import Value
from .marks import LoadedFile


@dataclass(frozen=True, slots=True)
class InputRequest:
    """A thread waits for an answer to PROMPT: `Lisp.answer_input` with TAG."""

    tag: int
    thread: int
    prompt: str
    kind: Literal["line", "yesOrNo"]
    evaluation: str | None


class Listener:
    """Hears what happens in an image. The methods do nothing until overridden, and must not block."""

    def output(self, evaluation: str | None, text: str, stream: str) -> None:
        """TEXT was written by EVALUATION, or by nobody's; STREAM is `output` or `error`."""

    def stopped(self, stop: Stop) -> None:
        """A thread waits at STOP; said again when a nested stop above it was left."""

    def left(self, thread: int, level: int) -> None:
        """The stop (THREAD, LEVEL) is over."""

    def evaluation_changed(self, evaluation: Evaluation) -> None:
        """EVALUATION stopped, went on or ended."""

    def reported(self, evaluation: Evaluation, report: Value, output: str) -> None:
        """EVALUATION said REPORT on its way, after it wrote OUTPUT (the end of it) since its last report."""

    def input_wanted(self, request: InputRequest) -> None:
        """A thread waits for an answer."""

    def input_withdrawn(self, request: InputRequest) -> None:
        """The thread of REQUEST waits no more, and was not answered: it was aborted, or the image is gone."""

    def file_loaded(self, file: LoadedFile) -> None:
        """ASDF has loaded FILE; told of the folder that `Marks.follow` names."""

    def lost(self, reason: str) -> None:
        """The image is gone or the connection to it was closed. Said once."""


_YES_OR_NO = re.compile(r"\((?:y or n|yes or no|y/n)\)\s*:?\s*\Z", re.IGNORECASE)


def input_kind(prompt: str) -> Literal["line", "yesOrNo"]:
    """Return what answer PROMPT asks for."""
    return "yesOrNo" if _YES_OR_NO.search(prompt) else "line"
