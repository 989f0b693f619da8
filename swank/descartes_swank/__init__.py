"""A Swank client library: knows no editor and no agent, and can be used alone.

Start with `connect`; `Lisp` is an image, `Listener` hears what happens in it, `Connection` is the wire below.
"""

from descartes_swank import inspector
from descartes_swank.attachment import ImageInfo
from descartes_swank.breakpoints import FormPlace, KnownBreakpoint, NewPlace, Verdict
from descartes_swank.comparing import Definitions, definitions
from descartes_swank.compilation import Note
from descartes_swank.connection import Connection
from descartes_swank.debugger import (
    Condition,
    Frame,
    FrameDetail,
    Local,
    Restart,
    RestartArgument,
    Stepping,
    Stop,
    StopId,
)
from descartes_swank.discovery import (
    ImageSettings,
    LispProgram,
    Looked,
    SwankSource,
    find_lisp,
    find_swank,
    search_report,
)
from descartes_swank.errors import (
    Aborted,
    Cancelled,
    DebuggerStale,
    InvalidParams,
    LispGone,
    LispLost,
    LispNotFound,
    NotFound,
    ReaderError,
    RequestInvalid,
    SwankError,
    TimedOut,
    TooLarge,
    Unsupported,
)
from descartes_swank.evaluation import Evaluation, Result, client_name
from descartes_swank.image import ImageRecord, is_running, read_record, start_image, stop_image
from descartes_swank.inspector import (
    CallObject,
    Expression,
    Inspection,
    Inspector,
    LocalVariable,
    Part,
    ResultValue,
    StopCondition,
)
from descartes_swank.listener import InputRequest, Listener
from descartes_swank.locations import Location
from descartes_swank.marks import FileState, LoadedFile, Marks, Unit, UnitState
from descartes_swank.paths import PathRule, Paths
from descartes_swank.plain_image import is_plain, start_plain_image
from descartes_swank.service import (
    Candidate,
    Definition,
    Questions,
    ServiceQuestions,
    SwankQuestions,
    SymbolInfo,
)
from descartes_swank.session import Lisp, connect
from descartes_swank.succession import end_others, folder_of_next, take_place
from descartes_swank.systems import (
    KnownSystem,
    RegisteredTest,
    SystemOperation,
    SystemReport,
    TestOutcome,
    printed_by,
    system_report,
    test_outcome,
)

__all__ = [
    "Aborted",
    "CallObject",
    "Cancelled",
    "Candidate",
    "Condition",
    "Connection",
    "DebuggerStale",
    "Definition",
    "Definitions",
    "Evaluation",
    "Expression",
    "FileState",
    "FormPlace",
    "Frame",
    "FrameDetail",
    "ImageInfo",
    "ImageRecord",
    "ImageSettings",
    "InputRequest",
    "Inspection",
    "Inspector",
    "InvalidParams",
    "KnownBreakpoint",
    "KnownSystem",
    "Lisp",
    "LispGone",
    "LispLost",
    "LispNotFound",
    "LispProgram",
    "Listener",
    "LoadedFile",
    "Local",
    "LocalVariable",
    "Location",
    "Looked",
    "Marks",
    "NewPlace",
    "NotFound",
    "Note",
    "Part",
    "PathRule",
    "Paths",
    "Questions",
    "ReaderError",
    "RegisteredTest",
    "RequestInvalid",
    "Restart",
    "RestartArgument",
    "Result",
    "ResultValue",
    "ServiceQuestions",
    "Stepping",
    "Stop",
    "StopCondition",
    "StopId",
    "SwankError",
    "SwankQuestions",
    "SwankSource",
    "SymbolInfo",
    "SystemOperation",
    "SystemReport",
    "TestOutcome",
    "TimedOut",
    "TooLarge",
    "Unit",
    "UnitState",
    "Unsupported",
    "Verdict",
    "client_name",
    "connect",
    "definitions",
    "end_others",
    "find_lisp",
    "find_swank",
    "folder_of_next",
    "inspector",
    "is_plain",
    "is_running",
    "printed_by",
    "read_record",
    "search_report",
    "start_image",
    "start_plain_image",
    "stop_image",
    "system_report",
    "take_place",
    "test_outcome",
]
