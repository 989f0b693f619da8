"""What SLIME's own calls take in a real Emacs, on an image that a user started."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from descartes_swank import sexp
from descartes_swank.forms import Form

ELPA = Path("/usr/share/emacs/site-lisp/elpa")
SCRIPT = Path(__file__).with_suffix(".el")


def slime_times(
    port: int, file: Path, forms: Mapping[str, tuple[Form, str]], stopping: str, count: int
) -> dict[str, list[float]]:
    """Return the milliseconds of each of FORMS, COUNT times, by name; and of `restart`, for STOPPING.

    Shapes: FORMS maps a name to a thread, as SLIME names it, and the text of a Swank call.
    Errors: `RuntimeError` with what Emacs said; `FileNotFoundError` without an Emacs.
    """
    calls = " ".join(f"({sexp.write(name)} {thread} {form})" for name, (thread, form) in forms.items())
    code = f"(bench {port} {sexp.write(str(file))} '({calls}) {sexp.write(stopping)} {count})"
    folders = [word for folder in sorted(ELPA.iterdir()) for word in ("-L", str(folder))]
    words = ["emacs", "-Q", "--batch", *folders, "-l", str(SCRIPT), "--eval", code]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("TIMES "):
            times: dict[str, list[float]] = json.loads(line.removeprefix("TIMES "))
            return times
    raise RuntimeError(f"SLIME was not measured: {done.stderr[-2000:]}")
