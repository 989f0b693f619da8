"""What plain Swank is asked to evaluate: forms as text, in any implementation's own packages."""

from __future__ import annotations

from typing import Final

from . import sexp
from .connection import Connection


async def takes_width(connection: Connection) -> bool:
    """Tell whether evaluating in a frame wants the lines and width of a window: since Swank 2.32."""
    arglist = await connection.rex('(swank:operator-arglist "swank:eval-string-in-frame" "SWANK")')
    return "width" in str(arglist).lower()


def evaluating(code: str) -> str:
    """Return the form whose value is (OUTPUT VALUES PACKAGE) of CODE, several forms or none."""
    return _EVALUATE.format(code=sexp.write(code))


def in_frame(code: str, frame: int, width: bool) -> str:
    """Return the form that evaluates CODE in FRAME; WIDTH as `takes_width` has it."""
    window = " 1000 1000" if width else ""
    text = f"(progn {code}\n)"
    return f'(swank:eval-string-in-frame {sexp.write(text)} {frame} "COMMON-LISP-USER"{window})'


def shown(text: str) -> str:
    """Return what `eval-string-in-frame` answers, TEXT, without Swank's arrow: `=> 42` -> `42`."""
    return text.removeprefix("=> ").partition(" (")[0] if text.startswith("=> ") else text


def restart_with(index: int, texts: list[str]) -> str:
    """Return the form that invokes the restart INDEX with the values of TEXTS."""
    values = " ".join(f"(cl:eval (cl:read-from-string {sexp.write(text)}))" for text in texts)
    return f"(cl:invoke-restart (cl:nth {index} swank::*sldb-restarts*) {values})"


_EVALUATE: Final = """(swank::with-buffer-syntax ()
 (cl:let* ((swank::out (cl:make-string-output-stream)) (swank::results cl:nil))
  (cl:let ((cl:*standard-output* swank::out) (cl:*trace-output* swank::out))
   (cl:with-input-from-string (swank::in {code})
    (cl:do ((swank::form (cl:read swank::in cl:nil swank::in) (cl:read swank::in cl:nil swank::in)))
           ((cl:eq swank::form swank::in))
     (cl:setf swank::results (cl:multiple-value-list (cl:eval swank::form)))))
   (cl:psetf cl:*** cl:** cl:** cl:* cl:* (cl:first swank::results)
             cl:/// cl:// cl:// cl:/ cl:/ swank::results))
  (cl:list (cl:get-output-stream-string swank::out)
           (cl:mapcar (cl:function cl:prin1-to-string) swank::results)
           (cl:package-name cl:*package*))))"""
