"""Forms from a Swank server made into `messages`; knows the shapes of 2.27 to 2.32.

Total: a form of another shape becomes `Unknown`, never an exception.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from .forms import Symbol, Value, plist
from .messages import (
    BackgroundMessage,
    ChannelSend,
    ConditionText,
    Debug,
    DebugActivate,
    DebugCondition,
    DebugInfo,
    DebugReturn,
    Edit,
    EditorCall,
    EvaluateInEditor,
    Event,
    FrameText,
    IndentationUpdate,
    Inspect,
    NewFeatures,
    NewPackage,
    NewReplOutput,
    OpenDedicatedOutputStream,
    Ping,
    PresentationEnd,
    PresentationStart,
    ReadAborted,
    ReadFailed,
    ReadFromMinibuffer,
    ReadString,
    RestartText,
    Return,
    RpcInvalid,
    TestDelay,
    Thread,
    Unknown,
    WriteImage,
    WriteString,
    YesOrNo,
)


class _Unfit(Exception):
    """An argument has another type than the event needs."""


class _Arguments:
    """What follows an event's name, taken one by one and checked."""

    def __init__(self, items: Sequence[Value]) -> None:
        self.items = items

    def any(self, index: int, default: Value = None) -> Value:
        return self.items[index] if index < len(self.items) else default

    def rest(self, index: int) -> tuple[Value, ...]:
        return tuple(self.items[index:])

    def text(self, index: int) -> str:
        return _text(self.any(index))

    def optional_text(self, index: int) -> str | None:
        return None if self.any(index) is None else self.text(index)

    def integer(self, index: int) -> int:
        return _integer(self.any(index))

    def thread(self, index: int) -> Thread:
        value = self.any(index)
        if value is True or isinstance(value, Symbol):
            return value
        return _integer(value)

    def optional_thread(self, index: int) -> Thread | None:
        return None if self.any(index) is None else self.thread(index)

    def optional_integer(self, index: int) -> int | None:
        return None if self.any(index) is None else self.integer(index)


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise _Unfit
    return value


def _integer(value: Value) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _Unfit
    return value


def _list(value: Value) -> list[Value]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _Unfit
    return value


_CONDITION_TYPE = re.compile(r"\s*\[Condition of type (.*)\]\s*", re.DOTALL)


def _condition(value: Value) -> ConditionText:
    fields = _Arguments(_list(value))
    described = fields.optional_text(1) or ""
    match = _CONDITION_TYPE.fullmatch(described)
    return ConditionText(fields.text(0), match[1] if match else described.strip(), fields.any(2))


def _restart(value: Value) -> RestartText:
    fields = _Arguments(_list(value))
    name = fields.text(0)
    return RestartText(name.lstrip("*"), fields.optional_text(1) or "", name.startswith("*"))


def _frame(value: Value) -> FrameText:
    fields = _Arguments(_list(value))
    return FrameText(fields.integer(0), fields.text(1), plist(fields.any(2)).get(":restartable") is True)


def _debug_info(condition: Value, restarts: Value, frames: Value, conts: Value) -> DebugInfo:
    return DebugInfo(
        _condition(condition),
        tuple(map(_restart, _list(restarts))),
        tuple(map(_frame, _list(frames))),
        tuple(map(_integer, _list(conts))),
    )


def debug_info(form: Value) -> DebugInfo | None:
    """Return the answer FORM of `debugger-info-for-emacs` by its parts, or None when it is something else."""
    try:
        return _debug_info(*_list(form))
    except (_Unfit, TypeError):
        return None


def frames(form: Value) -> tuple[FrameText, ...]:
    """Return the answer FORM of `backtrace` as frames; what is no frame is left out."""
    found: list[FrameText] = []
    for item in form if isinstance(form, list) else ():
        try:
            found.append(_frame(item))
        except _Unfit:
            continue
    return tuple(found)


def _return(a: _Arguments) -> Return:
    outcome = a.any(0)
    if not isinstance(outcome, list) or not outcome or outcome[0] not in (":ok", ":abort"):
        raise _Unfit
    return Return(a.integer(1), outcome[0] == ":ok", outcome[1] if len(outcome) > 1 else None)


def _debug(a: _Arguments) -> Debug:
    return Debug(a.thread(0), a.integer(1), *_debug_info(a.any(2), a.any(3), a.any(4), a.any(5)))


def _test_delay(a: _Arguments) -> TestDelay:
    seconds = a.any(0)
    return TestDelay(float(seconds) if isinstance(seconds, float) else _integer(seconds))


_PARSERS: Final[dict[str, Callable[[_Arguments], Event]]] = {
    ":return": _return,
    ":debug": _debug,
    ":debug-activate": lambda a: DebugActivate(a.thread(0), a.integer(1), a.any(2) is not None),
    ":debug-return": lambda a: DebugReturn(a.thread(0), a.integer(1), a.any(2) is not None),
    ":debug-condition": lambda a: DebugCondition(a.thread(0), a.text(1)),
    ":write-string": lambda a: WriteString(a.text(0), a.any(1), a.optional_thread(2)),
    ":new-repl-output": lambda a: NewReplOutput(),
    ":read-string": lambda a: ReadString(a.thread(0), a.integer(1)),
    ":read-aborted": lambda a: ReadAborted(a.thread(0), a.integer(1)),
    ":read-from-minibuffer": lambda a: ReadFromMinibuffer(
        a.thread(0), a.integer(1), a.text(2), a.optional_text(3)
    ),
    ":y-or-n-p": lambda a: YesOrNo(a.thread(0), a.integer(1), a.text(2)),
    ":new-package": lambda a: NewPackage(a.text(0), a.optional_text(1) or a.text(0)),
    ":new-features": lambda a: NewFeatures(tuple(map(_text, _list(a.any(0))))),
    ":indentation-update": lambda a: IndentationUpdate(tuple(_list(a.any(0)))),
    ":ping": lambda a: Ping(a.thread(0), a.integer(1)),
    ":background-message": lambda a: BackgroundMessage(a.text(0)),
    ":ed": lambda a: Edit(a.any(0)),
    ":inspect": lambda a: Inspect(a.any(0), a.optional_thread(1), a.optional_integer(2)),
    ":eval": lambda a: EvaluateInEditor(a.thread(0), a.integer(1), a.any(2)),
    ":eval-no-wait": lambda a: EvaluateInEditor(None, None, a.any(0)),
    ":ed-rpc": lambda a: EditorCall(a.thread(0), a.integer(1), a.text(2), a.rest(3)),
    ":ed-rpc-no-wait": lambda a: EditorCall(None, None, a.text(0), a.rest(1)),
    ":channel-send": lambda a: ChannelSend(a.integer(0), a.any(1)),
    ":presentation-start": lambda a: PresentationStart(a.any(0), a.any(1)),
    ":presentation-end": lambda a: PresentationEnd(a.any(0), a.any(1)),
    ":write-image": lambda a: WriteImage(a.rest(0)),
    ":test-delay": _test_delay,
    ":open-dedicated-output-stream": lambda a: OpenDedicatedOutputStream(a.integer(0), a.optional_text(1)),
    ":reader-error": lambda a: ReadFailed(a.text(0), a.text(1)),
    ":invalid-rpc": lambda a: RpcInvalid(a.integer(0), a.text(1)),
}


def parse(form: Value) -> Event:
    """Return the event that FORM, one packet from a Swank server, stands for.

    Example: parse([Symbol(":ping"), 3, 7]) -> Ping(3, 7); parse("?") -> Unknown("?")
    """
    if isinstance(form, list) and form and isinstance(form[0], Symbol):
        parser = _PARSERS.get(form[0])
        if parser is not None:
            try:
                return parser(_Arguments(form[1:]))
            except _Unfit:
                pass
    return Unknown(form)
