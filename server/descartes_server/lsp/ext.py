"""The names that Descartes adds to the protocol: its commands, notifications and requests.

`editors/PROTOCOL.md` describes them; tests hold this table, that page and the operations together.
"""

from __future__ import annotations

LISP_STATUS = "descartes/lisp/status"
LISP_OUTPUT = "descartes/lisp/output"
LISP_EVALUATED = "descartes/lisp/evaluated"
LISP_TESTED = "descartes/lisp/tested"
LISP_INPUT = "descartes/lisp/input"
LISP_INPUT_ENDED = "descartes/lisp/inputEnded"
SECRET_INPUT = "descartes/secret/input"
DEBUGGER_CHANGED = "descartes/debugger/changed"
LEASE_CHANGED = "descartes/lease/changed"
RUN_CHANGED = "descartes/run/changed"
RUN_OUTPUT = "descartes/run/output"
INTERVENTION_CHANGED = "descartes/intervention/changed"
EVENT = "descartes/event"

BREAKPOINTS_CHANGED = "descartes/debugger/breakpoints"
"""From the hub only, `{breakpoints: [Breakpoint]}`: editors see breakpoints as lenses and diagnostics."""
CONFIG_CHANGED = "descartes/config/changed"
"""From the hub only, `{file}`: an operation changed a settings file, which is read again."""

PLAYBACK = "descartes/history/playback"
"""From the hub only, a Playback: editors see the document that moves, and progress."""

NOTIFICATIONS = (
    LISP_STATUS,
    LISP_OUTPUT,
    LISP_EVALUATED,
    LISP_TESTED,
    LISP_INPUT_ENDED,
    DEBUGGER_CHANGED,
    LEASE_CHANGED,
    RUN_CHANGED,
    RUN_OUTPUT,
    INTERVENTION_CHANGED,
    EVENT,
)
"""Sent to clients with `capabilities.experimental.descartes.notifications`."""
REQUESTS = (LISP_INPUT, SECRET_INPUT)
"""Asked of those clients: text, which the answer has or, for a secret, the pipe that the request names."""

PREFIX = "descartes."
TRUST = "descartes.workspace.trust"
_VERBS = {
    "config": "migrate schema set show",
    "debugger": (
        "abort breakOnSignals breakpoints.clear breakpoints.list breakpoints.set continue disassemble "
        "evalInFrame frame frames list recompile restart restartFrame retryWithFix returnFromFrame step "
        "toplevel"
    ),
    "edit": "apply preview",
    "file": "edit read write",
    "gc": "collect plan",
    "guard": "install status uninstall",
    "history": "document export list picture playback schema show state statistics subscribe verify",
    "hub": "repair status stop",
    "inspector": "action back close eval forward list more open part refresh set",
    "intervention": "answer list",
    "lease": "acquire list move release renew request show steal",
    "lisp": (
        "apropos compare compileFile compileForm compileSystem complete connect describe disassemble "
        "drift eval evalForm evaluation inputComplete interrupt journal killThread loadChanged "
        "loadFile loadSystem macroexpand profile profileStart profileStop question reloadSystem "
        "replHistory replay restart runTest start status stop systems testResults testSystem tests "
        "threads trace traceTree undefine unintern untraceAll xref"
    ),
    "secret": (
        "audit changePassword export get grant import init list lock remove revoke rotate set status unlock"
    ),
    "restore": "apply list preview redo undo",
    "run": "kill list output pause resume send show spawn stop",
    "session": "branches export fork import list show",
    "thought": "archive create edit link list search show",
    "whiteboard": "annotate list post show",
    "wisdom": "add list outcome show",
}
_TAKING = ("changePassword", "grant", "init", "remove", "revoke", "rotate", "set", "unlock")
TAKES_PASSWORD = frozenset(f"secret.{verb}" for verb in _TAKING)
"""Operations that may be given the vault's password, by other ways than their arguments."""
OPERATIONS = tuple(f"{resource}.{verb}" for resource, verbs in _VERBS.items() for verb in verbs.split())
"""Every operation, written out: importing the modules that declare them would delay `initialize`."""
COMMANDS = (*(PREFIX + name for name in OPERATIONS), TRUST)
"""What `workspace/executeCommand` takes."""
