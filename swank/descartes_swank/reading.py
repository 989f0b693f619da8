"""What programs read: the questions of an image, how they are answered, and how they are withdrawn."""

from __future__ import annotations

from .errors import NotFound
from .forms import Symbol
from .listener import InputRequest, Listener
from .paths import SAME, Paths
from .stopped import StoppedThreads


class Reading(StoppedThreads):
    """The part of a `Lisp` about threads that wait for text."""

    def __init__(self, listener: Listener, paths: Paths = SAME) -> None:
        super().__init__(listener, paths)
        self._inputs: dict[int, InputRequest] = {}
        # Tags that Swank itself asked with; its questions are answered otherwise than ours.
        self._swanks_own: set[int] = set()

    async def answer_input(self, tag: int, text: str | None) -> None:
        """Answer the input request TAG with TEXT, a line without its newline; None gives up the question.

        For `yesOrNo` TEXT is what one would type, `yes` or `y`. Errors: `NotFound` when nobody waits for it.
        """
        request = self._inputs.pop(tag, None)
        if request is None:
            raise NotFound(f"Nobody waits for the input {tag} any more")
        if tag in self._swanks_own:
            self._swanks_own.discard(tag)
            answer = text if request.kind == "line" else (text or "").strip().lower() in ("y", "yes", "t")
            self.connection.send([Symbol(":emacs-return"), request.thread, tag, answer])
        else:
            line = None if text is None else text.rstrip("\n") + "\n"
            await self._ask("descartes-boot:answer-input", request.thread, tag, line)

    def _swank_asks(self, request: InputRequest) -> None:
        self._swanks_own.add(request.tag)
        self._wants_input(request)

    def _wants_input(self, request: InputRequest) -> None:
        self._inputs[request.tag] = request
        self._listener.input_wanted(request)

    def _input_withdrawn(self, tag: int) -> None:
        """Tell of the question TAG that nothing waits for it any more, unless it was answered."""
        self._swanks_own.discard(tag)
        if (request := self._inputs.pop(tag, None)) is not None:
            self._listener.input_withdrawn(request)

    def _withdraw_all(self) -> None:
        for tag in list(self._inputs):
            self._input_withdrawn(tag)
