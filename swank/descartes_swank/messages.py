"""Every message a Swank server sends, as a frozen dataclass; `parsing` makes them from forms.

Says nothing about what to do with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from .forms import Symbol, Value

Thread: TypeAlias = int | Symbol | Literal[True]
"""A thread's number, a name like `:repl-thread`, or True for a new worker; numbers are opaque."""


@dataclass(frozen=True, slots=True)
class ConditionText:
    """A condition as the debugger prints it; TYPE is the bare type, `DIVISION-BY-ZERO`."""

    message: str
    type: str
    extras: Value


@dataclass(frozen=True, slots=True)
class RestartText:
    """A restart; NAME is without the star that marks the one that leaves every level (QUITS)."""

    name: str
    description: str
    quits: bool


@dataclass(frozen=True, slots=True)
class FrameText:
    """A frame of a stopped thread; INDEX is valid for this thread and level only."""

    index: int
    description: str
    restartable: bool


class DebugInfo(NamedTuple):
    """What `debugger-info-for-emacs` answers and `:debug` carries."""

    condition: ConditionText
    restarts: tuple[RestartText, ...]
    frames: tuple[FrameText, ...]
    conts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Return:
    """The answer to request ID: its value, or the text of why there is none."""

    id: int
    ok: bool
    value: Value


@dataclass(frozen=True, slots=True)
class Debug:
    """THREAD stopped at LEVEL; CONTS are the ids of the requests it was working on, innermost first."""

    thread: Thread
    level: int
    condition: ConditionText
    restarts: tuple[RestartText, ...]
    frames: tuple[FrameText, ...]
    conts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DebugActivate:
    thread: Thread
    level: int
    select: bool


@dataclass(frozen=True, slots=True)
class DebugReturn:
    thread: Thread
    level: int
    stepping: bool


@dataclass(frozen=True, slots=True)
class DebugCondition:
    """The debugger itself failed in THREAD; only to be shown."""

    thread: Thread
    message: str


@dataclass(frozen=True, slots=True)
class WriteString:
    """Output. TARGET None is user output, `:repl-result` a value; THREAD is known from 2.28 on."""

    text: str
    target: Value
    thread: Thread | None


@dataclass(frozen=True, slots=True)
class NewReplOutput:
    pass


@dataclass(frozen=True, slots=True)
class ReadString:
    """THREAD waits for `(:emacs-return-string THREAD TAG LINE)`, LINE with its newline."""

    thread: Thread
    tag: int


@dataclass(frozen=True, slots=True)
class ReadAborted:
    thread: Thread
    tag: int


@dataclass(frozen=True, slots=True)
class ReadFromMinibuffer:
    """THREAD waits for `(:emacs-return THREAD TAG STRING-OR-NIL)`."""

    thread: Thread
    tag: int
    prompt: str
    initial: str | None


@dataclass(frozen=True, slots=True)
class YesOrNo:
    """THREAD waits for `(:emacs-return THREAD TAG T-OR-NIL)`."""

    thread: Thread
    tag: int
    question: str


@dataclass(frozen=True, slots=True)
class NewPackage:
    name: str
    prompt: str


@dataclass(frozen=True, slots=True)
class NewFeatures:
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IndentationUpdate:
    """Each entry is [NAME, INDENT, PACKAGES]; INDENT a number or a `cl-indent` list."""

    entries: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Ping:
    """THREAD sends nothing more until `(:emacs-pong THREAD TAG)` has come."""

    thread: Thread
    tag: int


@dataclass(frozen=True, slots=True)
class BackgroundMessage:
    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """The Lisp asks for a place to be shown: a file name, (FILE POSITION), a symbol's name or nil."""

    what: Value


@dataclass(frozen=True, slots=True)
class Inspect:
    parts: Value
    thread: Thread | None
    tag: int | None


@dataclass(frozen=True, slots=True)
class EvaluateInEditor:
    """Lisp asks the editor to evaluate FORM; THREAD and TAG are None when it does not wait."""

    thread: Thread | None
    tag: int | None
    form: Value


@dataclass(frozen=True, slots=True)
class EditorCall:
    """Lisp calls FUNCTION of the editor; THREAD and TAG are None when it does not wait."""

    thread: Thread | None
    tag: int | None
    function: str
    arguments: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class ChannelSend:
    channel: int
    message: Value


@dataclass(frozen=True, slots=True)
class PresentationStart:
    id: Value
    target: Value


@dataclass(frozen=True, slots=True)
class PresentationEnd:
    id: Value
    target: Value


@dataclass(frozen=True, slots=True)
class WriteImage:
    arguments: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class TestDelay:
    __test__ = False
    seconds: float


@dataclass(frozen=True, slots=True)
class OpenDedicatedOutputStream:
    port: int
    coding_system: str | None


@dataclass(frozen=True, slots=True)
class ReadFailed:
    """The Lisp could not read PACKET, or could not encode it when it was its own."""

    packet: str
    message: str


@dataclass(frozen=True, slots=True)
class RpcInvalid:
    """Request ID named a thread that does not exist."""

    id: int
    message: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A form that is no event of a known shape."""

    form: Value


Event: TypeAlias = (
    Return | Debug | DebugActivate | DebugReturn | DebugCondition | WriteString | NewReplOutput | ReadString
    | ReadAborted | ReadFromMinibuffer | YesOrNo | NewPackage | NewFeatures | IndentationUpdate | Ping
    | BackgroundMessage | Edit | Inspect | EvaluateInEditor | EditorCall | ChannelSend | PresentationStart
    | PresentationEnd | WriteImage | TestDelay | OpenDedicatedOutputStream | ReadFailed | RpcInvalid | Unknown
)  # fmt: skip
