"""What agents are told beside what the operations say of themselves."""

from __future__ import annotations

INSTRUCTIONS = """\
This server is the workspace that people and other agents share: one live Common Lisp image, leases on
files, and one history of everything that happened.

Files. Read with file_read; change with file_edit or file_write, which take the lease on the file for you.
It lasts some minutes from your last write; lease_acquire keeps it as long as you are here, and
lease_release gives it back: do that before you commit. `lease_held` says who has it, why and until when:
work on something else, wait (lease_acquire with waitMs), or ask (lease_request). `lease_lost` means that
somebody took the file over: read it again before you go on.

Lisp. lisp_eval starts the image if there is none. An error does not unwind: the answer has
`state: stopped` and `debugger` with thread and level. Look with debugger_frames and debugger_frame, then
choose with debugger_restart (restarts may take arguments), or debugger_abort. `state: running` means that
it goes on: wait with lisp_evaluation, stop it with lisp_interrupt. After a change of a file
lisp_load_changed compiles and loads exactly what differs from the image; lisp_drift says what that is.

Paths are relative to the workspace, or file URIs; lines and columns count from 1, columns in characters.
A change may wait until a person has answered; the answer of the call then comes late. Do not repeat it.
"""

NOTES = {
    "lisp.eval": (
        "Answers `{id, state, values, output, condition?, debugger?}`. `state: stopped` is an error that"
        " waits in the debugger: go on with debugger_restart or debugger_abort, by thread and level of"
        " `debugger`. `state: running` after timeoutMs (30 s unless given): wait with lisp_evaluation, or"
        " stop it with lisp_interrupt."
    ),
    "lisp.compileFile": "`success: false` comes with `notes`, each with its message and range.",
    "lisp.loadChanged": "The best way to bring edits into the image: in file order, files in system order.",
    "debugger.list": "Everything that is stopped now, also what people stopped; leave those of others alone.",
    "debugger.restart": (
        "Give `name` or `index` as the stop lists them. `arguments` are Lisp expressions, evaluated in"
        " `frame`; USE-VALUE and STORE-VALUE need one. Answers what the evaluation did then, or where it"
        " stopped next."
    ),
    "debugger.frames": "`start` and `end` count frames from the innermost, 0.",
    "lease.acquire": "file_write and file_edit take one by themselves; use this to hold several files.",
    "file.write": "For a small change of a file that exists, file_edit is safer.",
    "file.edit": "Give enough of the text around it to make `old` occur once.",
    "lease.steal": "Only with a good reason, which is recorded and shown; ask with lease_request first.",
    "run.spawn": "Starts another agent or command; its questions go to a person.",
    "intervention.list": "Questions that wait for a person; you cannot answer them.",
    "history.list": "Newest first; `type` is a category or the beginning of an event's name, such as `file`.",
}
"""By operation: what an agent needs to know beside the first line and the parameters."""

FIELDS = {
    "uri": "A file: its path from the workspace, or a file URI.",
    "path": "A path from the workspace.",
    "position": "Lines and columns count from 1.",
    "thread": "The stopped thread, as `debugger` names it.",
    "level": "The debugger's level in that thread; the newest stop has the highest.",
    "frame": "Frames count from the innermost, 0.",
    "timeoutMs": "How long to wait for the end; it goes on afterwards.",
    "waitMs": "How long to wait, in milliseconds.",
    "ttlSeconds": "How long the lease lasts; it is renewed while you are connected.",
    "run": "The id of a run, or its beginning.",
    "digest": "What file_read said of the text that you have seen.",
    "useDisk": "Take the file as it is on disk although an editor has unsaved changes of it.",
    "package": "The Lisp package to read in.",
}
"""By parameter: what it is in every tool that has it."""
